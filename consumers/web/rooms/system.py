"""*System*: what is wrong and what to do, then processes, queues, dead letters, disks, models."""

import asyncio
from collections.abc import Callable

from nicegui import ui

from consumers.access.roles import ACT, ADMINISTER
from consumers.errors import ConsumerError
from consumers.web.address import SEARCH, SYSTEM, Address
from consumers.web.components.markup import Markup
from consumers.web.components.system_words import (
    about,
    disk_lines,
    finding_list,
    lag_table,
    leg_table,
    letter_body,
    process_table,
    summary,
)
from consumers.web.components.words import Words, button, still
from consumers.web.rooms.room import Surroundings
from consumers.web.system.shapes import DeadLetterShape, SystemShape
from streamer.bus.errors import BusError

LOOK_EVERY_S = 5.0


class SystemRoom:
    """One browser's *System*."""

    path, name = SYSTEM, "System"

    def __init__(self, around: Surroundings) -> None:
        """Lay the room out; `follow` fills it."""
        self._around, self._system = around, around.services.system
        self._letters_shown: tuple[DeadLetterShape, ...] | None = None
        with Words("section", "", "room", tabindex="-1", aria_label="System"):
            with Words("div", "", "room-head"):
                Words("h1", "System")
                self._sum = Words("span", "Asking every process…", "sum", role="status")
            self._findings = still(Markup())
            with Words("div", "", "panels"):
                self._panels: dict[str, tuple[ui.html, Callable[[SystemShape], Markup]]] = {
                    "Processes": (self._panel("Processes", "wide"), lambda s: process_table(s.processes)),
                    "Queues": (self._panel("Queues"), lambda s: lag_table(s.lags)),
                    "Time per leg": (self._panel("Time per leg"), lambda s: leg_table(s.legs)),
                    "Disks": (self._panel("Disks"), lambda s: disk_lines(s.disks)),
                    "Installation": (self._panel("Installation"), about),
                }
                with Words("section", "", "panel wide", aria_label="Dead letters"):
                    Words("h2", "Dead letters")
                    self._letters = Words("div", "", "letters")
        ui.timer(LOOK_EVERY_S, self._look)

    async def follow(self, address: Address) -> None:
        """Show how everything stands."""
        del address
        await self._look()

    def step(self, by: int) -> None:
        """Nothing is stepped through here."""

    def beside(self, person_id: str, by: int) -> str | None:
        """Nobody stands here."""
        del person_id, by
        return None

    def let_go(self) -> None:
        """Nothing is selected here."""

    def write(self) -> None:
        """Words are written in *Search*."""
        self._around.go(Address(SEARCH))

    def key(self, name: str) -> None:
        """No key means anything here alone."""

    @staticmethod
    def _panel(title: str, style: str = "") -> ui.html:
        with Words("section", "", f"panel {style}".strip(), aria_label=title):
            Words("h2", title)
            return still(Markup())

    async def _look(self) -> None:
        system = await asyncio.to_thread(self._system.stands)
        if self._findings.is_deleted:
            return
        self._sum.set_text(summary(system))
        self._findings.set_content(finding_list(system.findings))
        for panel, said in self._panels.values():
            panel.set_content(said(system))
        await self._look_at_letters()

    async def _look_at_letters(self) -> None:
        """The dead letters, drawn anew only when they are others: one of them may be open."""
        letters: tuple[DeadLetterShape, ...]
        if not self._around.identity.may(ACT):
            letters, why = (), f"Reading them needs the role {ACT}."
        else:
            try:
                letters, why = await asyncio.to_thread(self._system.dead_letters), "None is open."
            except ConsumerError as error:
                letters, why = (), str(error)
        if letters == self._letters_shown or self._letters.is_deleted:
            return
        self._letters_shown = letters
        self._letters.clear()
        with self._letters:
            if not letters:
                Words("p", why, "sum")
            for letter in letters:
                self._show(letter)

    def _show(self, letter: DeadLetterShape) -> None:
        with Words("article", "", "letter"):
            still(letter_body(letter, self._around.look.now()))
            if not self._around.identity.may(ADMINISTER):
                return
            with Words("div", "", "line"):
                if letter.is_message:
                    is_again = letter.handled is not None
                    words = "Replay again" if is_again else "Replay"
                    button("replay", words, lambda: self._replay(letter, is_again=is_again))
                button("delete", "Drop", lambda: self._drop(letter))

    async def _replay(self, letter: DeadLetterShape, *, is_again: bool) -> None:
        await self._do(
            lambda who: self._system.replay(letter.rejected_id, by=who, is_again=is_again),
            "It is back on its topic. If nobody can read it still, it comes back here.",
        )

    async def _drop(self, letter: DeadLetterShape) -> None:
        await self._do(
            lambda who: self._system.drop(letter.rejected_id, by=who),
            f"Dropped. `crewsight dead-letters replay --again {letter.rejected_id[:12]}` brings it back.",
        )

    async def _do(self, act: Callable[[str], object], words: str) -> None:
        try:
            who = await self._around.permitted(ADMINISTER)
            await asyncio.to_thread(act, who.name)
        except (ConsumerError, BusError) as error:
            ui.notify(str(error), type="negative", timeout=8000, position="top")
            return
        ui.notify(words, type="positive", position="top")
        await self._look()
