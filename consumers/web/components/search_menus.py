"""The row of a search's menus: links where one click chooses, fields where something is typed."""

from collections.abc import Callable
from datetime import datetime, tzinfo

from nicegui import ui

from consumers.web.address import DESCRIBED, SINCE, UNTIL, ZONE, Address, packed, unpacked
from consumers.web.components.alert_filters import instant_of
from consumers.web.components.search_filters import (
    Offered,
    answer_menu,
    by_menu,
    camera_menu,
    chip_row,
    chips_of,
    moved,
    sure_menu,
    time_links,
)
from consumers.web.components.time_menu import SPANS
from consumers.web.components.words import Words, icon, still
from consumers.web.search.search_address import zone_asked

TYPED = "14:30, 8h or 2026-03-01 14:30"


class SearchMenus:
    """Draws menus and chips anew for each address; `go` follows what is typed."""

    def __init__(self, zone: tzinfo, go: Callable[[Address], None]) -> None:
        """Stand here; `zone` is the site's."""
        self._zone, self._go = zone, go
        self._address = Address()
        self._row = Words("div", "", "search-filters", role="group", aria_label="Filters")
        self._held = Words("div", "", "still")

    def show(self, address: Address, offered: Offered, now: datetime) -> None:
        """Offer what can be filtered by, and say what is."""
        self._address = address
        self._row.clear()
        self._held.clear()
        with self._row:
            still(camera_menu(address, offered))
            self._lay_out_time(now)
            still(answer_menu(address, offered))
            self._lay_out_words()
            still(sure_menu(address))
            still(by_menu(address))
        with self._held:
            still(chip_row(chips_of(address, offered, now, self._zone)))

    def _lay_out_time(self, now: datetime) -> None:
        address, zone = self._address, zone_asked(self._address, self._zone)
        is_on = bool(address.get(SINCE) or address.get(UNTIL))
        with _menu("Time", is_on=is_on), Words("div", "", "choices form"):
            still(time_links(address))
            with Words("div", "", "typed"):
                since, until = (_field(word, _typed(address.get(part), now, zone)) for word, part in WORDS)
                zones = dict.fromkeys((str(self._zone), str(zone), "UTC"))
                chosen = ui.select(list(zones), value=str(zone), label="Time zone").props(
                    "dense borderless options-dense"
                )

                def follow() -> None:
                    stated = None if chosen.value == str(self._zone) else chosen.value
                    told = {SINCE: since.value or None, UNTIL: until.value or None, ZONE: stated}
                    asked = Address(address.room, {ZONE: stated} if stated else {})
                    for field in (since, until):
                        said = field.value
                        is_time = not said or instant_of(said, now, zone_asked(asked, self._zone)) is not None
                        field.error = None if is_time else f"Write {TYPED}"
                    if since.error or until.error:
                        return
                    self._go(moved(address, **told))

                for field in (since, until):
                    field.on("keydown.enter", follow, args=[])
                with Words("button", "", "act main").on("click", follow):
                    Words("span", "Apply")

    def _lay_out_words(self) -> None:
        address = self._address
        words = unpacked(address.get(DESCRIBED))
        with (
            _menu("Described", is_on=bool(words), number=len(words)),
            Words("div", "", "choices form"),
            Words("div", "", "typed"),
        ):
            field = _field("Word in the description", "")

            def follow() -> None:
                added = [word for word in (field.value or "").lower().split() if word not in words]
                if added:
                    self._go(moved(address, **{DESCRIBED: packed((*words, *added))}))

            field.on("keydown.enter", follow, args=[])
            with Words("button", "", "act main").on("click", follow):
                Words("span", "Add")


WORDS = (("Since", SINCE), ("Until", UNTIL))


def _typed(said: str | None, now: datetime, zone: tzinfo) -> str:
    """An instant of the address as one would type it in that zone."""
    instant = instant_of(said, now, zone)
    if said is None or said in SPANS or instant is None or "T" not in said:
        return "" if said in SPANS else said or ""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def _field(words: str, value: str) -> ui.input:
    return ui.input(label=words, value=value).props("dense borderless maxlength=60 hide-bottom-space autocomplete=off")


def _menu(words: str, *, is_on: bool, number: int = 1) -> Words:
    menu = Words("details", "", "menu on" if is_on else "menu", name="filter")
    with menu, Words("summary", "", "act"):
        Words("span", words)
        if is_on:
            Words("span", f"{number}", "many")
        icon("arrow_drop_down")
    return menu
