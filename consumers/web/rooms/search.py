"""*Search*: one line to type in, filters as chips, and whoever is found as a contact sheet or by camera and time."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

from nicegui import background_tasks, ui

from consumers.access.roles import EXPORT
from consumers.access.roles import SEARCH as SEARCH_ROLE
from consumers.errors import ConsumerError, PeopleTableError, SearchUnavailableError
from consumers.search.query import SearchQuery
from consumers.web.address import LIKE, PERSON, PICTURE, QUERY, SEARCH, VIEW, Address
from consumers.web.components.export_bar import ExportBar
from consumers.web.components.hit_sheet import HitSheet
from consumers.web.components.markup import Markup, tag, together
from consumers.web.components.person_card import nobody
from consumers.web.components.saved_searches import SavedSearches
from consumers.web.components.search_filters import TIMELINE, Offered, chips_of, layouts, moved
from consumers.web.components.search_line import SearchLine
from consumers.web.components.search_menus import SearchMenus
from consumers.web.components.search_words import (
    example,
    invitation,
    no_hits,
    results_words,
    tellable,
    unknown_words,
)
from consumers.web.components.words import Words, icon, still
from consumers.web.rooms.addressed_search import AddressedSearch
from consumers.web.rooms.room import Selection, Surroundings
from consumers.web.rooms.search_faults import fault_of
from consumers.web.schemas import StatusShape
from consumers.web.search.search_address import EXAMPLES, is_asking
from consumers.web.search.shapes import SavedAsked, SearchShape

SEEN_LATELY = 60


class SearchRoom:
    """One browser's *Search*."""

    path, name = SEARCH, "Search"

    def __init__(self, around: Surroundings) -> None:
        """Lay out the line; `follow` searches."""
        self._around, self._asked = around, AddressedSearch(around)
        self._address: Address | None = None
        self._query: SearchQuery | None = None  # of the page that is shown: further pages are asked with the same
        self._next: str | None = None
        self._is_off = False
        self._selection = Selection()
        with Words("section", "", "room searching", tabindex="-1", aria_label="Search") as self._room:
            with Words("div", "", "ask") as self._ask:
                Words("h1", "Find a person")
                self._line = SearchLine(self._ask_words, self._ask_picture)
                self._example = Words("div", "", "still")
                self._menus = SearchMenus(around.look.zone, around.go)
            with Words("div", "", "room-head results-head") as self._head:
                with Words("h2", "", "sum"):
                    self._sum = Words("span", "", role="status")
                with Words("div", "", "head-acts"):
                    self._layouts = Words("div", "", "still")
                    self._saved = SavedSearches(around, self._savable)
            self._notes = Words("div")
            self._sheet = HitSheet(around.look.now, self._picked, may_pick=around.identity.may(EXPORT))
            self._rest = Words("div")
            self._export = ExportBar(around, self._sheet.pick_all, self._sheet.pick_none)
        around.feed.stands.subscribe(self._stand)

    # What the page asks of a room

    async def follow(self, address: Address) -> None:
        """Search for what the address asks, unless it is on the sheet already."""
        wanted = address.but(**{PERSON: None})
        if wanted == self._address:
            return
        self._address = wanted
        self._line.show(address.get(QUERY) or "")
        await self._search()

    def step(self, by: int) -> None:
        """Select the next or previous person found."""
        self._selection.step(self._sheet.links, by)

    def beside(self, person_id: str, by: int) -> str | None:
        """Who stands next to somebody on the sheet."""
        people = self._sheet.people
        place = people.index(person_id) + by if person_id in people else -1
        return people[place] if 0 <= place < len(people) else None

    def let_go(self) -> None:
        """Select nobody; then choose nobody."""
        if self._selection.is_made:
            self._selection.let_go()
        else:
            self._sheet.pick_none()

    def write(self) -> None:
        """Put the cursor into the line."""
        self._line.focus()

    def key(self, name: str) -> None:
        """Choose (x), export (e), more like the selected one (m), sheet or timeline (t), more (n)."""
        index = self._selection.index
        is_on_one = self._selection.is_made and index is not None and index < len(self._sheet.groups)
        group = self._sheet.groups[index or 0] if is_on_one else None
        if name == "x" and group is not None and self._around.identity.may(EXPORT):
            self._sheet.pick(group)
        elif name == "m" and group is not None:
            self._around.go(Address(SEARCH, {LIKE: group.best.person.person_id}))
        elif name == "t" and self._address is not None and is_asking(self._address):
            view = None if self._address.get(VIEW) == TIMELINE else TIMELINE
            self._around.go(moved(self._address, **{VIEW: view}))
        elif name == "e":
            self._later(self._export.begin())
        elif name == "n" and self._next is not None:
            self._later(self._more())

    def _later(self, doing: Coroutine[object, object, None]) -> None:
        background_tasks.create(doing, context=self._room)

    # Asking

    def _ask_words(self, words: str) -> None:
        """Search for words instead of whatever is searched for, with the filters as they are."""
        if self._address is not None:
            self._around.go(moved(self._address, **{**dict.fromkeys(EXAMPLES), QUERY: words or None}))

    async def _ask_picture(self, picture: bytes) -> None:
        name = self._around.services.pictures.keep(picture)
        address = self._address or Address(SEARCH)
        self._around.go(moved(address, **{**dict.fromkeys(EXAMPLES), PICTURE: name}))

    async def _search(self) -> None:
        asked = self._address or Address(SEARCH)
        self._query, self._next, self._is_off = None, None, False
        self._selection.let_go()
        self._ask.classes(add="" if is_asking(asked) else "alone", remove="alone" if is_asking(asked) else "")
        for place in (self._notes, self._rest, self._example):
            place.clear()
        await asyncio.gather(self._offer(asked), self._saved.show())
        if not is_asking(asked):
            self._sum.set_text("")
            await self._invite()
            return
        self._sum.set_text("Searching")
        self._sheet.wait()
        try:
            who = await self._around.permitted(SEARCH_ROLE)
            query = await asyncio.to_thread(self._asked.query, asked)
            await self._show_example(asked, query)
            found = await asyncio.to_thread(self._around.desk.search, query, by=who.name)
        except ConsumerError as error:
            if self._address == asked:
                self._tell_fault(error)
            return
        if self._address == asked and not self._sheet.is_gone:
            self._query = query
            await self._show(found, asked)

    def _tell_fault(self, error: ConsumerError) -> None:
        self._is_off = isinstance(error, SearchUnavailableError)
        fault = fault_of(error)
        self._say(fault.drawing, fault.title, fault.why)

    def _say(self, drawing: str, title: str, why: str, ways_out: Markup = Markup()) -> None:  # noqa: B008 — immutable
        if self._sheet.is_gone:
            return
        self._sum.set_text("")
        self._sheet.clear()
        self._rest.clear()
        with self._rest:
            nobody(drawing, title, why)
            still(tag("div", ways_out, class_="ways-out"))

    # Showing

    async def _offer(self, asked: Address) -> None:
        """Draw the menus, as far as one knows what to offer."""
        services, offered = self._around.services, Offered()
        try:
            cameras, questions, standing = await asyncio.gather(
                asyncio.to_thread(services.desk.cameras),
                asyncio.to_thread(services.desk.questions),
                asyncio.to_thread(services.rules.standing),
            )
        except ConsumerError:
            pass  # the search says what is wrong
        else:
            names = tuple(camera.camera_id for camera in cameras)
            offered = Offered(names, tuple(standing.book.camera_groups), questions)
        self._offered = offered
        if self._room.is_deleted:
            return
        self._menus.show(asked, offered, self._around.look.now().instant)
        self._layouts.clear()
        with self._layouts:
            still(layouts(asked))

    async def _show_example(self, asked: Address, query: SearchQuery) -> None:
        """Say beside the line what a search by example goes by."""
        by = await asyncio.to_thread(self._asked.example, asked, query)
        if by is not None and not self._room.is_deleted:
            self._example.clear()
            with self._example:
                still(example(asked, by.image, by.words))

    async def _show(self, found: SearchShape, asked: Address) -> None:
        with self._notes:
            still(unknown_words(found))
        if not found.hits:
            await self._say_why_nobody(asked)
            return
        self._sheet.show(found.hits, asked)
        self._shown(found)

    def _shown(self, found: SearchShape) -> None:
        """Say how many are on the sheet, and offer those behind them."""
        assert self._address is not None
        self._next = found.next
        self._sum.set_text(results_words(len(self._sheet.groups), has_more=bool(found.next), asked=self._address))
        self._rest.clear()
        if found.next is not None:
            with self._rest, Words("div", "", "older"), ui.element("button").classes("act").on("click", self._more):
                icon("expand_more")
                Words("span", "Show more")
                Words("kbd", "N", "keyboard-only")

    async def _more(self) -> None:
        """The next page of the same search: whoever arrived since belongs to none of its pages."""
        query, after = self._query, self._next
        if query is None or after is None:
            return
        self._next = None  # one page at a time
        try:
            who = await self._around.permitted(SEARCH_ROLE)
            found = await asyncio.to_thread(self._around.desk.search, replace(query, after=after), by=who.name)
        except ConsumerError as error:
            self._next = after
            ui.notify(str(error), type="negative", timeout=8000)
            return
        if self._query is query and not self._sheet.is_gone:
            self._sheet.add(found.hits)
            self._shown(found)

    async def _say_why_nobody(self, asked: Address) -> None:
        """Which filter leaves nobody, found by trying without each."""
        now = self._around.look.now()
        chips = chips_of(asked, self._offered, now.instant, now.zone)
        try:
            numbers, cameras = await asyncio.gather(
                asyncio.to_thread(self._asked.numbers_without, chips), asyncio.to_thread(self._around.desk.cameras)
            )
        except ConsumerError as error:
            self._tell_fault(error)
            return
        if self._address == asked:
            why, ways_out = no_hits(asked, list(zip(chips, numbers, strict=True)), cameras)
            self._say("person_search", "Nobody is found", why, ways_out)

    async def _invite(self) -> None:
        """Before anything is asked: what can be asked, in the words of people who were seen."""
        self._sheet.clear()
        try:
            newest = await asyncio.to_thread(self._around.desk.newest, SEEN_LATELY)
        except PeopleTableError:
            captions: list[str] = []
        else:
            captions = tellable(newest.people)
        if not self._sheet.is_gone and self._address is not None and not is_asking(self._address):
            self._rest.clear()
            with self._rest:
                still(together(invitation(captions)))

    def _picked(self) -> None:
        """What is chosen has changed."""
        self._export.choose(list(self._sheet.picked))

    def _savable(self) -> SavedAsked | None:
        return self._asked.savable(self._address)

    async def _stand(self, status: StatusShape) -> None:
        if self._is_off and status.search_answers:
            await self._search()
