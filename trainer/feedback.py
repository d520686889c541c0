"""Officers' corrections, as a file: one JSON object a line, its crop beside it in `crops/`.

Whoever writes the file has a writer of their own; what both hold to is this form.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from model.questions import CANNOT_TELL, Question
from trainer.errors import RecipeError
from trainer.llava.conversations import Conversation, Turn
from trainer.people import Attributes, Person
from trainer.rows import RowCount
from trainer.texts import FACE_MASK, HARD_HAT, HAT_COLOUR, SAFETY_VEST, VEST_COLOUR


class AskedQuestion(BaseModel):
    """The question that was answered wrongly."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["predicate", "choice", "score"]
    text: str
    answers: tuple[str, ...]


class Provenance(BaseModel):
    """Who said it of whom, and when."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person_id: str
    camera_id: str
    segment_id: str
    at: AwareDatetime
    by: str
    kind: Literal["false alarm", "missed"]
    answer_revision: str


class Correction(BaseModel):
    """One line: a crop, a question about it, and the right answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    crop: Path
    question: AskedQuestion
    answer: str
    provenance: Provenance

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.crop.is_absolute() or ".." in self.crop.parts:
            raise ValueError("crop is no path inside the file's folder")
        if self.answer not in (*self.question.answers, CANNOT_TELL):
            raise ValueError(f"answer {self.answer!r} is none of the question's")
        return self


def corrections(path: Path) -> tuple[list[Correction], RowCount]:
    """The lines of a file whose crops can be read, and what was skipped.

    Raises:
        RecipeError: the file is missing.
    """
    try:
        # Not `splitlines`: a JSON string may hold line breaks of Unicode as they are.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise RecipeError(path, error.strerror or str(error)) from error
    found, count = [], RowCount()
    for line in filter(str.strip, lines):
        try:
            correction = Correction.model_validate_json(line)
        except ValidationError:
            count.skipped["not in the form of a correction"] += 1
            continue
        if _pixels(path.parent / correction.crop) is None:
            count.skipped["crop not readable"] += 1
            continue
        found.append(correction)
        count.readable += 1
    return found, count


def as_conversations(found: list[Correction], folder: Path) -> Iterator[Conversation]:
    """Corrections as a typed question and its right answer."""
    for correction in found:
        asked = correction.question
        turn = Turn(asked.text, correction.answer)
        yield Conversation(folder / correction.crop, (turn,), Question(asked.kind, asked.text, asked.answers))


def as_people(found: list[Correction], folder: Path) -> Iterator[Person]:
    """Corrections as people of whom one thing is known; questions that the compact model does not know are left out."""
    for correction in found:
        attributes = _attributes(correction)
        pixels = _pixels(folder / correction.crop)
        if attributes is None or pixels is None:
            continue
        height, width = pixels.shape[:2]
        whole = np.array([0, 0, width, height], dtype=np.float32)
        yield Person(correction.provenance.segment_id, whole, pixels, whole, None, None, None, height, attributes)


def _attributes(correction: Correction) -> Attributes | None:
    """What the right answer says of the person; None where the compact model is not asked this.

    A colour that nobody can tell says nothing either: the part may well be in the picture, too dark or too far away.
    """
    asked = correction.question
    if asked.kind == "score":
        return None
    question = Question(asked.kind, asked.text, asked.answers)
    answer = "hidden" if correction.answer == CANNOT_TELL else correction.answer
    worn: dict[Question, str] = {HARD_HAT: "hard_hat", SAFETY_VEST: "vest", FACE_MASK: "mask"}
    coloured = {HAT_COLOUR: ("hard_hat", "hat_colour"), VEST_COLOUR: ("vest", "vest_colour")}
    known: dict[str, Any] = {}
    if question in worn:
        known[worn[question]] = answer
    elif question in coloured and answer != "hidden":
        part, colour = coloured[question]
        known[part] = "no" if answer == "none" else "yes"
        known[colour] = None if answer == "none" else answer
    return replace(Attributes(), **known) if known else None


def _pixels(path: Path) -> NDArray[np.uint8] | None:
    found = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) if path.is_file() else None
    return None if found is None else np.asarray(found, dtype=np.uint8)
