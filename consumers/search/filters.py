"""Who is looked for at all: a filter holds inside the search, never after it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from consumers.errors import SearchQueryError


@dataclass(frozen=True, slots=True)
class AnswerWanted:
    """Only people of whom `answer` was given to a question with at least this certainty.

    Raises:
        SearchQueryError: `at_least` is not in [0, 1].
    """

    question_id: str
    answer: str
    at_least: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.at_least <= 1:
            raise SearchQueryError(f"an answer's certainty must be in [0, 1], got {self.at_least:g}")


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """Everything has to hold; what is left empty holds for everyone.

    `since` and `until` are aware instants: people seen at or after `since` and before `until` (by when they were first
    seen). `cameras` are single cameras: groups are resolved before. `described` are words that a caption must hold.

    Raises:
        SearchQueryError: An instant without a time zone, or a stretch of time that ends before it begins.
    """

    cameras: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    answers: tuple[AnswerWanted, ...] = ()
    described: tuple[str, ...] = ()
    detected_at_least: float = 0.0

    def __post_init__(self) -> None:
        for instant in (self.since, self.until):
            if instant is not None and instant.tzinfo is None:
                raise SearchQueryError(f"{instant.isoformat()} needs a time zone")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise SearchQueryError("the stretch of time ends before it begins")

    @property
    def is_open(self) -> bool:
        """Whether it holds for everyone."""
        return self == PeopleFilter()


EVERYONE = PeopleFilter()
