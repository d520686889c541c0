"""Pictures and what is asked and answered about them: one form for captions, instruction data and corrections. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from model.questions import Question

IMAGE_MARK = "<image>"
# Three grains, as HumanCaptionHQ has them: head, body, surroundings (https://arxiv.org/abs/2411.03034).
CAPTION_REQUESTS: tuple[str, ...] = (
    "Describe this person: the head, the body, the surroundings.",
    "Describe the person in this picture in detail: head, clothes and equipment, and what is around them.",
    "Write a caption of this person.",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A request and what the model is to answer."""

    request: str
    answer: str


UNREADABLE = (
    OSError,
    UnidentifiedImageError,
    ValueError,
    Image.DecompressionBombError,
    SyntaxError,
    ImportError,  # Ultralytics, once imported, has Pillow look for a HEIF reader where no other fits
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is said about one picture: a file, or the bytes of one.

    With a `question`, the one turn is its answer, and it is asked as the checkpoint asks typed questions.
    """

    picture: Path | bytes
    turns: tuple[Turn, ...]
    question: Question | None = None

    def open_picture(self) -> Image.Image | None:
        """The picture in RGB; None where it cannot be read."""
        source = self.picture if isinstance(self.picture, Path) else BytesIO(self.picture)
        try:
            with Image.open(source) as opened:
                return opened.convert("RGB")
        except UNREADABLE:
            return None


def turns_of(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...] | None:
    r"""The turns of LLaVA's `conversations`; None where they are no alternation of human and gpt.

    >>> turns_of([{"from": "human", "value": "<image>\nA vest?"}, {"from": "gpt", "value": "yes"}])
    (Turn(request='A vest?', answer='yes'),)
    >>> turns_of([{"from": "gpt", "value": "yes"}]) is None
    True
    """
    said = [(message.get("from"), message.get("value")) for message in messages]
    asked, answered = said[::2], said[1::2]
    if not said or len(asked) != len(answered):
        return None
    if any(who != "human" for who, _ in asked) or any(who != "gpt" for who, _ in answered):
        return None
    if not all(isinstance(value, str) and value.strip() for _, value in said):
        return None
    requests, answers = ([without_mark(str(value)) for _, value in half] for half in (asked, answered))
    return tuple(map(Turn, requests, answers)) if all(answers) else None


def without_mark(text: str) -> str:
    """A text without the mark of a picture, wherever it stood: a conversation has one picture, and it comes first."""
    return text.replace(IMAGE_MARK, "").strip()
