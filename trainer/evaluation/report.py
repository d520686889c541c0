"""All figures of one model, and the one number that each task comes down to."""

import re
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from model.questions import QuestionKind
from trainer.evaluation.captions import CaptionScore
from trainer.evaluation.dialogue import DialogueScore, WrittenScore
from trainer.evaluation.questions import Answering
from trainer.evaluation.retrieval import RetrievalScore
from trainer.texts import QUESTIONS


@dataclass(frozen=True, slots=True)
class Speed:
    """Rates on this machine: looks with all questions answered and the search vector, and captions, per second."""

    looks_per_s: float
    captions_per_s: float


@dataclass(frozen=True, slots=True)
class Revisions:
    """What exactly was measured."""

    answers: str
    captions: str
    embedding_space: str


@dataclass(frozen=True, slots=True)
class PhotoScores:
    """Everything measured on labelled photos."""

    people: int
    fingerprint: str
    answering: Answering
    captions: CaptionScore
    retrieval: RetrievalScore
    speed: Speed


@dataclass(frozen=True, slots=True)
class Report:
    """One model's figures; None where the set holds nothing to measure them on."""

    model: str
    revisions: Revisions
    photos: PhotoScores | None = None
    dialogue: DialogueScore | None = None

    @property
    def slug(self) -> str:
        """The model's name as part of a file name."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.model).strip("-.") or "model"

    def tasks(self) -> dict[str, float]:
        """Each task's one number in 0..1; a task without examples is missing.

        Closed questions and attributes are balanced accuracy with *cannot tell* counted wrong, and so is a question
        that the model was not trained on.
        """
        found: dict[str, float] = {}
        if self.photos is not None:
            found = {
                "captions": self.photos.captions.mean_f1.value,
                "closed questions": _closed(self.photos.answering, "predicate"),
                "attributes": _closed(self.photos.answering, "choice"),
                "search": self.photos.retrieval.recall_at[10].value,
                "hidden parts": self.photos.answering.told_when_hidden.value,
            }
        if self.dialogue is not None:
            found["open questions"] = _written(self.dialogue.questions)
            found["written captions"] = _written(self.dialogue.captions)
        return {task: value for task, value in found.items() if not np.isnan(value)}

    def as_json(self) -> bytes:
        """The whole report; what could not be measured is null."""
        return TypeAdapter(Report).dump_json(self, indent=1)


def _closed(answering: Answering, kind: QuestionKind) -> float:
    texts = [question.text for question in QUESTIONS if question.kind == kind]
    scores = [answering.scores[text].strict_balanced_accuracy.value for text in texts if text in answering.scores]
    scores += [0.0 for text in texts if text in answering.unanswered]
    return float(np.mean(scores)) if scores else float("nan")


def _written(score: WrittenScore | None) -> float:
    """What the judge says, or where there is none how many match."""
    if score is None:
        return float("nan")
    return score.matched.value if np.isnan(score.judged.value) else score.judged.value
