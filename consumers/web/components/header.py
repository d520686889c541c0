"""The header of every room: the site, the rooms, how the system stands, the time."""

from collections.abc import Mapping

from consumers.web.address import LIVE, SEARCH
from consumers.web.components.words import Words, icon
from consumers.web.schemas import StatusShape

ROOMS = {LIVE: ("Live", "groups"), SEARCH: ("Search", "search")}
LIGHTS: Mapping[str, tuple[str, str]] = {  # level -> drawing, and what it says to a screen reader
    "good": ("check_circle", "All is well"),
    "behind": ("schedule", "Behind"),
    "down": ("error", "Something is wrong"),
}


class Header:
    """Shows what it is told; asks nothing itself."""

    def __init__(self, site_name: str, *, is_dark: bool) -> None:
        """Stand at the top."""
        with Words("header", "", "top"):
            Words("span", site_name, "site")
            with Words("nav", "", "rooms", aria_label="Rooms"):
                self._links = {room: self._link(room) for room in ROOMS}
            with Words("div", "", "rest"):
                with Words("div", "", "light", role="status") as self._light:
                    self._drawing = icon("hourglass_empty")
                    self._words = Words("span", "Asking how things stand", "words-of-light")
                self._clock = Words("span", "", "clock")
                _theme_button("light" if is_dark else "dark")
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


def _theme_button(other: str) -> None:
    words = f"Switch to {other}"
    with (
        Words("form", method="post", action=f"/theme?to={other}"),
        Words("button", "", "act plain", type="submit", aria_label=words, title=words),
    ):
        icon(f"{other}_mode")
