"""How good the answers to one question are. Pure.

A model that is *forced* gives its most probable answer other than *cannot tell*; what it *said* may be *cannot tell*,
which the strict figures count as wrong.

Legend: n people, A answers that occur, K counts kept of each person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from model.questions import CANNOT_TELL, Decision
from trainer.evaluation.estimates import (
    Counts,
    Estimate,
    Shares,
    calibration_estimate,
    estimate,
    mean_known,
    share,
)


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many people with each labelled answer (row) got each answer (column); *cannot tell* is the last column."""

    labelled: tuple[str, ...]
    said: tuple[str, ...]
    people: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One of the bins of equal mass: mean probability, share right, people."""

    sure: float
    right: float
    people: int


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """One question's figures over the people whose answer is labelled.

    `balanced_accuracy` is mean recall over the answers that occur, `strict_balanced_accuracy` the same with *cannot
    tell* counted wrong; `coverage` is the share of people of whom something other than *cannot tell* is said.
    `precision` and `recall` are of the forced answer, by answer. `calibration_error` is of the forced answer over ten
    bins of equal mass. `marks` are, person by person, the labelled answer and whether it was said; reports leave them
    out.
    """

    people: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    strict_balanced_accuracy: Estimate
    coverage: Estimate
    calibration_error: Estimate
    precision: Mapping[str, Estimate]
    recall: Mapping[str, Estimate]
    confusion: Confusion
    reliability: tuple[ReliabilityBin, ...]
    marks: Annotated[tuple[tuple[str, bool], ...], Field(exclude=True)]


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure forced answers were, (n,) in 0..1, and whether they were right, (n,) bool."""

    sure: NDArray[np.float64]
    is_right: NDArray[np.bool_]

    @classmethod
    def of(cls, decisions: Sequence[Decision], right: Sequence[str]) -> "Sureness":
        """Of decisions whose right answers are known."""
        sure = np.array([_forced_probability(decision) for decision in decisions])
        is_right = np.array([d.forced_answer == r for d, r in zip(decisions, right, strict=True)], dtype=bool)
        return cls(sure, is_right)

    @classmethod
    def together(cls, parts: Sequence["Sureness"]) -> "Sureness":
        """All of several questions in one."""
        sure = np.concatenate([part.sure for part in parts]) if parts else np.zeros(0)
        is_right = np.concatenate([part.is_right for part in parts]) if parts else np.zeros(0, dtype=bool)
        return cls(sure, is_right)

    def calibration_error(self) -> Estimate:
        """Over ten bins of equal mass."""
        return calibration_estimate(self.sure, self.is_right)

    def bins(self) -> tuple[ReliabilityBin, ...]:
        """Ten bins of equal mass, fewer where there are fewer people."""
        parts = np.array_split(np.argsort(self.sure, kind="stable"), 10)
        return tuple(
            ReliabilityBin(float(self.sure[part].mean()), float(self.is_right[part].mean()), len(part))
            for part in parts
            if len(part)
        )


def score_question(decisions: Sequence[Decision], right: Sequence[str]) -> QuestionScore:
    """Figures of one question; `right[i]` is the labelled answer to what `decisions[i]` decided."""
    truth = np.array(right)
    forced = np.array([decision.forced_answer for decision in decisions])
    said = np.array([decision.answer for decision in decisions])
    answers = sorted(set(right))
    labelled = (truth[:, None] == answers).astype(np.int64)  # (n, A)
    chosen = (forced[:, None] == answers).astype(np.int64)  # (n, A)
    hit = labelled * chosen
    strict = labelled * (said[:, None] == answers)
    sureness = Sureness.of(decisions, right)
    return QuestionScore(
        people=len(truth),
        accuracy=_mean_share(hit.sum(axis=1)),
        balanced_accuracy=_balanced(hit, labelled),
        strict_balanced_accuracy=_balanced(strict, labelled),
        coverage=_mean_share((said != CANNOT_TELL).astype(np.int64)),
        calibration_error=sureness.calibration_error(),
        precision={answer: _share_of(hit[:, i], chosen[:, i]) for i, answer in enumerate(answers)},
        recall={answer: _share_of(hit[:, i], labelled[:, i]) for i, answer in enumerate(answers)},
        confusion=_confusion(truth, said, answers),
        reliability=sureness.bins(),
        marks=tuple(zip(right, (said == truth).tolist(), strict=True)),
    )


def strict_difference(old: QuestionScore, new: QuestionScore) -> Estimate:
    """By how much the strict balanced accuracy of `new` is above that of `old`, over the same people.

    The same people are drawn for both: what is hard for both does not widen the interval.

    Raises:
        ValueError: the scores are of other people, or of people labelled otherwise.
    """
    labels = [label for label, _ in old.marks]
    if labels != [label for label, _ in new.marks]:
        raise ValueError("the two scores are not of the same people")
    labelled = (np.array(labels)[:, None] == sorted(set(labels))).astype(np.int64)  # (n, A)
    hits = [labelled * np.array([is_right for _, is_right in score.marks])[:, None] for score in (old, new)]

    def figure(sums: Counts) -> Shares:
        before, after, asked = np.split(sums, 3, axis=-1)
        return np.subtract(mean_known(share(after, asked)), mean_known(share(before, asked)))

    return estimate(np.concatenate([*hits, labelled], axis=1), figure)


def _mean_share(hits: Counts) -> Estimate:
    return _share_of(hits, np.ones_like(hits))


def _share_of(hits: Counts, total: Counts) -> Estimate:
    return estimate(np.stack([hits, total], axis=1), lambda sums: share(sums[..., 0], sums[..., 1]))


def _balanced(hits: Counts, labelled: Counts) -> Estimate:
    """Mean recall over the answers that occur, from (n, A) each."""

    def figure(sums: Counts) -> Shares:
        right, asked = np.split(sums, 2, axis=-1)
        return mean_known(share(right, asked))

    return estimate(np.concatenate([hits, labelled], axis=1), figure)


def _confusion(truth: NDArray[np.str_], said: NDArray[np.str_], answers: Sequence[str]) -> Confusion:
    columns = [*sorted({*answers, *said.tolist()} - {CANNOT_TELL}), CANNOT_TELL]
    counts = [[int(((truth == row) & (said == column)).sum()) for column in columns] for row in answers]
    return Confusion(tuple(answers), tuple(columns), tuple(map(tuple, counts)))


def _forced_probability(decision: Decision) -> float:
    """How sure a decision is of its forced answer, *cannot tell* left out of the sum."""
    allowed = {answer: p for answer, p in decision.probabilities.items() if answer != CANNOT_TELL}
    return max(allowed.values()) / max(sum(allowed.values()), 1e-9)
