"""Questions and captions in LLaVA's JSON, one by one.

A request for a description makes its answer a caption, any other is an open question. Each turn stands by itself:
earlier ones are not shown to the model.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from model.crops import Crop
from trainer.errors import EvaluationError, RecipeError
from trainer.llava.conversations import Conversation
from trainer.llava.json_rows import llava_conversations

LONGEST_SIDE_PX = 512  # no vision tower here reads more, and a set of photos would fill the memory
_ASKS_TO_DESCRIBE = re.compile(r"\b(describe|description|caption)\b", re.IGNORECASE)


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
        found, count = llava_conversations(path, path.parent, path.parent / "images")
        examples: list[Example] = []
        for conversation in found:
            picture = conversation.open_picture()
            if picture is None:
                count.readable -= 1
                count.skipped["picture not readable"] += 1
            else:
                examples += _examples(conversation, picture)
        count.refuse_unreadable(path)
    except RecipeError as error:
        raise EvaluationError(path, error.reason) from error
    return Conversations(tuple(examples), count.skipped.total())


def _examples(conversation: Conversation, picture: Image.Image) -> Iterator[Example]:
    height_px = picture.height
    picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX), Image.Resampling.BOX)
    crop = Crop(np.array(picture, dtype=np.uint8), height_px)
    return (Example(crop, turn.request, turn.answer) for turn in conversation.turns)
