"""One search: what somebody looks like, in words or by example, and who is looked for at all. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

from consumers.errors import SearchQueryError
from consumers.search.filters import EVERYONE, PeopleFilter

MOST_HITS = 1000


class By(StrEnum):
    """What words are compared with."""

    PICTURE = "picture"  # the people's embeddings
    DESCRIPTION = "description"  # captions and answers, by full text
    BOTH = "both"  # the two rankings, fused


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is searched for: `words`, somebody `like` (a person_id), or a `picture` (JPEG or PNG); nothing: the newest.

    Raises:
        SearchQueryError: More than one example or words beside one, or `k` outside 1..1000.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    words: str = ""
    like: str | None = None
    picture: bytes | None = None
    by: By = By.BOTH
    filter: PeopleFilter = EVERYONE
    k: int = 24
    after: str | None = None  # the cursor of the page before

    def __post_init__(self) -> None:
        if sum((bool(self.words), self.like is not None, self.picture is not None)) > 1:
            raise SearchQueryError("search by words, by a person or by a picture: one at a time")
        if not 1 <= self.k <= MOST_HITS:
            raise SearchQueryError(f"k must be in 1..{MOST_HITS}, got {self.k}")
