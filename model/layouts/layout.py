"""What HumanVLM needs of a layout: how pictures, questions and texts go through its network. Pure.

A layout answers for one batch that fits into memory; which questions may be asked, how sure an answer is, who is too
small to be asked about and how large a batch may be is HumanVLM's to decide.

Legend: B crops, P image tokens, D width, E width of the search space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.crops import Crop
from model.decisions import DecisionSheet
from model.questions import Question


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """What the vision tower and the connector made of some crops: (B, P, D), and how tall each person stands.

    `vectors` (B, E) are there already where the search space has a vision tower of its own.
    """

    tokens: Tensor
    person_heights_px: tuple[int, ...]
    vectors: Tensor | None = None

    def __len__(self) -> int:
        return len(self.person_heights_px)

    def of(self, crops: Sequence[int]) -> "ImageTokens":
        """Those of some of the crops, by position."""
        chosen = list(crops)
        heights_px = tuple(self.person_heights_px[crop] for crop in chosen)
        return ImageTokens(self.tokens[chosen], heights_px, None if self.vectors is None else self.vectors[chosen])


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """A text's place in the search space: a unit vector (E,) float32, and the words that had no say in it."""

    vector: NDArray[np.float32]
    unknown_words: tuple[str, ...]


class TextLayout(Protocol):
    """The half of a layout that places texts in the search space."""

    embedding_space: str

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies, and the words that had no say."""


class Layout(TextLayout, Protocol):
    """A network with all its parts, and the names of what it says."""

    sheet: DecisionSheet
    answer_revision: str
    caption_revision: str
    crops_at_once: int
    answers_open_questions: bool
    embedding_width: int

    def none_seen(self) -> ImageTokens:
        """The image tokens of no crops at all."""

    def see(self, crops: Sequence[Crop]) -> ImageTokens:
        """Look at some crops, at least one."""

    def can_ask(self, question: Question) -> bool:
        """Whether the network knows the words of a question and can tell its answers apart."""

    def read(self, seen: ImageTokens, questions: Sequence[Question]) -> tuple[list[Tensor], Tensor]:
        """Ask every question about every crop in one pass over its image tokens.

        Returns:
            For each question the scores (B, answers + 1) of its answers and, last, of *cannot tell*: log-probabilities,
            -inf for what the network never says; and unit vectors (B, E).
        """

    def describe(self, seen: ImageTokens) -> list[str]:
        """A caption of each crop, the most probable word at a time."""

    def answer(self, seen: ImageTokens, questions: Sequence[str]) -> list[str]:
        """What the model says to a question about each crop, in its own words; one question a crop.

        Raises:
            OpenQuestionError: it has none.
        """
