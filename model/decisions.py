"""From logits to decisions, and the sheet that says which questions a checkpoint was trained and measured on. Pure.

The sheet is `decision.json`, in the form that transformers reads beside a checkpoint (`labels` and `temperature` per
kind of question), with one addition: `questions`, each with its own temperature and the figures it was measured with.
"""

from collections.abc import Mapping, Sequence

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor

from model.questions import CANNOT_TELL, PART_HIDDEN, Decision, Question, QuestionKind


class MeasuredQuestion(BaseModel):
    """A question that a checkpoint was trained on, how its logits are put right, and how well it answers.

    `leaning` is taken from the logits of the answers, in their order; `temperature` then divides them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: QuestionKind
    text: str
    answers: tuple[str, ...]
    temperature: PositiveFloat = 1.0
    leaning: tuple[float, ...] = ()
    figures: dict[str, float] = {}

    @property
    def question(self) -> Question:
        """The question itself."""
        return Question(self.kind, self.text, self.answers)


class DecisionSheet(BaseModel):
    """The contents of `decision.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: dict[str, list[str]] = {"noul": ["yes", "no"]}
    temperature: dict[str, float] = {}
    questions: tuple[MeasuredQuestion, ...] = ()

    def measured(self, question: Question) -> MeasuredQuestion | None:
        """What is known of a question; None if the checkpoint was never trained or measured on it."""
        return next((m for m in self.questions if m.question.question_id == question.question_id), None)


def refused(question: Question, reason: str) -> Decision:
    """The decision of a model that was in no position to answer: *cannot tell*, for this reason."""
    return Decision(question.question_id, {**dict.fromkeys(question.answers, 0.0), CANNOT_TELL: 1.0}, reason)


def decided(question: Question, probabilities: Sequence[float]) -> Decision:
    """The decision that goes with probabilities of the question's answers and, last, of *cannot tell*."""
    named: Mapping[str, float] = dict(zip((*question.answers, CANNOT_TELL), probabilities, strict=True))
    decision = Decision(question.question_id, named)
    if decision.answer == CANNOT_TELL:
        return Decision(question.question_id, named, PART_HIDDEN)
    return decision


def answer_probabilities(
    logits: Tensor, answer_ids: Sequence[int], temperature: float, leaning: Sequence[float] = ()
) -> Tensor:
    """Calibrated probabilities (B, answers) from next-word logits (B, V): only the answers' words take part.

    Args:
        logits: (B, V).
        answer_ids: The token of each answer, and last that of *cannot tell*.
        temperature: Above 1 makes sure answers less sure.
        leaning: What the network adds to each answer that it should not; missing ones are 0.

    >>> answer_probabilities(torch.tensor([[0.0, 2.0, 9.0]]), [0, 1], temperature=2.0).round(decimals=2).tolist()
    [[0.27000001072883606, 0.7300000190734863]]
    """
    surplus = torch.zeros(len(answer_ids), device=logits.device)
    surplus[: len(leaning)] = torch.tensor(leaning, device=logits.device)
    return torch.softmax((logits[:, list(answer_ids)] - surplus) / temperature, dim=-1)
