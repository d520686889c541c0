"""From the address of *Search* to what is asked: the query, what can be kept of it, and what it goes by."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

from consumers.errors import SearchQueryError
from consumers.search.query import SearchQuery
from consumers.web.address import FRAME, LIKE, PICTURE, VIEW, Address
from consumers.web.components.search_filters import TIMELINE, Chip
from consumers.web.components.search_words import MOST_TRIED, thumbnail
from consumers.web.rooms.room import Surroundings
from consumers.web.search.search_address import example_of, is_asking, saved_of, search_of
from consumers.web.search.shapes import SavedAsked

PAGE, TIMELINE_PAGE = 24, 96  # hits at once


@dataclass(frozen=True, slots=True)
class Example:
    """What a search by example goes by: the address of a picture of it, and words."""

    image: str
    words: str


class AddressedSearch:
    """Reads addresses for one browser; its methods block, but for `savable`."""

    def __init__(self, around: Surroundings) -> None:
        """Ask with the services of `around`."""
        self._around = around

    def query(self, asked: Address) -> SearchQuery:
        """The query of an address.

        Raises:
            SearchQueryError, NotSeenError, PeopleTableError: As `Asking.query`.
        """
        now = self._around.look.now()
        stated = search_of(asked, now.instant, now.zone)
        name = asked.get(PICTURE)
        if example_of(asked) == PICTURE and name:
            picture = self._around.services.pictures.get(name)
            if picture is None:
                raise SearchQueryError("the picture of this search is no longer kept; upload it again")
            stated = stated.model_copy(update={"picture": base64.b64encode(picture).decode()})
        k = TIMELINE_PAGE if asked.get(VIEW) == TIMELINE else PAGE
        return replace(self._around.services.asking.query(stated), k=k)

    def example(self, asked: Address, query: SearchQuery) -> Example | None:
        """What the query goes by; None: by words, or by nothing that there is any more.

        Raises:
            PeopleTableError: The table cannot be read.
        """
        kind = example_of(asked)
        if kind == LIKE and query.like is not None:
            person = self._around.desk.person(query.like)
            if person is not None:
                return Example(person.crop.url, f"{person.caption} Camera {person.camera_id}.")
        elif query.picture is not None:
            image = thumbnail(query.picture)
            words = "A picture that was uploaded." if kind == PICTURE else "A box drawn on a frame."
            return Example(image, words) if image else None
        return None

    def numbers_without(self, chips: Sequence[Chip]) -> list[int]:
        """How many would be found without each of the filters.

        Raises:
            ConsumerError: They cannot be searched for.
        """
        queries = [replace(self.query(chip.without), k=MOST_TRIED) for chip in chips]
        return [self._around.desk.number_found(query) for query in queries]

    def savable(self, asked: Address | None) -> SavedAsked | None:
        """The search of an address, as it can be kept; None: it asks for nothing, or needs a picture."""
        if asked is None or not is_asking(asked) or example_of(asked) in (PICTURE, FRAME):
            return None
        now = self._around.look.now()
        return saved_of(search_of(asked, now.instant, now.zone))
