"""The page: NiceGUI over the API's desk. The address decides what is shown; the header stays.

One page object a browser tab; the feed is shared by all.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request
from nicegui import app, background_tasks, ui
from nicegui.events import KeyEventArguments
from starlette.responses import RedirectResponse

from consumers.access.gate import Callers, secrets_in
from consumers.access.identity import Identity
from consumers.access.roles import LOOK, PLAY
from consumers.web.address import CAMERA, LIVE, PERSON, QUERY, Address
from consumers.web.components.chime import chime_router
from consumers.web.components.header import ROOMS, Header
from consumers.web.components.keys import KeysDialog
from consumers.web.components.person_card import nobody
from consumers.web.components.person_dialog import PersonDialog
from consumers.web.components.person_finding import PersonFinding
from consumers.web.components.person_rules import PersonRules
from consumers.web.components.words import Words
from consumers.web.feed import Feed
from consumers.web.rooms.alerts import AlertsRoom
from consumers.web.rooms.cameras import CamerasRoom
from consumers.web.rooms.live import LiveRoom
from consumers.web.rooms.room import PageLook, Room, Surroundings
from consumers.web.rooms.rules import RulesRoom
from consumers.web.rooms.search import SearchRoom
from consumers.web.rooms.system import SystemRoom
from consumers.web.schemas import PersonDetailShape
from consumers.web.services import Services
from consumers.web.sign_in import THEME_COOKIE, sign_in_router, theme_style
from consumers.web.who import identity_of, needs
from consumers.web.wording import clock_time

ROOMS_IN_ORDER = (LiveRoom, AlertsRoom, SearchRoom, CamerasRoom, RulesRoom, SystemRoom)
YEAR_S = 365 * 86_400
FAVICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path fill='#5aa0f2' d='M3 0h10a3 3 0 0 1 3 3L3 16a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z'/>"
    "<path fill='#3fb97c' d='M16 3v10a3 3 0 0 1-3 3H3z'/></svg>"
)


def create_page(api: FastAPI, look: PageLook, *, ask_every_s: float = 1.0) -> None:
    """Mount the rooms on an API made by `create_api`; may be called once in a process, as NiceGUI has one app.

    Args:
        api: The API.
        look: What the page says of itself.
        ask_every_s: Seconds between two questions about what is new.
    """
    services: Services = api.state.services
    callers: Callers = api.state.callers
    feed = Feed(services.desk, services.board, every_s=ask_every_s)
    api.include_router(_theme_router())
    api.include_router(chime_router())
    api.include_router(sign_in_router(services.access, look.site_name, callers.forget))
    app.on_startup(lambda: background_tasks.create(feed.run(), name="feed"))
    ui.run_with(
        api,
        root=lambda: Page(services, feed, look, callers).build(),
        title=look.site_name,
        dark=True,
        language="en-US",
        tailwind=False,
        favicon=FAVICON,
        show_welcome_message=False,
        reconnect_timeout=10.0,
    )


class Page:
    """One browser tab."""

    def __init__(self, services: Services, feed: Feed, look: PageLook, callers: Callers) -> None:
        """Know where the tab stands and who looks; `build` shows it."""
        self._services, self._feed, self._look, self._callers = services, feed, look, callers
        self._client = ui.context.client
        self._carried = secrets_in(self._client.request.headers)
        self._identity = identity_of(self._client.request)
        self._address = Address.parse(self._client.sub_pages_router.current_path)
        self._room: Room | None = None

    def build(self) -> None:
        """Header, room, dialogs, keys."""
        self._is_dark = is_dark = self._client.request.cookies.get(THEME_COOKIE) != "light"
        ui.dark_mode(is_dark)
        ui.add_head_html(theme_style(is_dark=is_dark))
        with Words("div", "", "shell"):
            self._header = Header(self._look.site_name, self._identity, is_dark=is_dark)
            self._keys = KeysDialog()
            self._header.keys.on("click", self._keys.toggle)
            self._person = PersonDialog(
                self._services.desk,
                self._look.now,
                self._close_person,
                may_play=self._identity.may(PLAY),
                extra=self._say_more,
            )
            with Words("main", "") as main:
                _Rooms({room.path: self._enter(room) for room in ROOMS_IN_ORDER})
        ui.skip_link("To the people", target=main)
        self._client.sub_pages_router.on_path_changed(self._follow)
        self._feed.stands.subscribe(self._header.stand)
        self._feed.alerted.subscribe(lambda news: self._header.count_alerts(news.waiting))
        self._header.count_alerts(self._feed.waiting)
        if self._feed.status:
            self._header.stand(self._feed.status)
        ui.timer(1.0, self._tell_time)
        ui.keyboard(self._key, ignore=["input", "select", "textarea"], repeating=True)
        self._person.follow(self._address)

    def _enter(self, room_class: Callable[[Surroundings], Room]) -> Callable[[], None]:
        def build() -> None:
            self._room = room_class(self._around)
            self._header.enter(self._room.path)
            self._entitle()
            background_tasks.create(self._room.follow(self._address), context=ui.context.client)

        return build

    @property
    def _around(self) -> Surroundings:
        return Surroundings(
            self._services,
            self._feed,
            self._look,
            self._is_dark,
            self._identity,
            self._who,
            lambda: self._address,
            self._is_busy,
        )

    def _say_more(self, person: PersonDetailShape) -> None:
        PersonFinding(person, self._around)
        PersonRules(person, self._around)

    async def _who(self) -> Identity | None:
        """Who is at this tab now: an act is done in the name and by the role of this moment, not of its opening."""
        return await self._callers.who(self._carried)

    def _follow(self, path: str) -> None:
        """The address changed: the dialog follows at once, the room if it is the same one."""
        self._address = Address.parse(path)
        self._person.follow(self._address)
        if self._room is not None and self._room.path == self._address.room:
            self._entitle()
            background_tasks.create(self._room.follow(self._address), context=self._client)

    def _entitle(self) -> None:
        """Name the browser's tab after what it shows, so that two of them can be told apart."""
        assert self._room is not None
        shown = self._address.get(QUERY) or self._address.get(CAMERA)
        ui.page_title(" · ".join([*([shown] if shown else []), self._room.name, self._look.site_name]))

    def _close_person(self) -> None:
        ui.navigate.to(str(self._address.but(**{PERSON: None})))

    def _is_busy(self) -> bool:
        return self._person.person_id is not None

    def _tell_time(self) -> None:
        now = self._look.now()
        self._header.tell_time(clock_time(now.instant, now.zone))

    def _key(self, event: KeyEventArguments) -> None:
        if not event.action.keydown or self._room is None or event.modifiers.ctrl or event.modifiers.meta:
            return
        match event.key.name:
            case "?":
                self._keys.toggle()
            case _ if self._keys.is_open:
                return
            case "/":
                self._room.write()
            case "j":
                self._step(1)
            case "k":
                self._step(-1)
            case "Escape" if not self._is_busy():
                self._room.let_go()
            case name if not self._is_busy():
                self._room.key(name)

    def _step(self, by: int) -> None:
        assert self._room is not None
        if self._person.person_id is None:
            self._room.step(by)
            return
        beside = self._room.beside(self._person.person_id, by)
        if beside is not None:
            ui.navigate.to(str(self._address.but(**{PERSON: beside})))


class _Rooms(ui.sub_pages):
    """The room that the address names."""

    def _render_404(self) -> None:
        """Say that it names none: NiceGUI's own words are those of its developers."""
        with Words("section", "", "room"):
            nobody("wrong_location", "There is no such room", "Is the address mistyped? Choose a room from the bar.")


def _theme_router() -> APIRouter:
    router = APIRouter()

    @router.post("/theme", include_in_schema=False, dependencies=[needs(LOOK)])
    def choose(to: str, request: Request) -> RedirectResponse:
        """Remember the theme and go back to where it was chosen."""
        came_from = urlsplit(request.headers.get("referer", ""))
        back = Address.parse(f"{came_from.path}?{came_from.query}")
        answer = RedirectResponse(str(back) if back.room in ROOMS else LIVE, status_code=303)
        answer.set_cookie(
            THEME_COOKIE, "light" if to == "light" else "dark", max_age=YEAR_S, samesite="lax", httponly=True
        )
        return answer

    return router
