"""How good answers are: balanced accuracy with its interval, calibration error, coverage. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.questions import CANNOT_TELL, Decision

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """One question's figures over the people whose answer is labelled.

    `balanced_accuracy` is forced choice (mean recall over the answers that occur), `interval` its 95% bootstrap
    interval; `strict_accuracy` is balanced accuracy with abstentions counted wrong; `abstained` is the share of
    *cannot tell*; `recalls` is by answer.
    """

    asked: int
    balanced_accuracy: float
    interval: tuple[float, float]
    strict_accuracy: float
    abstained: float
    calibration_error: float
    recalls: dict[str, float]


def score_question(decisions: Sequence[Decision], right: Sequence[str]) -> QuestionScore:
    """Figures of one question; `right[i]` is the labelled answer to what `decisions[i]` decided."""
    truth = np.array(right)
    forced = np.array([decision.forced_answer for decision in decisions])
    said = np.array([decision.answer for decision in decisions])
    sure = np.array([_forced_probability(decision) for decision in decisions])
    low, high = _interval(forced, truth)
    return QuestionScore(
        asked=len(truth),
        balanced_accuracy=_balanced(forced, truth),
        interval=(low, high),
        strict_accuracy=_balanced(said, truth),
        abstained=float((said == CANNOT_TELL).mean()),
        calibration_error=calibration_error(sure, forced == truth),
        recalls={answer: float((forced[truth == answer] == answer).mean()) for answer in sorted(set(right))},
    )


def calibration_error(sure: NDArray[np.float64], is_right: NDArray[np.bool_], *, bins: int = 10) -> float:
    """Expected calibration error over bins of equal mass.

    >>> calibration_error(np.array([0.9, 0.9]), np.array([True, True]), bins=1).__round__(3)
    0.1
    """
    order = np.array_split(np.argsort(sure, kind="stable"), bins)
    gaps = [abs(float(sure[part].mean() - is_right[part].mean())) * len(part) for part in order if len(part)]
    return float(sum(gaps) / max(len(sure), 1))


def recall_at(ranks: Sequence[int], k: int) -> float:
    """Share of queries whose first hit ranks among the first k (ranks count from 1).

    >>> recall_at([1, 4, 12], 10).__round__(2)
    0.67
    """
    return float(np.mean([rank <= k for rank in ranks])) if ranks else float("nan")


def _forced_probability(decision: Decision) -> float:
    """How sure a decision is of its forced answer, *cannot tell* left out of the sum."""
    allowed = {answer: p for answer, p in decision.probabilities.items() if answer != CANNOT_TELL}
    return max(allowed.values()) / max(sum(allowed.values()), 1e-9)


def _balanced(said: NDArray[np.str_], truth: NDArray[np.str_]) -> float:
    return float(np.mean([(said[truth == answer] == answer).mean() for answer in np.unique(truth)]))


def _interval(said: NDArray[np.str_], truth: NDArray[np.str_]) -> tuple[float, float]:
    chance = np.random.default_rng(0)
    draws = chance.integers(0, len(truth), (_RESAMPLES, len(truth)))
    scores = [_balanced(said[draw], truth[draw]) for draw in draws]
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)
