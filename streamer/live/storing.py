"""Brings finished live segments from the spool into the media store, and takes out of it what was given up.

All that is asked of the store for cameras is asked here, by threads that may wait: a store that is away, slow or full
holds up neither a camera nor the streamer. What it does not take waits in the spool, and the ledger keeps the order.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable

from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentReady
from streamer.live.gaps import Skipped
from streamer.live.ledger import LiveLedger
from streamer.live.spool import Spool

logger = logging.getLogger(__name__)

AT_ONCE = 4  # a server far away takes a tenth of a second for each, and twenty cameras make ten a second
AGAIN_S = 1.0
REST_S = 5.0  # whoever enters a segment wakes us


class Storer:
    """Runs from `start` until `close`, in threads of its own."""

    def __init__(self, ledger: LiveLedger, spool: Spool, media: MediaStore) -> None:
        """Store what `ledger`, over an engine of our own, says in `media`, which is to try once: we do the waiting."""
        self._ledger, self._spool, self._media = ledger, spool, media
        self.fault: str | None = None  # why the store takes nothing, in words, while it does not
        self._error: Exception | None = None
        self._in_hand: set[str] = set()
        self._to_remove: deque[str] = deque()
        self._last: dict[str, SegmentReady] = {}
        self._again_at_s = 0.0
        self._is_stopped = False
        self._news = threading.Condition()
        names = [f"storing-{number}" for number in range(AT_ONCE)]
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for name in names]

    def start(self) -> None:
        """Begin; what was given up goes first, in case a streamer before us died before it could.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        self._to_remove.extend(self._ledger.skipped_uris())
        for thread in self._threads:
            thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop after what is in hand; the rest stays in the spool. Whoever hangs in the network is left behind."""
        with self._news:
            self._is_stopped = True
            self._news.notify_all()
        until_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until_s - time.monotonic()))
        self._ledger.close()

    def wake(self) -> None:
        """Say that a segment was entered."""
        with self._news:
            self._news.notify()

    def give_up(self, skipped: Iterable[Skipped]) -> None:
        """Take away the videos of what was skipped, wherever they are.

        Raises:
            MediaStoreError: this machine's disk does not do it.
        """
        for each in skipped:
            self._spool.drop(each.segment_id)
            if each.is_stored:  # else nothing lies there, unless it is on its way: then `_store` sees to it
                self._to_remove.append(each.uri)
        self.wake()

    def last_stored(self, camera_id: str) -> SegmentReady | None:
        """The camera's newest segment that lies in the store; None when there was none since `start`."""
        return self._last.get(camera_id)

    def check(self) -> None:
        """Raise what ended a thread, if anything did: a ledger that cannot be read or written, or what nobody foresaw.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (work := self._taken()) is not None:
                try:
                    self._do(work)
                finally:
                    with self._news:
                        self._in_hand.discard(_name(work))
                        self._news.notify()
        except Exception as error:  # noqa: BLE001 — whatever ends a thread must end the process, not storing unseen
            self._error = error

    def _taken(self) -> SegmentReady | str | None:
        """The next segment to store, or URI to remove, now in hand; None when told to stop."""
        with self._news:
            while not self._is_stopped:
                wait_s = self._again_at_s - time.monotonic()
                is_probing = self.fault is not None and bool(self._in_hand)
                if wait_s <= 0 and not is_probing and (work := self._next()) is not None:
                    self._in_hand.add(_name(work))
                    return work
                self._news.wait(wait_s if wait_s > 0 else REST_S)
        return None

    def _next(self) -> SegmentReady | str | None:
        # One more than can be in hand, so that there is one that is not.
        unstored = self._ledger.unstored(AT_ONCE + 1)
        found = next((ready for ready in unstored if ready.segment_id not in self._in_hand), None)
        work = found or (self._to_remove.popleft() if self._to_remove else None)
        if work is None and not self._in_hand:
            self.fault = None  # nothing is left that it could refuse
        return work

    def _do(self, work: SegmentReady | str) -> None:
        try:
            if isinstance(work, SegmentReady):
                self._store(work)
            else:
                self._media.remove(work)
        except MediaStoreError as error:
            if isinstance(work, str):
                self._to_remove.append(work)
            self._failed(error)
        else:
            self._worked()

    def _store(self, ready: SegmentReady) -> None:
        path = self._spool.path(ready.segment_id)
        if path.exists():  # else it was moved, and a kill came before that was noted
            try:
                self._media.adopt(ready.uri, path)
            except MediaStoreError:
                if path.exists():
                    raise
        with self._news:  # the ledger is used by one thread at a time: one connection, open from the start
            if not self._ledger.mark_stored(ready.segment_id):
                self._to_remove.append(ready.uri)  # it was skipped meanwhile
                return
            last = self._last.get(ready.camera_id)
            if last is None or last.started_at < ready.started_at:  # the older of two on their way may end last
                self._last[ready.camera_id] = ready

    def _failed(self, error: MediaStoreError) -> None:
        """Whatever the store says, the footage is safe where it is, and ending would only lose more."""
        with self._news:
            if self.fault is None:
                logger.error("media store takes no footage, it waits on this disk", extra={"reason": error.reason})
            self.fault, self._again_at_s = error.reason, time.monotonic() + AGAIN_S

    def _worked(self) -> None:
        with self._news:
            if self.fault is not None:
                logger.info("media store takes footage again")
                self.fault = None
                self._news.notify_all()


def _name(work: SegmentReady | str) -> str:
    return work if isinstance(work, str) else work.segment_id
