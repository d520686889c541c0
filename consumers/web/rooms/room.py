"""What every room can do, and what it gets from the page around it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from nicegui import ui

from consumers.access.identity import Identity
from consumers.access.roles import Role
from consumers.errors import NotPermittedError
from consumers.web.address import Address
from consumers.web.components.person_card import Now
from consumers.web.desk import Desk
from consumers.web.feed import Feed
from consumers.web.services import Services
from consumers.web.who import refuse_unless


@dataclass(frozen=True, slots=True)
class PageLook:
    """What a page is told once, when it starts."""

    site_name: str = "Crewsight"
    zone: tzinfo = UTC
    is_demo: bool = False
    shift_starts_h: tuple[int, ...] = (6, 14, 22)

    def now(self) -> Now:
        """This moment."""
        return Now(datetime.now(UTC), self.zone)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a room gets from the page around it."""

    services: Services
    feed: Feed
    look: PageLook
    is_dark: bool
    identity: Identity
    """Who opened the tab: what is offered goes by it, and what is done by `who`."""
    who: Callable[[], Awaitable[Identity | None]]
    """Who is at the tab now; None: they were signed out."""
    address: Callable[[], Address]
    is_busy: Callable[[], bool]
    """Whether a person or another dialog is open over the room."""

    @property
    def desk(self) -> Desk:
        """Who was seen."""
        return self.services.desk

    async def permitted(self, needed: Role) -> Identity:
        """Who is at the tab, once it is known that they may.

        Raises:
            NotPermittedError: they may not, or were signed out.
        """
        who = await self.who()
        if who is None:
            raise NotPermittedError(needed)
        refuse_unless(who, needed)
        return who

    @staticmethod
    def go(address: Address) -> None:
        """Change the address; whoever it concerns follows."""
        ui.navigate.to(str(address))


class Room(Protocol):
    """One room."""

    path: str
    name: str

    async def follow(self, address: Address) -> None:
        """Show what the address asks for."""

    def step(self, by: int) -> None:
        """Select the next (1) or previous (-1) person of the list."""

    def beside(self, person_id: str, by: int) -> str | None:
        """Who stands next to somebody in the list."""

    def let_go(self) -> None:
        """Select nobody."""

    def write(self) -> None:
        """Put the cursor where words are written."""

    def key(self, name: str) -> None:
        """A key was pressed that means something in this room alone, if anything."""


class Selection:
    """Which of a list's cards is selected, by keyboard; the browser's focus goes with it."""

    def __init__(self) -> None:
        """Select nothing."""
        self.index: int | None = None
        self._chosen: ui.element | None = None

    def step(self, cards: list[ui.element], by: int) -> None:
        """Select the card `by` places further on, staying inside the list."""
        if not cards:
            return
        here = cards.index(self._chosen) if self._chosen in cards else None
        self.index = max(0, min(len(cards) - 1, (-1 if by > 0 else 0) + by if here is None else here + by))
        self.let_go()
        self._chosen = cards[self.index].classes(add="chosen")
        self._chosen.run_method("focus")

    def let_go(self) -> None:
        """Select nothing."""
        if self._chosen is not None and not self._chosen.is_deleted:
            self._chosen.classes(remove="chosen")
            self._chosen.run_method("blur")
        self._chosen = None

    @property
    def is_made(self) -> bool:
        """Whether something is selected."""
        return self._chosen is not None
