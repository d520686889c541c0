"""Who has just arrived, what has happened to alerts and how the system stands: asked once a second, for every page."""

import asyncio
import logging
from dataclasses import dataclass

from nicegui import Event

from consumers.errors import DeskError, PeopleTableError
from consumers.web.alerts.board import AlertBoard
from consumers.web.desk import Desk
from consumers.web.schemas import PersonShape, StatusShape

logger = logging.getLogger(__name__)

STATUS_EVERY = 5  # questions about people for one about the system's state


@dataclass(frozen=True, slots=True)
class AlertNews:
    """Which alerts were raised or changed, and how many nobody has acknowledged."""

    changed: tuple[str, ...]
    waiting: int


class Feed:
    """One poller for all pages; pages subscribe to its events, and are forgotten when they close."""

    def __init__(self, desk: Desk, board: AlertBoard, *, every_s: float = 1.0) -> None:
        """Ask `desk` and `board` every `every_s` seconds, once `run` is started."""
        self.arrived = Event[list[PersonShape]]()
        self.alerted = Event[AlertNews]()
        self.stands = Event[StatusShape]()
        self.status: StatusShape | None = None
        self.waiting = 0
        self._desk, self._board, self._every_s = desk, board, every_s
        self._cursor: int | None = None
        self._alert_cursor: int | None = None

    async def run(self) -> None:
        """Go on asking until cancelled."""
        turn = 0
        while True:
            try:
                if turn % STATUS_EVERY == 0:
                    await self._ask_status()
                await self._ask_alerts(is_full=turn % STATUS_EVERY == 0)
                await self._ask_people()
            except Exception:  # the outermost loop of this task: one failed round must not leave every page blind
                logger.exception("the feed failed to ask")
            turn += 1
            await asyncio.sleep(self._every_s)

    async def _ask_status(self) -> None:
        self.status = await asyncio.to_thread(self._desk.status)
        self.stands.emit(self.status)

    async def _ask_alerts(self, *, is_full: bool) -> None:
        """Tell what was raised or changed; now and then also count anew, as a snooze ends without a word."""
        try:
            news = await asyncio.to_thread(self._board.news, self._alert_cursor)
            self._alert_cursor = news.cursor
            if not news.changed and not is_full:
                return
            waiting = await asyncio.to_thread(self._board.waiting)
        except DeskError as error:
            logger.warning("alerts cannot be read", extra={"reason": str(error)})
            return
        if news.changed or waiting != self.waiting:
            self.waiting = waiting
            self.alerted.emit(AlertNews(news.changed, waiting))

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
