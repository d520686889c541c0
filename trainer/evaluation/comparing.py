"""Which of two models should be in force. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainer.evaluation.report import Report

WORSE_BY_AT_MOST = 0.02  # of a question's balanced accuracy, *cannot tell* counted wrong


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which model to promote. `refusals` say on which questions the candidate is too much worse; then it is refused."""

    in_force: str
    candidate: str
    promote: str
    reason: str
    refusals: tuple[str, ...]

    def __str__(self) -> str:
        return f"Promote {self.promote}: {self.reason}."


def compare(in_force: Report, candidate: Report) -> Verdict:
    """Compare two models that were measured on the same set.

    A candidate that is worse by more than two points on any question is refused, whatever else it does better. Of the
    others, the one with the higher mean over the tasks that both were measured on is to be promoted; at a tie nothing
    changes.
    """
    refusals = tuple(_refusals(in_force, candidate))
    if refusals:
        return Verdict(in_force.model, candidate.model, in_force.model, "; ".join(refusals), refusals)
    old, new = _mean_of_tasks(in_force, candidate), _mean_of_tasks(candidate, in_force)
    is_better = new > old
    reason = f"{candidate.model} has {new:.3f} as mean over the tasks, {in_force.model} {old:.3f}"
    return Verdict(in_force.model, candidate.model, (candidate if is_better else in_force).model, reason, ())


def question_figures(report: Report) -> dict[str, float]:
    """What a model is judged by, question by question."""
    figures: dict[str, float] = {}
    if report.photos is not None:
        scores = report.photos.answering.scores
        figures = {text: score.strict_balanced_accuracy.value for text, score in scores.items()}
    open_questions = report.tasks().get("open questions")
    return figures if open_questions is None else {**figures, "open questions": open_questions}


def _refusals(in_force: Report, candidate: Report) -> Iterator[str]:
    figures = question_figures(candidate)
    for text, old in question_figures(in_force).items():
        new = figures.get(text)
        if new is None:
            yield f'it does not answer "{text}" ({old:.3f} now)'
        elif round(old - new, 9) > WORSE_BY_AT_MOST:  # a difference of exactly two points is not more
            yield f'"{text}" {new:.3f} instead of {old:.3f}'


def _mean_of_tasks(report: Report, other: Report) -> float:
    shared = [value for task, value in report.tasks().items() if task in other.tasks()]
    return float(np.mean(shared)) if shared else float("nan")
