"""*Live*: people as they arrive. Nothing jumps: while one reads, newcomers wait for a click."""

import asyncio
import time

from nicegui import background_tasks, ui

from consumers.errors import PeopleTableError
from consumers.web.address import CAMERA, LIVE, PERSON, SEARCH, Address
from consumers.web.components import markup
from consumers.web.components.bones import person_bones
from consumers.web.components.markup import Markup, tag, together
from consumers.web.components.person_card import PersonCard, nobody
from consumers.web.components.words import Words, icon, still
from consumers.web.rooms.room import Selection, Surroundings
from consumers.web.schemas import CameraShape, PeopleShape, PersonShape, StatusShape
from consumers.web.wording import count

PAGE = 60  # people fetched at a time
MOST_SHOWN = 240  # cards kept on the page; older ones are one click away
POINTER_RESTS_S = 4.0  # a pointer that moved over the list this recently is about to click
TICK_S = 5.0
SCROLLED_PX = 24  # less is a finger that rests
PATIENCE_S = 10.0  # of a browser that is busy


class LiveRoom:
    """One browser's *Live*."""

    path, name = LIVE, "Live"

    def __init__(self, around: Surroundings) -> None:
        """Lay the room out with the shape of what comes; `follow` fills it."""
        self._around = around
        self._camera: str | None = None
        self._cards: dict[str, PersonCard] = {}  # by chain
        self._order: list[str] = []  # chains, newest first
        self._waiting: dict[str, list[PersonShape]] = {}  # chains that wait for a click
        self._before: int | None = None
        self._known_cameras: set[str] = set()
        self._is_loaded = self._has_failed = self._is_scrolled = False
        self._pointer_moved_at = 0.0
        self._selection = Selection()
        self._lay_out()
        around.feed.arrived.subscribe(self._arrive)
        around.feed.stands.subscribe(self._stand)
        ui.timer(TICK_S, self._tick)

    def _lay_out(self) -> None:
        with Words("section", "", "room", tabindex="-1", aria_label="Live") as self._room:
            with Words("div", "", "news"):
                self._news = ui.element("button").classes("act main").on("click", self._show_waiting)
                with self._news:
                    icon("arrow_upward")
                    self._news_words = Words("span", "", "")
            self._news.set_visibility(False)
            with Words("div", "", "room-head"):
                Words("h1", "Live")
                self._sum = Words("span", "", "sum")
                self._filters = Words("nav", "", "filters", aria_label="Cameras")
            if self._around.look.is_demo:
                still(_demo_note())
            self._people = Words("div", "", "people")
            with self._people:
                still(person_bones(6))
            self._below = Words("div", "", "older")
        self._room.on("scroll", self._scrolled, args=[], throttle=0.3)
        self._people.on("mousemove", self._pointed, args=[], throttle=1.0, trailing_events=False)

    async def follow(self, address: Address) -> None:
        """Show the people of the address's camera, or of all."""
        camera = address.get(CAMERA)
        if self._is_loaded and camera == self._camera:
            return
        self._camera, self._is_loaded = camera, False
        await self._load()

    def step(self, by: int) -> None:
        """Select the next or previous person."""
        self._selection.step([self._cards[chain].element for chain in self._order], by)

    def beside(self, person_id: str, by: int) -> str | None:
        """Who stands next to somebody."""
        shown = [self._cards[chain].person.person_id for chain in self._order]
        place = shown.index(person_id) + by if person_id in shown else 0
        return shown[place] if 0 <= place < len(shown) else None

    def let_go(self) -> None:
        """Select nobody; whoever waits comes in if nothing else holds them."""
        self._selection.let_go()

    def key(self, name: str) -> None:
        """No key means anything here alone."""

    def write(self) -> None:
        """Words are written in *Search*."""
        self._around.go(Address(SEARCH))

    async def _load(self) -> None:
        try:
            page, cameras, status = await asyncio.gather(
                asyncio.to_thread(self._around.desk.newest, PAGE, camera=self._camera),
                asyncio.to_thread(self._around.desk.cameras),
                asyncio.to_thread(self._around.desk.status),
            )
        except PeopleTableError as error:
            self._has_failed = True
            self._say(("error", "The list of people cannot be read", f"{error}. This page asks again by itself."))
            return
        if self._room.is_deleted:
            return
        self._has_failed = False
        self._clear()
        self._stand(status)
        self._offer(cameras)
        self._is_loaded = True
        if page.people:
            self._append(page)
        else:
            self._say(why_empty(self._camera, cameras, is_demo=self._around.look.is_demo))

    def _clear(self) -> None:
        self._people.clear()
        self._below.clear()
        self._cards.clear()
        self._order.clear()
        self._waiting.clear()
        self._announce()

    def _say(self, words: tuple[str, str, str]) -> None:
        self._people.clear()
        self._below.clear()
        with self._below:
            nobody(*words)

    def _append(self, page: PeopleShape) -> None:
        """Add older people below."""
        for person in page.people:
            if not self._is_known(person):
                self._enter(person, at_top=False)
        self._offer_older(page.before)

    def _offer_older(self, before: int | None) -> None:
        """A click goes on behind this cursor; None: nobody is older than who is shown."""
        self._before = before
        self._below.clear()
        if before is not None:
            with self._below, ui.element("button").classes("act").on("click", self._show_older):
                icon("expand_more")
                Words("span", "Show older")

    def _is_known(self, person: PersonShape) -> bool:
        """Whether the chain has its card already; if so, the card hears of the sighting."""
        card = self._cards.get(person.chain_id)
        if card is not None:
            card.add_sighting(person, self._around.look.now())
        return card is not None

    def _enter(self, person: PersonShape, *, at_top: bool) -> None:
        address = Address(LIVE, {CAMERA: self._camera} if self._camera else {}).but(**{PERSON: person.person_id})
        with self._people:
            card = PersonCard(person, str(address), self._around.look.now(), is_fresh=at_top)
        if at_top:
            card.element.move(self._people, target_index=0)
        self._cards[person.chain_id] = card
        self._order.insert(0 if at_top else len(self._order), person.chain_id)

    def _arrive(self, people: list[PersonShape]) -> None:
        """Newcomers, newest first."""
        if not self._is_loaded:
            return  # loading will find them in the table
        for person in reversed(people):
            if self._camera not in (None, person.camera_id) or self._is_known(person):
                continue
            self._waiting.setdefault(person.chain_id, []).append(person)
        if {person.camera_id for person in people} - self._known_cameras:
            background_tasks.create(self._look_for_cameras(), context=self._room)
        self._let_in()

    def _let_in(self) -> None:
        """Show who waits, unless somebody is reading."""
        if self._is_held:
            self._announce()
        else:
            self._show_waiting()

    @property
    def _is_held(self) -> bool:
        is_pointed_at = time.monotonic() - self._pointer_moved_at < POINTER_RESTS_S
        return bool(self._cards) and (
            self._is_scrolled or self._selection.is_made or is_pointed_at or self._around.is_busy()
        )

    def _announce(self) -> None:
        self._news.set_visibility(bool(self._waiting))
        self._news_words.set_text(f"{len(self._waiting)} new")

    def _show_waiting(self) -> None:
        if self._waiting and not self._cards:
            self._below.clear()  # the words that said why the list was empty
        for sightings in self._waiting.values():
            self._enter(sightings[0], at_top=True)
            for later in sightings[1:]:
                self._is_known(later)
        if self._waiting and self._is_scrolled:
            self._room.run_method("scrollTo", 0, 0)
            self._is_scrolled = False
        self._waiting.clear()
        self._announce()
        self._cut()

    def _cut(self) -> None:
        """Take away the oldest of too many; *Show older* brings them back."""
        if len(self._order) <= MOST_SHOWN:
            return
        for chain in self._order[MOST_SHOWN:]:
            self._cards.pop(chain).element.delete()
        del self._order[MOST_SHOWN:]
        self._offer_older(self._cards[self._order[-1]].person.id)

    async def _show_older(self) -> None:
        before = self._before
        page = await asyncio.to_thread(self._around.desk.newest, PAGE, before=before, camera=self._camera)
        if before == self._before:  # else the list ends elsewhere by now, and the page would leave people out
            self._append(page)

    async def _scrolled(self) -> None:
        try:
            top_px = await self._room.get_computed_prop("scrollTop", timeout=PATIENCE_S)
        except TimeoutError:
            return  # the browser is gone
        self._is_scrolled = (top_px or 0) > SCROLLED_PX
        self._let_in()

    def _pointed(self) -> None:
        self._pointer_moved_at = time.monotonic()

    def _tick(self) -> None:
        now = self._around.look.now()
        for card in self._cards.values():
            card.tell_time(now)
        if self._waiting:
            self._let_in()

    def _stand(self, status: StatusShape) -> None:
        seen = count(status.people, "person", "people")
        self._sum.set_text(f"{seen} in all" if self._camera else f"{seen} in {count(status.segments, 'clip')}")
        if self._has_failed:
            self._has_failed = False
            background_tasks.create(self._load(), context=self._room)

    async def _look_for_cameras(self) -> None:
        self._offer(await asyncio.to_thread(self._around.desk.cameras))

    def _offer(self, cameras: tuple[CameraShape, ...]) -> None:
        """One filter a camera."""
        self._known_cameras = {camera.camera_id for camera in cameras}
        self._filters.clear()
        if len(cameras) < 2 and self._camera is None:
            return
        named = (
            _filter(c.camera_id, c.people, Address(LIVE, {CAMERA: c.camera_id}), is_on=c.camera_id == self._camera)
            for c in cameras
        )
        with self._filters:
            still(together(_filter("All cameras", None, Address(LIVE), is_on=self._camera is None), *named))


