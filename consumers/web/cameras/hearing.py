"""What the streamers say of their cameras: heard over the bus in a thread of its own, asked from any other."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from streamer.bus.camera_report import CamerasReport
from streamer.bus.client import Bus, Received
from streamer.bus.topics import CAMERAS

logger = logging.getLogger(__name__)

LISTEN_EVERY_S = 1.0
RATES_OVER = timedelta(seconds=60)  # a report comes every five seconds, a segment every two
FORGOTTEN_AFTER = timedelta(minutes=10)  # a streamer that was moved to another machine


@dataclass(frozen=True, slots=True)
class Heard:
    """What one streamer said last, and what it said up to a minute before: rates are taken from both."""

    last: CamerasReport
    earlier: CamerasReport


class Reports(Protocol):
    """Tells what the streamers said last."""

    def heard(self) -> Sequence[Heard]:
        """One of each streamer; nothing before the first report."""

    @property
    def is_bus_there(self) -> bool:
        """Whether the broker answered a moment ago."""


class BusReports:
    """Listens from `start` until `close`."""

    def __init__(self, bus: Bus) -> None:
        """Listen to `bus`, which must be no other thread's."""
        self._bus, self._reader = bus, bus.latest(CAMERAS)
        self._said: dict[str, deque[CamerasReport]] = {}
        self._lock, self._is_closed = threading.Lock(), threading.Event()
        self._is_bus_there = False
        self._thread = threading.Thread(target=self._run, name="camera-reports", daemon=True)

    def start(self) -> None:
        """Begin to listen; a broker that is not there yet is waited for."""
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._is_closed.set()

    @property
    def is_bus_there(self) -> bool:
        """Whether the broker answered a moment ago."""
        return self._is_bus_there

    def heard(self) -> tuple[Heard, ...]:
        """What each streamer said last."""
        with self._lock:
            return tuple(Heard(said[-1], said[0]) for said in self._said.values())

    def _run(self) -> None:
        while not self._is_closed.is_set():
            incarnation = self._bus.current_incarnation()
            self._is_bus_there = incarnation is not None
            if incarnation is not None:
                for arrived in self._reader.arrived(incarnation):
                    if isinstance(arrived, Received):
                        self._take(arrived.message)
                    else:
                        logger.warning("a report cannot be read", extra={"reason": arrived.reason})
            self._is_closed.wait(LISTEN_EVERY_S)
        self._reader.close()
        self._bus.close()

    def _take(self, report: CamerasReport) -> None:
        with self._lock:
            said = self._said.setdefault(report.streamer_id, deque())
            if said and said[-1].since != report.since:
                said.clear()  # it began anew, and its counts with it
            said.append(report)
            while report.at - said[0].at > RATES_OVER:
                said.popleft()
            newest = max(each[-1].at for each in self._said.values())
            self._said = {name: each for name, each in self._said.items() if newest - each[-1].at < FORGOTTEN_AFTER}
