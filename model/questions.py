"""Typed questions about one person and the decisions that answer them. Pure.

The kinds and names are the field's: a *predicate* is answered yes or no, a *choice* by one of its allowed answers.
*Cannot tell* is always among the answers and always has its own probability.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CANNOT_TELL = "cannot tell"
TOO_SMALL = "too small"
NOT_TRAINED = "not trained"
PART_HIDDEN = "part hidden"

QuestionKind = Literal["predicate", "choice"]


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
    when the most probable answer is *cannot tell*: `too small`, `not trained` or `part hidden`.
    """

    question_id: str
    probabilities: Mapping[str, float]
    reason: str | None = None

    @property
    def answer(self) -> str:
        """The most probable answer; the first allowed one wins a tie."""
        return max(self.probabilities, key=lambda answer: self.probabilities[answer])

    @property
    def forced_answer(self) -> str:
        """The most probable answer when *cannot tell* may not be said."""
        allowed = {a: p for a, p in self.probabilities.items() if a != CANNOT_TELL}
        return max(allowed, key=lambda answer: allowed[answer])