def why_empty(camera: str | None, cameras: tuple[CameraShape, ...], *, is_demo: bool) -> tuple[str, str, str]:
    """A drawing, a title and the reason why nobody is shown."""
    sent = [seen.camera_id for seen in cameras if camera in (None, seen.camera_id)]
    if sent:
        names = " and ".join(f"'{name}'" for name in sent) if len(sent) < 4 else f"{len(sent)} cameras"
        return "groups", "No people yet", f"Video has come from {names}, and nobody was in it."
    if camera is not None:
        return "videocam_off", "No people yet", f"The camera '{camera}' has sent nothing."
    if is_demo:
        return (
            "hourglass_empty",
            "The demo is starting",
            ("The footage is being cut and looked at. The first person appears here within a minute."),
        )
    return (
        "videocam_off",
        "No people yet",
        (
            "No camera has sent anything. Add one in Cameras, or name files or folders under 'sources' in "
            "crewsight.yaml and start 'crewsight up'; people appear here as they are found."
        ),
    )


def _demo_note() -> Markup:
    words = (
        "This is demonstration footage, made from two pictures of people. To watch your own, name files or folders "
        "under 'sources' in crewsight.yaml and start 'crewsight up --config crewsight.yaml'."
    )
    return tag("p", markup.icon("movie"), tag("span", words), class_="note")


def _filter(name: str, people: int | None, address: Address, *, is_on: bool) -> Markup:
    many = Markup() if people is None else tag("span", f"{people}", class_="many")
    return tag("a", tag("span", name), many, href=str(address), aria_current="true" if is_on else None)
