"""From one person to others: where else they may have been, and whoever is in a box drawn on their clip."""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from consumers.access.roles import PLAY, SEARCH
from consumers.errors import ConsumerError
from consumers.web.address import PERSON, Address
from consumers.web.components.frame_box import FrameBox
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.person_card import Now
from consumers.web.components.words import Words, still
from consumers.web.components.words import icon as drawing
from consumers.web.rooms.room import Surroundings
from consumers.web.schemas import PersonDetailShape
from consumers.web.search.shapes import AlsoSeenShape, ElsewhereShape
from consumers.web.wording import count, seen_time

CHAINS = 12
THUMBNAIL_PX = 84
LEVELS = {"likely": ("join_right", "likely"), "possible": ("join_left", "possible")}


class PersonFinding:
    """Two buttons under a person, for whoever may search."""

    def __init__(self, person: PersonDetailShape, around: Surroundings) -> None:
        """Stand under `person`."""
        self._person, self._around = person, around
        if not around.identity.may(SEARCH):
            return
        with Words("div", "", "line"):
            with Words("button", "", "act").on("click", self._where_else):
                drawing("travel_explore")
                Words("span", "Where else")
            if around.identity.may(PLAY):
                with Words("button", "", "act").on("click", self._draw_box):
                    drawing("highlight_alt")
                    Words("span", "Box on this frame")
        self._told = Words("div", "", "verdicts", role="status")

    async def _where_else(self) -> None:
        try:
            who = await self._around.permitted(SEARCH)
            found = await asyncio.to_thread(self._around.desk.elsewhere, self._person.person_id, CHAINS, by=who.name)
        except ConsumerError as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return
        if not self._told.is_deleted:
            self._told.clear()
            with self._told:
                still(elsewhere_list(found, self._around.address(), self._around.look.now()))

    async def _draw_box(self) -> None:
        try:
            # The second at which the clip was stopped; a picture has none.
            second = await ui.run_javascript("document.querySelector('.sheet video')?.currentTime ?? null")
        except TimeoutError:
            second = None
        at_s = self._person.clip.at_s if second is None else float(second)
        await FrameBox(self._person, self._around).open(at_s)


def elsewhere_list(found: ElsewhereShape, here: Address, now: Now) -> Markup:
    """Other chains that look alike, each with how much; never called the same person."""
    if not found.found:
        return tag("p", "Nobody else looks alike.", class_="sum")
    title = tag("h3", f"May be the same person: {count(len(found.found), 'sighting')} elsewhere")
    rows = tag("ul", *_rows(found.found, here, now), class_="elsewhere")
    return tag("div", title, tag("p", icon("info"), tag("span", found.claim), class_="note"), rows)


def _rows(found: Sequence[AlsoSeenShape], here: Address, now: Now) -> list[Markup]:
    return [_row(one, here, now) for one in found]


def _row(one: AlsoSeenShape, here: Address, now: Now) -> Markup:
    person, (mark, words) = one.person, LEVELS[one.level]
    tracks = f", {count(one.tracks, 'clip')}" if one.tracks > 1 else ""
    told = f"Likeness {one.similarity:.2f} of 1"
    length = f"--p:{min(1.0, max(0.0, one.similarity)):.3f}"
    return tag(
        "li",
        tag(
            "a",
            tag("img", src=person.crop.url, alt="", height=THUMBNAIL_PX, loading="lazy"),
            tag(
                "span",
                tag("span", icon(mark), tag("b", words), class_=f"level {one.level}"),
                tag("span", class_="score", role="img", aria_label=told, title=told, style=length),
                tag("span", person.camera_id, class_="camera"),
                tag("span", seen_time(person.first_seen_at, now.zone, now.instant) + tracks, class_="at"),
                class_="words",
            ),
            href=str(here.but(**{PERSON: person.person_id})),
        ),
    )
