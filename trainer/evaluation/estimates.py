"""A figure and how far chance may have moved it: 95% bootstrap intervals. Pure.

Legend: n examples, K counts kept of each, R resamples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_QUANTILES = (0.025, 0.975)

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the two ends of its 95% bootstrap interval; all three are NaN where nothing was measured."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if np.isnan(self.value) else f"{self.value:.3f} ({self.low:.2f}-{self.high:.2f})"


NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


def estimate(counts: Counts, figure: Callable[[Counts], Shares]) -> Estimate:
    """A figure that follows from the sums of what is counted of each example.

    Args:
        counts: (n, K), a row an example.
        figure: Takes sums (..., K) to figures (...); NaN where a sum allows none.

    >>> estimate(np.array([[1, 1], [0, 1], [1, 1], [1, 1]]), lambda sums: share(sums[..., 0], sums[..., 1]))
    Estimate(value=0.75, low=0.25, high=1.0)
    """
    if not len(counts):
        return NOTHING
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    # Drawing n examples again is drawing how often each kind of row comes: the same law, whatever n is.
    drawn = np.random.default_rng(0).multinomial(len(counts), times / len(counts), RESAMPLES)
    return _with_interval(float(figure(counts.sum(axis=0))), figure(drawn @ kinds))


def mean_estimate(values: Shares) -> Estimate:
    """The mean of one number an example, (n,).

    >>> mean_estimate(np.array([1.0, 1.0]))
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    if not len(values):
        return NOTHING
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    return _with_interval(float(values.mean()), values[draws].mean(axis=1))


def calibration_estimate(sure: Shares, is_right: NDArray[np.bool_], *, bins: int = 10) -> Estimate:
    """Expected calibration error over bins of equal mass, (n,) each.

    Drawing again adds chance to chance, which only ever widens the gaps between what is stated and what is right, so
    the interval is moved back by as much as the draws lie above the figure on average.
    """
    if not len(sure):
        return NOTHING
    order = np.argsort(sure, kind="stable")
    sure, right = sure[order], is_right[order]
    chance = np.random.default_rng(0)
    # A sorted draw from sorted examples is sorted: its bins are its slices.
    draws = [np.sort(chance.integers(0, len(sure), len(sure))) for _ in range(RESAMPLES)]
    again = np.array([calibration_error(sure[draw], right[draw], bins=bins) for draw in draws])
    value = calibration_error(sure, right, bins=bins)
    return _with_interval(value, np.maximum(again - (again.mean() - value), 0.0))


def calibration_error(sure: Shares, is_right: NDArray[np.bool_], *, bins: int = 10) -> float:
    """How far, on average, a stated probability is from the share that is right, over bins of equal mass.

    Args:
        sure: Probability (n,) of what was answered.
        is_right: Whether it was right, (n,).
        bins: How many.

    >>> calibration_error(np.array([0.9, 0.9]), np.array([True, True]), bins=1).__round__(3)
    0.1
    """
    order = np.array_split(np.argsort(sure, kind="stable"), bins)
    gaps = [abs(float(sure[part].mean() - is_right[part].mean())) * len(part) for part in order if len(part)]
    return float(sum(gaps) / max(len(sure), 1))


def share(hits: Counts, total: Counts) -> Shares:
    """`hits / total`, NaN where there are none, for arrays of one shape.

    >>> share(np.array([1, 0]), np.array([2, 0])).tolist()
    [0.5, nan]
    """
    shape = np.broadcast(hits, total).shape
    shares = np.full(shape, np.nan)
    np.divide(hits, total, out=shares, where=np.asarray(total) > 0)
    return shares


def mean_known(shares: Shares) -> Shares:
    """The mean over the last axis of what is known (is not NaN), NaN where nothing is.

    >>> float(mean_known(np.array([0.5, np.nan, 1.0])))
    0.75
    """
    known = ~np.isnan(shares)
    return share(np.where(known, shares, 0.0).sum(axis=-1), known.sum(axis=-1))


def _with_interval(value: float, again: Shares) -> Estimate:
    known = again[~np.isnan(again)]
    if not len(known):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, _QUANTILES)
    return Estimate(value, float(low), float(high))
