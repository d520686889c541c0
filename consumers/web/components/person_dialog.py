"""One person in full: the clip at the right second, the crop, every answer, and which model said what."""

import asyncio
from collections.abc import Callable, Mapping

from nicegui import background_tasks, ui

from consumers.access.roles import PLAY
from consumers.errors import PeopleTableError
from consumers.web.address import LIKE, PERSON, SEARCH, Address
from consumers.web.components.answers import answer_lengths
from consumers.web.components.bones import sheet_bones
from consumers.web.components.footage_view import footage_view
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.person_card import Now, crop_image, nobody, time_and_age
from consumers.web.components.words import Words, still
from consumers.web.desk import Desk
from consumers.web.schemas import PersonDetailShape
from consumers.web.wording import lasted, seen_time, time_from
from streamer.bus.media import is_picture_uri
from streamer.bus.messages import TimeOrigin

WHO_HEIGHT_PX = 190
STRIP_HEIGHT_PX = 84
BONES_AFTER_S = 0.4
REVISIONS = {
    "detector": "Found by",
    "answer": "Answered by",
    "caption": "Described by",
    "embedding_space": "Made searchable by",
}


class PersonDialog:
    """The sheet over a room; its address decides whom it shows."""

    def __init__(
        self,
        desk: Desk,
        now: Callable[[], Now],
        on_close: Callable[[], None],
        *,
        may_play: bool,
        extra: Callable[[PersonDetailShape], object],
    ) -> None:
        """Stay closed until somebody is asked for; `may_play`: whether whoever looks may see footage.

        `extra` lays out what else there is to say of a person.
        """
        self._desk, self._now, self._on_close, self._may_play = desk, now, on_close, may_play
        self._extra = extra
        self.person_id: str | None = None
        self._address = Address()
        self._dialog = ui.dialog().props('aria-label="Person"')
        self._dialog.on_value_change(self._changed)
        with self._dialog:
            self._sheet = Words("section", "", "sheet")

    def follow(self, address: Address) -> None:
        """Show whom the address names, or nobody."""
        self._address = address
        person_id = address.get(PERSON)
        if person_id == self.person_id:
            return
        self.person_id = person_id
        if person_id is None:
            self._dialog.close()
            self._sheet.clear()
        else:
            background_tasks.create(self._show(person_id), context=self._sheet)

    async def _show(self, person_id: str) -> None:
        if not self._dialog.value:
            self._await(person_id)
        try:
            person = await asyncio.to_thread(self._desk.person, person_id)
        except PeopleTableError as error:
            person, why = None, str(error)
        else:
            why = "They may have been removed since this address was made."
        if self.person_id != person_id or self._sheet.is_deleted:
            return
        self._sheet.clear()
        with self._sheet:
            if person is None:
                self._head("Nobody here", "")
                nobody("person_off", "There is nobody at this address", why)
            else:
                self._fill(person)
        self._dialog.open()

    def _await(self, person_id: str) -> None:
        """If the person takes a moment to come, show that they will."""

        def show_bones() -> None:
            if self.person_id == person_id and not self._dialog.value:
                with self._sheet:
                    self._head("", "")
                    still(sheet_bones())
                self._dialog.open()

        ui.timer(BONES_AFTER_S, show_bones, once=True)

    def _fill(self, person: PersonDetailShape) -> None:
        now = self._now()
        self._head(f"Camera {person.camera_id}", time_and_age(person.first_seen_at, now))
        with Words("div", "", "sheet-body", tabindex="-1"):
            with Words("div", "", "stage"):
                if self._may_play:
                    footage_view(person)
                else:
                    still(no_footage())
                still(together(strip(person, self._address, now), ledger(person, now)))
            with Words("div", "", "facts"):
                still(together(who(person), answers_in_full(person)))
                self._extra(person)
                still(provenance(person))

    def _head(self, title: str, words: str) -> None:
        with Words("header", "", "sheet-head"):
            Words("h2", title)
            Words("span", words, "sum")
            with Words("div", "", "rest"):
                shut = Words("button", "", "act plain", aria_label="Close", title="Close (Esc)")
                with shut.on("click", self._dialog.close):
                    still(icon("close"))

    def _changed(self) -> None:
        if not self._dialog.value and self.person_id is not None:
            self.person_id = None
            self._sheet.clear()
            self._on_close()


def no_footage() -> Markup:
    """Instead of a clip, for whoever may not play one."""
    return tag("p", icon("lock"), tag("span", f"Playing footage needs the role {PLAY}."), class_="note")


def strip(person: PersonDetailShape, address: Address, now: Now) -> Markup:
    """The other sightings of the same person; nothing when there are none."""
    if len(person.chain) < 2:
        return Markup()
    sightings = (
        tag(
            "a",
            tag("img", src=sighting.crop.url, alt="", height=STRIP_HEIGHT_PX),
            tag("span", seen_time(sighting.first_seen_at, now.zone, now.instant), class_="at"),
            href=str(address.but(person=sighting.person_id)),
            aria_current="true" if sighting.person_id == person.person_id else None,
        )
        for sighting in person.chain
    )
    title = tag("h3", f"The same person in {len(person.chain)} clips")
    return tag("div", title, tag("div", *sightings, class_="strip"))


def who(person: PersonDetailShape) -> Markup:
    """The crop, the caption and the way to others who look alike."""
    alike = Address(SEARCH, {LIKE: person.person_id})
    return tag(
        "div",
        tag("div", crop_image(person.crop, WHO_HEIGHT_PX), class_="crop"),
        tag(
            "div",
            tag("p", person.caption, class_="caption"),
            tag("a", icon("person_search"), tag("span", "More like this"), class_="act", href=str(alike)),
            class_="words",
        ),
        class_="who",
    )


def answers_in_full(person: PersonDetailShape) -> Markup:
    """Every question that was asked of this person."""
    return tag("div", tag("h3", "Answers"), answer_lengths(person.answers)) if person.answers else Markup()


def ledger(person: PersonDetailShape, now: Now) -> Markup:
    """When, and how one knows."""
    first, last = (seen_time(at, now.zone, now.instant) for at in (person.first_seen_at, person.last_seen_at))
    is_picture = is_picture_uri(person.clip.url)
    seen = {"Since": first, "Until": f"{last} ({lasted(person.first_seen_at, person.last_seen_at)})"}
    return entries(
        {
            **({"Taken": first} if is_picture else seen),
            "Time from": time_from(TimeOrigin(person.time_origin), is_picture=is_picture),
            "Picture": f"{person.crop.width_px} × {person.crop.height_px} px",
        }
    )


def provenance(person: PersonDetailShape) -> Markup:
    """Which model said what."""
    said = {words: person.revisions[name] for name, words in REVISIONS.items() if name in person.revisions}
    found = {"Sure it is a person": f"{person.detection_score:.0%}", "Track": person.track_id}
    return tag("details", tag("summary", "Which model said what"), entries({**said, **found}))


def entries(named: Mapping[str, str]) -> Markup:
    """Names and what is said of each."""
    told = (together(tag("dt", name), tag("dd", words)) for name, words in named.items())
    return tag("dl", *told, class_="ledger")
