"""Follows what becomes of live segments: a thread reads results and dead letters and notes them in the ledger."""

import logging
import threading
from typing import Any

from streamer.bus.client import Bus, Received, TopicPartition, TypedConsumer
from streamer.bus.errors import BrokerUnreachableError, IncarnationChangedError
from streamer.bus.topics import DEAD_LETTERS, PEOPLE
from streamer.errors import LedgerError
from streamer.live.ledger import LiveLedger

logger = logging.getLogger(__name__)

POLL_MS = 50
REST_S = 0.5  # after a poll that brought nothing: a waiting consumer costs a tenth of a core, and nobody hurries here
RECORDS_AT_ONCE = 500
AGAIN_S = 1.0


class ResultsFollower:
    """Runs from `start` until `close`, with a connection to the broker of its own."""

    def __init__(self, bus: Bus, ledger: LiveLedger) -> None:
        """Read over `bus`, which is this thread's alone, as a group named after the ledger."""
        self._bus, self._ledger = bus, ledger
        self._group = f"streamer-{ledger.streamer_id}"
        self._analysed: dict[str, int] = {}
        self._error: LedgerError | None = None
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self, timeout_s: float = 3.0) -> None:
        """Stop following."""
        self._is_stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def analysed(self) -> dict[str, int]:
        """How many live segments of each camera got a result since `start`.

        Raises:
            LedgerError: the thread could not note one, and has ended.
        """
        if self._error is not None:
            raise self._error
        return dict(self._analysed)

    def _run(self) -> None:
        try:
            while not self._is_stopped.is_set():
                try:
                    self._follow()
                except IncarnationChangedError:
                    continue
                except BrokerUnreachableError as error:
                    logger.debug("broker away", extra={"reason": error.reason})
                    self._is_stopped.wait(AGAIN_S)
        except LedgerError as error:
            self._error = error
        finally:
            self._bus.close()

    def _follow(self) -> None:
        consumer: TypedConsumer[Any] = self._bus.consumer([PEOPLE, DEAD_LETTERS], self._group)
        try:
            while not self._is_stopped.is_set():
                arrived = consumer.poll(POLL_MS, RECORDS_AT_ONCE)
                messages = [each.message for each in arrived if isinstance(each, Received)]
                named = [message.segment_id for message in messages if message.segment_id is not None]
                for camera, count in self._ledger.note_analysed(named).items():
                    self._analysed[camera] = self._analysed.get(camera, 0) + count
                offsets: dict[TopicPartition, int] = {}
                for each in arrived:
                    offsets[each.topic_partition] = max(offsets.get(each.topic_partition, 0), each.offset + 1)
                consumer.commit(offsets)
                if not arrived:
                    self._is_stopped.wait(REST_S)
        finally:
            consumer.close()
