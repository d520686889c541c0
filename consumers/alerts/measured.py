"""Which questions each model was measured on, read from its decision sheet alone: no model is loaded for that."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import ModelFolderError
from model.folders import DECISIONS, checkpoint_folder
from model.questions import Question, QuestionKind

logger = logging.getLogger(__name__)

EMBEDDED = "embedded"


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: QuestionKind
    text: str
    answers: tuple[str, ...]


class _Sheet(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    questions: tuple[_Listed, ...] = ()


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A model by name, and the questions it was measured on."""

    name: str
    questions: tuple[Question, ...]

    def can_tell(self, question: Question) -> bool:
        """Whether it was measured on a question."""
        return any(one.question_id == question.question_id for one in self.questions)


@dataclass(frozen=True, slots=True)
class MeasuredModels:
    """The model that answers, and others that are at hand; the others run in our own processes."""

    answering: MeasuredModel
    others: tuple[MeasuredModel, ...] = ()
    is_served: bool = False  # the answering one, by a model server

    @property
    def without_measure(self) -> str:
        """What becomes of a question that the answering model was not measured on."""
        is_closed = self.answering.name == EMBEDDED and not self.is_served
        return "answered cannot tell (not trained)" if is_closed else "not measured"

    def why_not(self, question: Question) -> str | None:
        """Why the answering model cannot be relied on for a question, and which could; None where it can."""
        if self.answering.can_tell(question):
            return None
        could = [model.name for model in self.others if model.can_tell(question)]
        if could:
            advice = f"{', '.join(could)} was: set vlm.name to it"
            advice += ", and leave vlm.server.url empty" if self.is_served else ""
        else:
            advice = "nor was any other model at hand: train one on it with `crewsight train` and measure it"
            advice += ", or name the sheet of the served one in vlm.server.decision_sheet" if self.is_served else ""
        return f"the answering model ({self.answering.name}) was not measured on “{question.text}”; {advice}"


def measured_models(answering: str, others: Sequence[str] = ()) -> MeasuredModels:
    """What the models of these names were measured on.

    Args:
        answering: The one that answers: `embedded` or a checkpoint folder.
        others: Further ones at hand; `embedded` always is.
    """
    names = [name for name in dict.fromkeys([EMBEDDED, *others]) if name != answering]
    return MeasuredModels(read_measured(answering), tuple(read_measured(name) for name in names))


def measured_served(name: str, sheet: Path | None, others: Sequence[str] = ()) -> MeasuredModels:
    """What a served model, and others at hand, were measured on.

    Args:
        name: The served model's, as its server knows it.
        sheet: Its decision sheet; None: nobody measured it.
        others: Checkpoints at hand; `embedded` always is.
    """
    answering = _read(name, lambda: sheet) if sheet is not None else MeasuredModel(name, ())
    at_hand = tuple(read_measured(other) for other in dict.fromkeys([EMBEDDED, *others]))
    return MeasuredModels(answering, at_hand, is_served=True)


def read_measured(name: str) -> MeasuredModel:
    """The questions of one checkpoint; none where its sheet cannot be read, which is logged."""
    return _read(name, lambda: checkpoint_folder(name) / DECISIONS)


def _read(name: str, sheet: Callable[[], Path]) -> MeasuredModel:
    try:
        listed = _Sheet.model_validate(json.loads(sheet().read_text(encoding="utf-8"))).questions
    except (ModelFolderError, OSError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())
        logger.warning("a model's decision sheet cannot be read", extra={"model": name, "reason": reason})
        return MeasuredModel(name, ())
    return MeasuredModel(name, tuple(Question(one.kind, one.text, one.answers) for one in listed))
