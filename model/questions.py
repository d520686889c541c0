"""Typed questions about one person and the decisions that answer them. Pure.

The kinds and names are the field's: a *predicate* is answered yes or no, a *choice* by one of its allowed answers, a
*score* by one of its levels, the lowest first. *Cannot tell* is always among the answers and always has its own
probability.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CANNOT_TELL = "cannot tell"
TOO_SMALL = "too small"
NOT_TRAINED = "not trained"
TOLD_BADLY = "measured and failed"  # asked of people whose answers were known, and near chance
PART_HIDDEN = "part hidden"
UNMEASURED = "unmeasured"  # said beside an answer that nobody knows the worth of

QuestionKind = Literal["predicate", "choice", "score"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question in plain words; `answers` leaves out *cannot tell*, which is always allowed."""

    kind: QuestionKind
    text: str
    answers: tuple[str, ...] = ("yes", "no")

    @property
    def question_id(self) -> str:
        """Twelve hexadecimal digits of kind, text and answers: an edited question is a new question."""
        stated = "\n".join([self.kind, self.text, *self.answers])
        return hashlib.sha256(stated.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one question about one crop.

    `probabilities` has one entry for every allowed answer and one for *cannot tell*, and sums to 1. `reason` says why
    when the most probable answer is *cannot tell*: `too small`, `not trained`, `measured and failed` or `part hidden`.
    `is_measured` is false when a model answered that was never measured on the question: the probabilities are then its
    bare opinion.
    """

    question_id: str
    probabilities: Mapping[str, float]
    reason: str | None = None
    is_measured: bool = True

    @property
    def answer(self) -> str:
        """The most probable answer; the first allowed one wins a tie."""
        return max(self.probabilities, key=lambda answer: self.probabilities[answer])

    @property
    def forced_answer(self) -> str:
        """The most probable answer when *cannot tell* may not be said."""
        allowed = self._told
        return max(allowed, key=lambda answer: allowed[answer])

    @property
    def expected_level(self) -> float:
        """Of a score: the mean level, 0 the lowest, when *cannot tell* may not be said.

        >>> Decision("q", {"tidy": 0.2, "cluttered": 0.2, "blocked": 0.4, CANNOT_TELL: 0.2}).expected_level
        1.25
        """
        told = self._told
        share = sum(told.values())
        return sum(level * p for level, p in enumerate(told.values())) / share if share else 0.0

    @property
    def _told(self) -> dict[str, float]:
        return {answer: p for answer, p in self.probabilities.items() if answer != CANNOT_TELL}
