"""Answers read from several looks at one person become one answer. Pure.

The rule, named `COMBINATION` in every manifest: the mean of the looks' log-probabilities, each look weighted by how
tall the person stands in it (up to 200 px), made to sum to 1 again. Looks in which the person is too small to be asked
about, or that a model server refused, are left out, unless all are. So many weak looks do not outvote one close look,
and looks that contradict each other end near an even chance and never at a sure answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from model.questions import CANNOT_TELL, TOO_SMALL, Decision
from model.served.answers import REFUSED

COMBINATION = "height-weighted-log-mean.1"
TALL_ENOUGH_PX = 200  # more pixels than HumanVLM takes in say nothing more
LEAST_PROBABILITY = 1e-4  # one sure look may be wrong: it alone never rules an answer out
LOOKS_DISAGREE = "looks disagree"
DIGITS = 5


def combined(decisions: Sequence[Decision], heights_px: Sequence[int]) -> Decision:
    """One decision from the same question's decisions about one person.

    Args:
        decisions: One a look, at least one.
        heights_px: How tall the person stands in each look.

    >>> yes, no = {"yes": 0.9, "no": 0.05, CANNOT_TELL: 0.05}, {"yes": 0.2, "no": 0.6, CANNOT_TELL: 0.2}
    >>> combined([Decision("q", yes), Decision("q", no)], [180, 60]).answer
    'yes'
    """
    asked = [pair for pair in zip(decisions, heights_px, strict=True) if not _says_nothing(pair[0])]
    chosen, heights = zip(*(asked or zip(decisions, heights_px, strict=True)), strict=True)
    answers = tuple(chosen[0].probabilities)
    weights = np.minimum(np.asarray(heights, dtype=np.float64), TALL_ENOUGH_PX)
    rows = np.asarray([[look.probabilities[answer] for answer in answers] for look in chosen])
    log_mean = np.average(np.log(np.maximum(rows, LEAST_PROBABILITY)), axis=0, weights=weights)
    shares = np.exp(log_mean - log_mean.max())
    probabilities = rounded(dict(zip(answers, (shares / shares.sum()).tolist(), strict=True)))
    decision = Decision(chosen[0].question_id, probabilities, is_measured=all(look.is_measured for look in decisions))
    return decision if decision.answer != CANNOT_TELL else _with_reason(decision, chosen, weights)


def mean_direction(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The unit vector (d,) in the mean direction of unit vectors (n, d).

    >>> [f"{part:.3f}" for part in mean_direction(np.array([[1, 0], [0, 1]], dtype=np.float32))]
    ['0.707', '0.707']
    """
    mean = vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    direction = mean / length if length > 0 else vectors[0]
    return np.asarray(direction, dtype=np.float32)


def rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    """To the digits a manifest keeps: what batches add beyond them is noise."""
    return {answer: round(float(p), DIGITS) for answer, p in probabilities.items()}


def _says_nothing(look: Decision) -> bool:
    """Whether nobody looked: that is no sign of a hidden part."""
    return look.reason is not None and (look.reason == TOO_SMALL or look.reason.startswith(REFUSED))


def _with_reason(decision: Decision, looks: Sequence[Decision], weights: npt.NDArray[np.float64]) -> Decision:
    """The reason of the weightiest look that could not tell; when every look could, they disagree."""
    told = [(weight, look.reason) for look, weight in zip(looks, weights.tolist(), strict=True) if look.reason]
    reason = max(told)[1] if told else LOOKS_DISAGREE
    return replace(decision, reason=reason)
