"""From logits to decisions, and the sheet that says which questions a checkpoint was trained and measured on. Pure.

The sheet is `decision.json`, in the form that transformers reads beside a checkpoint (`labels` and `temperature` per
kind of question, whose *predicate* is called `noul`), with additions that it leaves unread: `questions`, each with its
own temperature and the figures it was measured with; whether any other question may be asked too; and the label by
which the checkpoint says *cannot tell*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor

from model.questions import CANNOT_TELL, NOT_TRAINED, PART_HIDDEN, TOLD_BADLY, Decision, Question, QuestionKind

KIND_NAMES: Mapping[QuestionKind, str] = {"predicate": "noul", "choice": "choice", "score": "score"}


class MeasuredQuestion(BaseModel):
    """A question that a checkpoint was trained on, how its logits are put right, and how well it answers.

    `leaning` is taken from the scores of the answers, in their order; `temperature` then divides them (none: that of
    the question's kind).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: QuestionKind
    text: str
    answers: tuple[str, ...]
    temperature: PositiveFloat | None = None
    leaning: tuple[float, ...] = ()
    figures: dict[str, float] = {}

    @property
    def question(self) -> Question:
        """The question itself."""
        return Question(self.kind, self.text, self.answers)


class DecisionSheet(BaseModel):
    """The contents of `decision.json`.

    A checkpoint that is `open_to_any_question` answers what it was never measured on, and every such answer is marked.
    What it was measured on and `failed` it does not answer, open or not.
    `cannot_tell` is the label that stands for *cannot tell* where a checkpoint's answers are labels; without it, such a
    checkpoint always picks one of the allowed answers.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: dict[str, list[str]] = {"noul": ["yes", "no"]}
    temperature: dict[str, PositiveFloat] = {}
    questions: tuple[MeasuredQuestion, ...] = ()
    failed: tuple[MeasuredQuestion, ...] = ()
    open_to_any_question: bool = False
    cannot_tell: str | None = None

    def measured(self, question: Question) -> MeasuredQuestion | None:
        """What is known of a question; None if the checkpoint was never trained or measured on it."""
        return next((m for m in self.questions if m.question.question_id == question.question_id), None)

    def why_not(self, question: Question) -> str | None:
        """Why a question is not asked; None where it may be."""
        if self.measured(question) is not None:
            return None
        if any(m.question.question_id == question.question_id for m in self.failed):
            return TOLD_BADLY
        return None if self.open_to_any_question else NOT_TRAINED

    def calibrated(self, question: Question, scores: Tensor) -> Tensor:
        """Probabilities (B, answers + 1) from scores of a question's answers and, last, of *cannot tell*."""
        measured = self.measured(question)
        of_kind = self.temperature.get(KIND_NAMES[question.kind], 1.0)
        if measured is None:
            return answer_probabilities(scores, of_kind)
        return answer_probabilities(scores, measured.temperature or of_kind, measured.leaning)


def refused(question: Question, reason: str) -> Decision:
    """The decision of a model that was in no position to answer: *cannot tell*, for this reason."""
    return Decision(question.question_id, {**dict.fromkeys(question.answers, 0.0), CANNOT_TELL: 1.0}, reason)


def decided(question: Question, probabilities: Sequence[float], *, is_measured: bool = True) -> Decision:
    """The decision that goes with probabilities of the question's answers and, last, of *cannot tell*."""
    named: Mapping[str, float] = dict(zip((*question.answers, CANNOT_TELL), probabilities, strict=True))
    decision = Decision(question.question_id, named, is_measured=is_measured)
    if decision.answer == CANNOT_TELL:
        return replace(decision, reason=PART_HIDDEN)
    return decision


def answer_probabilities(scores: Tensor, temperature: float, leaning: Sequence[float] = ()) -> Tensor:
    """Calibrated probabilities (B, answers) from scores (B, answers): logits or log-probabilities, -inf for *never*.

    Args:
        scores: (B, answers), that of *cannot tell* last.
        temperature: Above 1 makes sure answers less sure.
        leaning: What the network adds to each answer that it should not; missing ones are 0.

    >>> answer_probabilities(torch.tensor([[0.0, 2.0]]), temperature=2.0).round(decimals=2).tolist()
    [[0.27000001072883606, 0.7300000190734863]]
    """
    surplus = torch.zeros(scores.shape[1], device=scores.device)
    surplus[: len(leaning)] = torch.tensor(leaning, device=scores.device)
    return torch.softmax((scores.float() - surplus) / temperature, dim=-1)
