"""Which questions each model was measured on, read from its `decision.json` alone: no model is loaded for that."""

import json
import logging
from collections.abc import Sequence
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
    """The model that answers, and others that are at hand."""

    answering: MeasuredModel
    others: tuple[MeasuredModel, ...] = ()

    @property
    def without_measure(self) -> str:
        """What becomes of a question that the answering model was not measured on."""
        return "answered cannot tell (not trained)" if self.answering.name == EMBEDDED else "not measured"

    def why_not(self, question: Question) -> str | None:
        """Why the answering model cannot be relied on for a question, and which could; None where it can."""
        if self.answering.can_tell(question):
            return None
        could = [model.name for model in self.others if model.can_tell(question)]
        advice = (
            f"{', '.join(could)} was: set vlm.name to it"
            if could
            else "nor was any other model at hand: train one on it with `crewsight train` and measure it"
        )
        return f"the answering model ({self.answering.name}) was not measured on “{question.text}”; {advice}"


def measured_models(answering: str | MeasuredModel, others: Sequence[str] = ()) -> MeasuredModels:
    """What the models of these names were measured on.

    Args:
        answering: The one that answers: `embedded`, a checkpoint folder, or what is known of a served one.
        others: Further ones at hand; `embedded` always is.
    """
    model = read_measured(answering) if isinstance(answering, str) else answering
    names = [name for name in dict.fromkeys([EMBEDDED, *others]) if name != model.name]
    return MeasuredModels(model, tuple(read_measured(name) for name in names))


def read_measured(name: str, sheet: Path | None = None) -> MeasuredModel:
    """The questions of one model; none where its sheet cannot be read, which is logged.

    Args:
        name: `embedded`, a checkpoint folder, or what to call the model whose sheet is given.
        sheet: The decision sheet; by default the one in the checkpoint folder `name`.
    """
    try:
        content = json.loads((sheet or checkpoint_folder(name) / DECISIONS).read_text(encoding="utf-8"))
        listed = _Sheet.model_validate(content).questions
    except (ModelFolderError, OSError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())
        logger.warning("a model's decision sheet cannot be read", extra={"model": name, "reason": reason})
        return MeasuredModel(name, ())
    return MeasuredModel(name, tuple(Question(one.kind, one.text, one.answers) for one in listed))
