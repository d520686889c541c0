"""*Search*: one line to type in, and a contact sheet of who is nearest to the words."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from nicegui import ui

from consumers.access.roles import SEARCH as SEARCH_ROLE
from consumers.errors import DeskError, NotPermittedError, PeopleTableError, SearchUnavailableError
from consumers.search.filters import PeopleFilter
from consumers.search.query import By, SearchQuery
from consumers.web.address import CAMERA, PERSON, QUERY, SEARCH, Address
from consumers.web.components import markup
from consumers.web.components.bones import hit_bones
from consumers.web.components.markup import Markup, tag, together
from consumers.web.components.person_card import hit_card, nobody
from consumers.web.components.words import Words, icon, still
from consumers.web.rooms.room import Selection, Surroundings
from consumers.web.schemas import CameraShape, PersonShape, StatusShape
from consumers.web.search.shapes import HitShape, SearchShape
from consumers.web.wording import count
from model.questions import CANNOT_TELL

FIRST, MOST = 24, 192  # hits on the sheet at first, and at most
TRIES = 4  # captions offered as searches


class SearchRoom:
    """One browser's *Search*."""

    path, name = SEARCH, "Search"

    def __init__(self, around: Surroundings) -> None:
        """Lay out the line; `follow` searches."""
        self._around = around
        self._address: Address | None = None
        self._limit = FIRST
        self._is_off = False
        self._people: list[str] = []
        self._cards: list[ui.element] = []
        self._selection = Selection()
        with Words("section", "", "room", tabindex="-1", aria_label="Search"):
            with Words("div", "", "ask") as self._head_of_room:
                Words("h1", "Find a person")
                with Words("div", "", "ask-line", role="search"):
                    self._lay_out_line()
            self._found = Words("div")
        around.feed.stands.subscribe(self._stand)

    def _lay_out_line(self) -> None:
        icon("search")
        self._line = ui.input(placeholder="In words: worker in an orange vest")
        self._line.props('borderless dense clearable autofocus maxlength=500 aria-label="Describe a person"')
        self._line.on("keydown.enter", self._ask, args=[])
        self._line.on("keydown.escape", lambda: self._line.run_method("blur"), args=[])
        self._line.on("clear", self._forget, args=[])
        with ui.element("button").classes("act main").on("click", self._ask):
            Words("span", "Search")

    async def follow(self, address: Address) -> None:
        """Search for the address's words, unless they are on the sheet already."""
        wanted = address.but(**{PERSON: None})
        if wanted == self._address:
            return
        self._address, self._limit = wanted, FIRST
        self._line.set_value(address.get(QUERY) or "")
        await self._search()

    def step(self, by: int) -> None:
        """Select the next or previous person found."""
        self._selection.step(self._cards, by)

    def beside(self, person_id: str, by: int) -> str | None:
        """Who stands next to somebody on the sheet."""
        place = self._people.index(person_id) + by if person_id in self._people else 0
        return self._people[place] if 0 <= place < len(self._people) else None

    def let_go(self) -> None:
        """Select nobody."""
        self._selection.let_go()

    def key(self, name: str) -> None:
        """No key means anything here alone."""

    def write(self) -> None:
        """Put the cursor into the line."""
        self._line.run_method("focus")
        self._line.run_method("select")

    def _ask(self) -> None:
        words = (self._line.value or "").strip()
        if words and self._address:
            self._around.go(self._address.but(**{QUERY: words}))

    def _forget(self) -> None:
        self._around.go(Address(SEARCH))

    async def _search(self) -> None:
        asked = self._address or Address(SEARCH)
        words = asked.get(QUERY)
        self._people, self._cards = [], []
        self._head_of_room.classes(add="alone" if words is None else "", remove="" if words is None else "alone")
        if words is None:
            await self._invite()
            return
        self._wait()
        try:
            who = await self._around.permitted(SEARCH_ROLE)
            found, cameras = await asyncio.gather(
                asyncio.to_thread(self._around.desk.search, self._query(words, asked), by=who.name),
                asyncio.to_thread(self._around.desk.cameras),
            )
        except SearchUnavailableError as error:
            self._is_off = True
            why = f"The indexer is starting, or has stopped ({error.reason}). People already found are still in Live."
            self._say("search_off", "Search does not answer", f"{why} This page asks again by itself.")
            return
        except NotPermittedError as error:
            self._say("lock", "Searching is not yours to do", str(error))
            return
        except PeopleTableError as error:
            self._say("error", "The list of people cannot be read", str(error))
            return
        except DeskError as error:
            self._say("error", "The audit log cannot be written, so nothing is searched", str(error))
            return
        if self._address == asked and not self._found.is_deleted:
            self._show(found, cameras, asked)

    def _query(self, words: str, asked: Address) -> SearchQuery:
        camera = asked.get(CAMERA)
        wanted = PeopleFilter(cameras=frozenset({camera} if camera else ()))
        return SearchQuery(words, by=By.PICTURE, filter=wanted, k=self._limit)

    def _wait(self) -> None:
        self._found.clear()
        with self._found, Words("div", "", "sheet-of-hits"):
            still(hit_bones(12))

    def _say(self, drawing: str, title: str, why: str) -> None:
        if not self._found.is_deleted:
            self._found.clear()
            with self._found:
                nobody(drawing, title, why)

    def _show(self, found: SearchShape, cameras: tuple[CameraShape, ...], asked: Address) -> None:
        self._is_off = False
        self._found.clear()
        now = self._around.look.now()
        with self._found:
            still(together(unknown_words(found), results_head(found, cameras, asked)))
            if not found.hits:
                nobody("person_search", "Nobody is found", why_nobody(asked, cameras))
                return
            with Words("div", "", "sheet-of-hits"):
                for rank, (hit, sightings) in enumerate(one_a_person(found.hits), start=1):
                    address = asked.but(**{PERSON: hit.person.person_id})
                    self._cards.append(hit_card(hit, rank, sightings, str(address), now))
                    self._people.append(hit.person.person_id)
            if len(found.hits) == self._limit < MOST:
                self._offer_more()

    def _offer_more(self) -> None:
        with Words("div", "", "older"), ui.element("button").classes("act").on("click", self._more):
            icon("expand_more")
            Words("span", "Show more")

    async def _more(self) -> None:
        self._limit = min(MOST, self._limit * 2)
        await self._search()

    async def _invite(self) -> None:
        """Before anything is asked: what can be asked, in the words of people who were seen."""
        try:
            newest = await asyncio.to_thread(self._around.desk.newest, 60)
        except PeopleTableError:
            captions: list[str] = []
        else:
            captions = tellable(newest.people)[:TRIES]
        if self._found.is_deleted:
            return
        self._found.clear()
        with self._found:
            still(invitation(captions))

    async def _stand(self, status: StatusShape) -> None:
        if self._is_off and status.search_answers:
            self._is_off = False
            await self._search()


