"""Which of two models should be in force. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainer.evaluation.estimates import Estimate
from trainer.evaluation.report import Report
from trainer.evaluation.scores import QuestionScore, strict_difference

WORSE_BY_AT_MOST = 0.02  # of a question's balanced accuracy, *cannot tell* counted wrong


@dataclass(frozen=True, slots=True)
class Contest:
    """One question's figure of both models, None where one does not answer it, and how sure the difference is."""

    question: str
    in_force: float | None
    candidate: float | None
    difference: Estimate | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which model to promote. `refusals` say on which questions the candidate is too much worse; then it is refused."""

    in_force: str
    candidate: str
    promote: str
    reason: str
    refusals: tuple[str, ...]
    contests: tuple[Contest, ...]

    def __str__(self) -> str:
        return f"Promote {self.promote}: {self.reason}."


def compare(in_force: Report, candidate: Report) -> Verdict:
    """Compare two models that were measured on the same set.

    A candidate that is worse by more than two points on any question is refused, whatever else it does better. Of the
    others, the one with the higher mean over the tasks that both were measured on is to be promoted; at a tie nothing
    changes.
    """
    contests = tuple(_contests(in_force, candidate))
    refusals = tuple(refusal for refusal in map(_refusal, contests) if refusal)
    if refusals:
        return Verdict(in_force.model, candidate.model, in_force.model, "; ".join(refusals), refusals, contests)
    old, new = _mean_of_tasks(in_force, candidate), _mean_of_tasks(candidate, in_force)
    better = candidate if new > old else in_force
    reason = f"{candidate.model} has {new:.3f} as mean over the tasks, {in_force.model} {old:.3f}"
    return Verdict(in_force.model, candidate.model, better.model, reason, (), contests)


def _contests(in_force: Report, candidate: Report) -> Iterator[Contest]:
    """What the models are judged by: every closed question, and all open ones as one."""
    old = in_force.photos.answering.scores if in_force.photos else {}
    new = candidate.photos.answering.scores if candidate.photos else {}
    for text in {**old, **new}:
        difference = strict_difference(old[text], new[text]) if text in old and text in new else None
        yield Contest(text, _value(old.get(text)), _value(new.get(text)), difference)
    before, after = (report.tasks().get("open questions") for report in (in_force, candidate))
    if before is not None or after is not None:
        yield Contest("open questions", before, after, None)


def _value(score: QuestionScore | None) -> float | None:
    return None if score is None else score.strict_balanced_accuracy.value


def _refusal(contest: Contest) -> str | None:
    old, new = contest.in_force, contest.candidate
    if old is None:
        return None
    if new is None:
        return f'it does not answer "{contest.question}" ({old:.3f} now)'
    # Rounded: a difference of exactly two points is not more.
    return f'"{contest.question}" {new:.3f} instead of {old:.3f}' if round(old - new, 9) > WORSE_BY_AT_MOST else None


def _mean_of_tasks(report: Report, other: Report) -> float:
    shared = [value for task, value in report.tasks().items() if task in other.tasks()]
    return float(np.mean(shared)) if shared else float("nan")
