"""Questions and captions in LLaVA's JSON: a list of rows with an `image` and its `conversations`.

A row's turns go by pairs, `human` then `gpt`; a human turn that asks for a description makes its answer a caption, any
other is an open question. Each pair stands by itself: earlier turns are not shown to the model.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from model.crops import Crop
from trainer.errors import EvaluationError

LONGEST_SIDE_PX = 512  # no vision tower here reads more, and a set of photos would fill the memory
READABLE_FROM = 0.9  # of the rows; with fewer, figures would be of another set than the one named
_ASKS_TO_DESCRIBE = re.compile(r"\b(describe|description|caption)\b", re.IGNORECASE)


class _Row(BaseModel):
    image: str
    conversations: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Example:
    """A picture, what is asked about it and what was answered."""

    crop: Crop
    question: str
    answer: str

    @property
    def is_caption(self) -> bool:
        """Whether a description is asked for."""
        return bool(_ASKS_TO_DESCRIBE.search(self.question))


@dataclass(frozen=True, slots=True)
class Conversations:
    """The readable examples of a file, and how many rows could not be read."""

    examples: tuple[Example, ...]
    unreadable_rows: int


def read_conversations(path: Path) -> Conversations:
    """The examples of a LLaVA JSON file; its pictures lie beside it or in `images/` beside it.

    Raises:
        EvaluationError: the file is no such list, or more than a tenth of its rows cannot be read.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(path, f"it cannot be read as JSON: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise EvaluationError(path, "it is no list of rows with `image` and `conversations`")
    examples = [_examples(row, path.parent) for row in rows]
    unreadable = sum(found is None for found in examples)
    if unreadable > (1 - READABLE_FROM) * len(rows):
        raise EvaluationError(path, f"{unreadable} of its {len(rows)} rows or their pictures cannot be read")
    return Conversations(tuple(example for found in examples for example in found or ()), unreadable)


def _examples(row: object, folder: Path) -> list[Example] | None:
    """A row's pairs of turns; None where the row or its picture cannot be read."""
    try:
        checked = _Row.model_validate(row)
    except ValidationError:
        return None
    pixels = _picture(folder, checked.image)
    pairs = list(_pairs(checked.conversations))
    if pixels is None or not pairs:
        return None
    crop = Crop(_shrunk(pixels), pixels.shape[0])
    return [Example(crop, question, answer) for question, answer in pairs]


def _pairs(turns: Sequence[dict[str, str]]) -> Iterator[tuple[str, str]]:
    for asked, answered in zip(turns[::2], turns[1::2], strict=False):
        if asked.get("from") == "human" and answered.get("from") == "gpt":
            question = asked.get("value", "").replace("<image>", "").strip()
            if question and answered.get("value", "").strip():
                yield question, answered["value"].strip()


def _picture(folder: Path, name: str) -> NDArray[np.uint8] | None:
    for path in (folder / name, folder / "images" / name):
        if path.is_file():
            pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
            return None if pixels is None else np.asarray(pixels, dtype=np.uint8)
    return None


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = LONGEST_SIDE_PX / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
