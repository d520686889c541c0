"""The header of every room: the site, the rooms, how the system stands, the time."""

from collections.abc import Mapping

from consumers.access.identity import Identity
from consumers.web.address import ALERTS, CAMERAS, LIVE, RULES, SEARCH, SYSTEM
from consumers.web.components.words import Words, icon
from consumers.web.schemas import StatusShape
from consumers.web.wording import count

ROOMS = {
    LIVE: ("Live", "groups"),
    ALERTS: ("Alerts", "notifications"),
    SEARCH: ("Search", "search"),
    CAMERAS: ("Cameras", "videocam"),
    RULES: ("Rules", "rule"),
    SYSTEM: ("System", "dns"),
}
LIGHTS: Mapping[str, tuple[str, str]] = {  # level -> drawing, and what it says to a screen reader
    "good": ("check_circle", "All is well"),
    "behind": ("schedule", "Behind"),
    "down": ("error", "Something is wrong"),
}


class Header:
    """Shows what it is told; asks nothing itself."""

    def __init__(self, site_name: str, identity: Identity, *, is_dark: bool) -> None:
        """Stand at the top; `identity` is who looks."""
        with Words("header", "", "top"):
            Words("span", site_name, "site")
            with Words("nav", "", "rooms", aria_label="Rooms"):
                self._links = {room: self._link(room) for room in ROOMS}
                self._unread: Words | None = None
            with Words("div", "", "rest"):
                with Words("div", "", "light", role="status") as self._light:
                    self._drawing = icon("hourglass_empty")
                    self._words = Words("span", "Asking how things stand", "words-of-light")
                self._clock = Words("span", "", "clock")
                _theme_button("light" if is_dark else "dark")
                _who(identity)
                with Words("button", "", "act plain keyboard-only", aria_label="Keys", title="Keys (?)") as self.keys:
                    icon("keyboard")

    def tell_time(self, words: str) -> None:
        """Show the time of day."""
        self._clock.set_text(words)

    def stand(self, status: StatusShape) -> None:
        """Show how the system stands."""
        drawing, title = LIGHTS[status.level]
        self._light.classes(replace=f"light {status.level}")
        self._drawing.set_text(drawing)
        self._words.set_text(status.reason)
        self._light.attributes(title=f"{title}: {status.reason}")
        self._light.update()

    def enter(self, room: str) -> None:
        """Mark the room one is in."""
        for address, link in self._links.items():
            if address == room:
                link.attributes(aria_current="page")
            else:
                link.props.pop("aria-current", None)
            link.update()

    @staticmethod
    def _link(room: str) -> Words:
        name, drawing = ROOMS[room]
        with Words("a", "", href=room) as link:
            icon(drawing)
            Words("span", name)
        return link

    def count_alerts(self, number: int) -> None:
        """Show how many alerts nobody has acknowledged yet."""
        if self._unread is None:
            with self._links[ALERTS]:
                self._unread = Words("span", "", "unread")
        self._unread.set_text("99+" if number > 99 else f"{number}")
        self._unread.set_visibility(number > 0)
        self._unread.attributes(title=f"{count(number, 'alert')} that nobody has acknowledged")
        self._unread.update()


def _who(identity: Identity) -> None:
    """Who is signed in, and the way out; while nobody can sign in, what that means."""
    if identity.by == "machine":
        told = "Nobody has to sign in: the page is open to this machine alone. `crewsight user add` ends that."
        with Words("span", "", "who-am-i", title=told):
            icon("computer")
            Words("span", "This machine")
        return
    with Words("span", "", "who-am-i", title=f"Signed in as {identity.name}, {identity.role}"):
        icon("person")
        Words("span", identity.name)
        Words("span", identity.role, "role")
    with (
        Words("form", method="post", action="/sign-out"),
        Words("button", "", "act plain", type="submit", aria_label="Sign out", title="Sign out"),
    ):
        icon("logout")


def _theme_button(other: str) -> None:
    words = f"Switch to {other}"
    with (
        Words("form", method="post", action=f"/theme?to={other}"),
        Words("button", "", "act plain", type="submit", aria_label=words, title=words),
    ):
        icon(f"{other}_mode")
