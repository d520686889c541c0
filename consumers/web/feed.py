"""Who has just arrived and how the system stands: asked for once a second, told to every open page."""

import asyncio
import logging

from nicegui import Event

from consumers.errors import PeopleTableError
from consumers.web.desk import Desk
from consumers.web.schemas import PersonShape, StatusShape

logger = logging.getLogger(__name__)

STATUS_EVERY = 5  # questions about people for one about the system's state


class Feed:
    """One poller for all pages; pages subscribe to `arrived` and `stands`, and are forgotten when they close."""

    def __init__(self, desk: Desk, *, every_s: float = 1.0) -> None:
        """Ask `desk` every `every_s` seconds, once `run` is started."""
        self.arrived = Event[list[PersonShape]]()
        self.stands = Event[StatusShape]()
        self.status: StatusShape | None = None
        self._desk, self._every_s = desk, every_s
        self._cursor: int | None = None

    async def run(self) -> None:
        """Go on asking until cancelled."""
        turn = 0
        while True:
            try:
                if turn % STATUS_EVERY == 0:
                    await self._ask_status()
                await self._ask_people()
            except Exception:  # the outermost loop of this task: one failed round must not leave every page blind
                logger.exception("the feed failed to ask")
            turn += 1
            await asyncio.sleep(self._every_s)

    async def _ask_status(self) -> None:
        self.status = await asyncio.to_thread(self._desk.status)
        self.stands.emit(self.status)

    async def _ask_people(self) -> None:
        try:
            if self._cursor is None:
                self._cursor = (await asyncio.to_thread(self._desk.newest, 1)).after or 0
                return
            arrived = await asyncio.to_thread(self._desk.since, self._cursor)
        except PeopleTableError as error:
            logger.warning("people cannot be read", extra={"reason": str(error)})
            return
        if arrived:
            self._cursor = arrived[0].id
            self.arrived.emit(arrived)
