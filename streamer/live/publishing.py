"""Publishes live footage no faster than it is analysed: the rest waits in the ledger, is thinned, or is skipped.

Only a few segments of each camera are on the bus at a time. What waits in the ledger can still be given a lower rate
or be given up; what was published cannot.
"""

import logging
from collections import Counter, defaultdict
from datetime import datetime, timedelta

from streamer.bus.camera_report import Pressure
from streamer.bus.client import Publisher
from streamer.bus.errors import BrokerUnreachableError
from streamer.bus.media import MediaStore
from streamer.bus.topics import SEGMENTS
from streamer.live.backlog import CameraBacklog, Limits, over_quota_bytes, pressure_of, room_on_bus
from streamer.live.gaps import Skipped
from streamer.live.ledger import LiveLedger, LiveLine
from streamer.measuring import captured, note_published

logger = logging.getLogger(__name__)

FLUSH_S = 2.0
AGAIN_AT_ONCE = 50  # of what was analysed before a broker lost its memory: new footage goes first
KEEP = timedelta(hours=6)  # how long it is known what was analysed: as long as any reader may be behind a lost broker
KEEP_GAPS = timedelta(days=90)
NONE = CameraBacklog()


class LivePublisher:
    """Belongs to one thread.

    Raises (from `relieve`): `LedgerError`, `MediaStoreError`.
    """

    def __init__(
        self, ledger: LiveLedger, media: MediaStore, publisher: Publisher, limits: Limits, *, thinned_fps: float
    ) -> None:
        """Publish the waiting lines of `ledger`; videos of what is skipped are taken out of `media`."""
        self._ledger, self._media, self._publisher = ledger, media, publisher
        self._limits, self._thinned_fps = limits, thinned_fps
        self.pressures: dict[str, Pressure] = {}
        self.backlogs: dict[str, CameraBacklog] = {}
        self.thinned: Counter[str] = Counter()  # segments
        self.skipped: Counter[str] = Counter()  # segments
        self.skipped_s: dict[str, float] = defaultdict(float)
        self.skipped_over_quota: Counter[str] = Counter()  # segments, counted among the skipped too

    def start(self) -> None:
        """Take away the video of what was given up, in case a streamer before us died before it could.

        Raises:
            MediaStoreError: the media store cannot be reached.
        """
        for uri in self._ledger.skipped_uris():
            self._media.remove(uri)

    def relieve(self, now: datetime) -> None:
        """Look how far analysis is behind, and take the step for it with every camera."""
        self.backlogs = self._ledger.backlogs(now)
        skipped: list[Skipped] = []
        if any(backlog.oldest_s > self._limits.skip_after_s for backlog in self.backlogs.values()):
            skipped += self._ledger.skip_older(now - timedelta(seconds=self._limits.skip_after_s))
            self.backlogs = self._ledger.backlogs(now)
        if over_bytes := over_quota_bytes(self.backlogs, self._limits):
            over_quota = self._ledger.skip_oldest(over_bytes)
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
            self._publisher.flush(FLUSH_S)
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

    def _count(self, skipped: list[Skipped]) -> None:
        for each in skipped:
            self._media.remove(each.uri)
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
