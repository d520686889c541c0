"""What the analyzer asks of a HumanVLM, in this process or behind a server."""

from collections.abc import Sequence
from typing import Any, Protocol

from model.crops import Crop
from model.humanvlm import Reading
from model.questions import Question


class Vlm(Protocol):
    """Sees crops once, then reads answers and places in the search space, and captions, from what it saw.

    What `see` returns is the model's own; it has a length, and `of(positions)` is the part of it about some crops.
    """

    @property
    def questions(self) -> tuple[Question, ...]:
        """What it is asked when nobody says otherwise."""

    @property
    def answer_revision(self) -> str:
        """The name of all that decides its answers."""

    @property
    def caption_revision(self) -> str:
        """The name of all that decides its captions."""

    @property
    def embedding_space(self) -> str:
        """The space that its vectors lie in."""

    def see(self, crops: Sequence[Crop]) -> Any:
        """Look at some crops."""

    def read(self, seen: Any, questions: Sequence[Question]) -> Reading:
        """Every question answered about every crop, and a vector of each."""

    def describe(self, seen: Any) -> list[str]:
        """A caption of each crop."""