def one_a_person(hits: Sequence[HitShape]) -> list[tuple[HitShape, int]]:
    """The best hit of each chain, and how many of its sightings were found."""
    best: dict[str, HitShape] = {}
    for hit in hits:
        best.setdefault(hit.person.chain_id, hit)
    sightings = Counter(hit.person.chain_id for hit in hits)
    return [(hit, sightings[chain]) for chain, hit in best.items()]


def tellable(people: Sequence[PersonShape]) -> list[str]:
    """The captions, each once, of people of whom something could be told."""
    told = (p.caption for p in people if p.caption and any(a.answer != CANNOT_TELL for a in p.answers))
    return list(dict.fromkeys(told))


def invitation(captions: Sequence[str]) -> Markup:
    """Searches that one click asks."""
    words = "Seen lately:" if captions else "Nobody has been seen yet. People can be found once they are in Live."
    links = (tag("li", tag("a", c, href=str(Address(SEARCH, {QUERY: c.rstrip(".")})))) for c in captions)
    return tag("div", tag("p", words), tag("ul", *links), class_="tries")


def unknown_words(found: SearchShape) -> Markup:
    """Which words count for nothing."""
    if not found.unknown_words:
        return Markup()
    words = ", ".join(f"“{word}”" for word in found.unknown_words)
    told = (
        f"The model has not learnt {words}. What you see goes by the other words, if there are any: judge it with care."
    )
    return tag("p", markup.icon("warning"), tag("span", told), class_="note warn")


def results_head(found: SearchShape, cameras: Sequence[CameraShape], asked: Address) -> Markup:
    """How many were found, and one filter a camera."""
    many = f"{count(len(one_a_person(found.hits)), 'person', 'people')}, nearest first"
    filters = (
        tag(
            "a",
            name or "All cameras",
            href=str(asked.but(**{CAMERA: name})),
            aria_current="true" if name == asked.get(CAMERA) else None,
        )
        for name in (None, *(camera.camera_id for camera in cameras))
    )
    return tag(
        "div",
        tag("h2", tag("span", many, role="status"), class_="sum"),
        tag("nav", *filters, class_="filters", aria_label="Cameras") if len(cameras) > 1 else Markup(),
        class_="room-head",
    )


def why_nobody(asked: Address, cameras: tuple[CameraShape, ...]) -> str:
    """Why a search found nobody."""
    if not sum(camera.people for camera in cameras):
        return "No people have been seen yet. They become searchable as soon as they appear in Live."
    if asked.get(CAMERA):
        return f"The camera '{asked.get(CAMERA)}' has seen nobody. Try all cameras."
    return "Nobody is in the index yet. Ask again in a moment."
