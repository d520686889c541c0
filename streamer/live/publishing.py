"""Publishes live footage no faster than it is analysed: the rest waits in the ledger, is thinned, or is skipped.

Only a few segments of each camera are on the bus at a time. What waits in the ledger can still be given a lower rate
or be given up; what was published cannot.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

from streamer.bus.camera_report import Pressure
from streamer.bus.client import Publisher
from streamer.bus.errors import BrokerUnreachableError
from streamer.bus.topics import SEGMENTS
from streamer.live.backlog import CameraBacklog, Limits, over_quota_bytes, pressure_of, room_on_bus
from streamer.live.gaps import Skipped
from streamer.live.ledger import LiveLedger, LiveLine
from streamer.live.storing import Storer
from streamer.measuring import captured, note_published

logger = logging.getLogger(__name__)

FLUSH_S = 2.0
AGAIN_AT_ONCE = 50  # of what was analysed before a broker lost its memory: new footage goes first
KEEP = timedelta(hours=6)  # how long it is known what was analysed: as long as any reader may be behind a lost broker
KEEP_GAPS = timedelta(days=90)
KEEP_FREE_BYTES = 500_000_000  # for the ledger, which has to be written to get rid of anything
NONE = CameraBacklog()


class LivePublisher:
    """Belongs to one thread.

    Raises (from `relieve`): `LedgerError`, `MediaStoreError` when the spool cannot be used.
    """

    def __init__(
        self,
        ledger: LiveLedger,
        storer: Storer,
        publisher: Publisher,
        limits: Limits,
        *,
        thinned_fps: float,
        free_bytes: Callable[[], int],
    ) -> None:
        """Publish the waiting lines of `ledger`.

        Args:
            ledger: What is known of live footage.
            storer: Takes away the videos of what is skipped.
            publisher: This thread's alone.
            limits: Where each step begins.
            thinned_fps: Frames a second that are looked at then.
            free_bytes: How much room is left on the disk where footage waits for the media store.
        """
        self._ledger, self._storer, self._publisher = ledger, storer, publisher
        self._limits, self._thinned_fps, self._free_bytes = limits, thinned_fps, free_bytes
        self.pressures: dict[str, Pressure] = {}
        self.backlogs: dict[str, CameraBacklog] = {}
        self.thinned: Counter[str] = Counter()  # segments
        self.skipped: Counter[str] = Counter()  # segments
        self.skipped_s: dict[str, float] = defaultdict(float)
        self.skipped_over_quota: Counter[str] = Counter()  # segments, counted among the skipped too

    def relieve(self, now: datetime) -> None:
        """Look how far analysis is behind, and take the step for it with every camera."""
        self.backlogs = self._ledger.backlogs(now)
        skipped: list[Skipped] = []
        if any(backlog.oldest_s > self._limits.skip_after_s for backlog in self.backlogs.values()):
            skipped += self._ledger.skip_older(now - timedelta(seconds=self._limits.skip_after_s))
            self.backlogs = self._ledger.backlogs(now)
        if over_quota := self._over_quota():
            self.skipped_over_quota.update(each.camera_id for each in over_quota)
            skipped += over_quota
            self.backlogs = self._ledger.backlogs(now)
        self._count(skipped)
        lost = {each.camera_id for each in skipped}
        for camera in self.backlogs.keys() | self.pressures.keys() | lost:
            before = self.pressures.get(camera, Pressure.NONE)
            step = pressure_of(self.backlogs.get(camera, NONE), self._limits, before)
            self._set(camera, Pressure.SKIPPING if camera in lost else step)
            if camera not in self.backlogs and self.pressures[camera] is Pressure.NONE:
                del self.pressures[camera]

    def publish(self, incarnation: str) -> bool:
        """Publish what there is room for; whether anything was.

        Raises:
            BrokerUnreachableError: the broker went away; the lines stay in line.
            LedgerError: the ledger cannot be read or written.
        """
        self._ledger.meet(incarnation)
        lines: list[LiveLine] = []
        for camera, backlog in self.backlogs.items():
            room = min(room_on_bus(backlog, self._limits), backlog.waiting)
            lines += [self._fixed(line) for line in self._ledger.waiting(camera, room)] if room else []
        fresh = list(lines)
        lines += self._ledger.again(AGAIN_AT_ONCE)
        for line in lines:
            headers = captured(line.message)
            self._publisher.publish(SEGMENTS, line.message, partition=line.partition, headers=headers)
        if not lines:
            return False
        try:
            self._publisher.flush(FLUSH_S, incarnation=incarnation)
        except BrokerUnreachableError:
            self._publisher.forget()  # they stay in the ledger's line
            raise
        self._ledger.mark_published(lines)
        for line in fresh:
            note_published(line.message)
        return True

    def forget(self, now: datetime) -> None:
        """Drop what nobody will ask for any more."""
        self._ledger.forget(segments_before=now - KEEP, gaps_before=now - KEEP_GAPS)

    def close(self) -> None:
        """Give the connection back."""
        self._publisher.close()

    def _fixed(self, line: LiveLine) -> LiveLine:
        if line.is_fixed:
            return line
        is_thinned = self.pressures.get(line.message.camera_id) in (Pressure.THINNED, Pressure.SKIPPING)
        if is_thinned:
            self.thinned[line.message.camera_id] += 1
        return self._ledger.fix(line, sampling_fps_at_most=self._thinned_fps if is_thinned else None)

    def _over_quota(self) -> list[Skipped]:
        """Give up what there is no room for: in the quota, or on the disk while the media store takes nothing."""
        over_bytes = over_quota_bytes(self.backlogs, self._limits)
        given_up = self._ledger.skip_oldest(over_bytes) if over_bytes else []
        is_filling = self._storer.fault is not None and any(each.unstored for each in self.backlogs.values())
        if is_filling and (short_bytes := KEEP_FREE_BYTES - self._free_bytes()) > 0:
            given_up += self._ledger.skip_oldest(short_bytes, only_unstored=True)
        return given_up

    def _count(self, skipped: list[Skipped]) -> None:
        self._storer.give_up(skipped)
        for each in skipped:
            self.skipped[each.camera_id] += 1
            self.skipped_s[each.camera_id] += each.duration_s

    def _set(self, camera: str, step: Pressure) -> None:
        before = self.pressures.get(camera, Pressure.NONE)
        self.pressures[camera] = step
        if step is before:
            return
        backlog = self.backlogs.get(camera, NONE)
        is_normal = {step, before} <= {Pressure.NONE, Pressure.WAITING}
        logger.log(
            logging.DEBUG if is_normal else logging.WARNING,
            SAID[step],
            extra={"camera_id": camera, "segments": backlog.segments, "oldest_s": round(backlog.oldest_s)},
        )


SAID = {
    Pressure.NONE: "analysis has caught up with the camera",
    Pressure.WAITING: "segments of the camera wait for analysis",
    Pressure.THINNED: "analysis is behind, fewer frames of the camera are looked at",
    Pressure.SKIPPING: "analysis is far behind, the camera's oldest footage is skipped",
}
