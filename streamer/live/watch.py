"""Everything live in the streamer: cameras, the ledger of their footage, its publishing, and the report of it all.

The order for every segment: its video lies in the spool, then it is entered in the ledger, then the media store has it,
then it is published, and only the broker's acknowledgement marks it as published.
"""

import logging
import queue
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

from streamer.bus.camera_report import CameraCounts, CameraReport, CamerasReport, Pressure
from streamer.bus.client import Publisher
from streamer.bus.errors import BrokerUnreachableError
from streamer.bus.topics import CAMERAS
from streamer.live.camera import LiveCamera
from streamer.live.clock_set import ClockSet
from streamer.live.ledger import LiveLedger
from streamer.live.publishing import NONE, LivePublisher
from streamer.live.results import ResultsFollower
from streamer.live.roster import Roster
from streamer.live.spool import Spool
from streamer.live.state import CameraFailed, LiveSegment, Told
from streamer.live.storing import Storer

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2  # what it adds to the way of a frame, at most
REPORT_EVERY_S = 5.0
FLUSH_S = 2.0
FORGET_EVERY_S = 60.0
LEAVE_S = 3.0  # for all cameras together, so that a stopping streamer is gone within five seconds
LAST_GAPS = 5


class LiveWatch:
    """Belongs to the streamer's thread; everything it starts ends with `close`."""

    def __init__(
        self,
        roster: Roster,
        outbox: "queue.SimpleQueue[Told]",
        *,
        ledger: LiveLedger,
        spool: Spool,
        storer: Storer,
        publisher: LivePublisher,
        reporter: Publisher,
        results: ResultsFollower,
        partition_of: Callable[[str], int],
        show: Callable[[CamerasReport], None] = lambda _: None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Put the parts together.

        Args:
            roster: The cameras.
            outbox: What they made.
            ledger: What is known of their footage.
            spool: Where it lies until the media store has it.
            storer: Brings it there.
            publisher: Publishes it.
            reporter: Publishes reports; this thread's alone.
            results: Tells what was analysed.
            partition_of: Which partition a camera's messages travel on.
            show: Told of every report, whether or not there is a broker.
            utc_now: The clock.
        """
        self._show, self._spool, self._storer = show, spool, storer
        self._roster, self._outbox, self._ledger, self._publisher = roster, outbox, ledger, publisher
        self._reporter, self._results, self._partition_of, self._utc_now = reporter, results, partition_of, utc_now
        self._since = utc_now()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._next_look_s = self._next_report_s = self._next_show_s = self._next_forget_s = 0.0
        self._told: list[object] = []
        self._clock_set = ClockSet()

    def start(self) -> None:
        """Begin to follow what becomes of the footage; cameras start with the first `advance`.

        Raises:
            MediaStoreError: the spool cannot be used.
            LedgerError: the ledger cannot be read or written.
        """
        for segment in self._spool.unentered():
            self._enter(segment)
        self._spool.clean(self._ledger.unstored_ids())
        self._storer.start()
        self._results.start()

    @property
    def store_fault(self) -> str | None:
        """Why the media store takes no footage, in words; None while it does."""
        return self._storer.fault

    def advance(self, now_s: float, incarnation: str | None) -> bool:
        """Take every step that is due; whether anything was done.

        Args:
            now_s: A clock that never jumps back.
            incarnation: The broker that is there; None while there is none, and everything waits.

        Raises:
            MediaStoreError: this machine's disk takes no segment.
            LedgerError: the ledger cannot be read or written.
        """
        if set_by_s := self._clock_set.by_s(self._utc_now(), now_s):
            logger.warning("this machine's clock was set", extra={"by_s": round(set_by_s)})
            self._ledger.shift(set_by_s)
        self._storer.check()
        is_busy = self._take_in()
        if now_s < self._next_look_s:
            return is_busy
        self._next_look_s = now_s + LOOK_EVERY_S
        self._roster.follow()
        self._publisher.relieve(self._utc_now())
        if now_s >= self._next_forget_s:
            self._next_forget_s = now_s + FORGET_EVERY_S
            self._publisher.forget(self._utc_now())
        if incarnation is not None:
            try:
                self._publisher.publish(incarnation)
                self._tell(now_s)
            except BrokerUnreachableError as error:
                logger.debug("broker away", extra={"reason": error.reason})
                self._reporter.forget()
        if now_s >= self._next_show_s:  # a broker that is away is no reason to see nothing
            self._shown(now_s)
        return is_busy

    def close(self) -> None:
        """Stop every camera and keep what they still made."""
        self._roster.close(LEAVE_S)
        try:
            self._take_in()
        finally:
            self._storer.close()
            self._results.close()
            self._publisher.close()
            self._reporter.close()

    def report(self) -> CamerasReport:
        """How every camera is now.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        analysed = self._results.analysed()
        return CamerasReport(
            streamer_id=self._ledger.streamer_id,
            at=self._utc_now(),
            since=self._since,
            cameras=tuple(self._report(camera, analysed) for camera in self._roster.cameras),
            fault=self._roster.fault,
            store_fault=self._storer.fault,
        )

    def _take_in(self) -> bool:
        """Enter everything that the cameras have made; false when there was nothing."""
        is_any = False
        while not self._outbox.empty():
            told = self._outbox.get()
            if isinstance(told, CameraFailed):
                raise told.error
            self._enter(told)
            is_any = True
        return is_any

    def _enter(self, segment: LiveSegment) -> None:
        ready = segment.ready
        self._ledger.enter(
            ready,
            partition=self._partition_of(ready.camera_id),
            size_bytes=segment.size_bytes,
            gap_since=segment.gap_since,
            now=self._utc_now(),
        )
        self._spool.entered(ready.segment_id)
        self._storer.wake()
        counts, seconds = self._counts[ready.camera_id], self._seconds[ready.camera_id]
        counts["segments"] += 1
        counts["segments_bytes"] += segment.size_bytes
        counts["encoded_segments"] += segment.is_encoded
        counts["gaps"] += segment.gap_since is not None
        seconds["segments_s"] += ready.duration_s
        seconds["gaps_s"] += ready.gap_before_s or 0.0

    def _tell(self, now_s: float) -> None:
        """Publish a report when something changed that somebody waits for, and now and then anyway."""
        faults = self._roster.fault, self._storer.fault
        told: list[object] = [faults, *(self._pressing(camera) for camera in self._roster.cameras)]
        if told == self._told and now_s < self._next_report_s:
            return
        self._reporter.publish(CAMERAS, self._shown(now_s), partition=0)
        self._reporter.flush(FLUSH_S)
        self._told, self._next_report_s = told, now_s + REPORT_EVERY_S

    def _shown(self, now_s: float) -> CamerasReport:
        report = self.report()
        self._show(report)
        self._next_show_s = now_s + REPORT_EVERY_S
        return report

    def _pressing(self, camera: LiveCamera) -> tuple[object, ...]:
        """What is told of a camera as soon as it changes."""
        state, pressure = camera.state, self._publisher.pressures.get(camera.spec.camera)
        return (
            camera.spec.camera,
            camera.spec.shown_url,
            state.connection,
            state.reason,
            state.encoded_because,
            pressure,
        )

    def _report(self, camera: LiveCamera, analysed: dict[str, int]) -> CameraReport:
        state, name = camera.state, camera.spec.camera
        backlog = self._publisher.backlogs.get(name, NONE)
        counts, seconds, last = self._counts[name], self._seconds[name], self._storer.last_stored(name)
        return CameraReport(
            camera_id=name,
            url=camera.spec.shown_url,
            connection=state.connection,
            reason=state.reason,
            since=state.since,
            last_frame_at=state.last_frame_at,
            last_segment_at=last.started_at if last else None,
            last_segment_uri=last.uri if last else None,
            codec=state.codec,
            fps=state.fps,
            width_px=state.size_wh[0] if state.size_wh else None,
            height_px=state.size_wh[1] if state.size_wh else None,
            encoded_because=state.encoded_because,
            time_origin=state.time_origin,
            clock_off_s=state.clock_off_s,
            pressure=self._publisher.pressures.get(name, Pressure.NONE),
            waiting_segments=backlog.segments,
            waiting_s=round(backlog.duration_s, 3),
            waiting_bytes=backlog.size_bytes,
            unstored_segments=backlog.unstored,
            oldest_waiting_s=round(backlog.oldest_s, 3),
            counts=CameraCounts(
                segments=counts["segments"],
                segments_s=round(seconds["segments_s"], 3),
                segments_bytes=counts["segments_bytes"],
                encoded_segments=counts["encoded_segments"],
                connects=state.connects,
                failures=state.failures,
                gaps=counts["gaps"],
                gaps_s=round(seconds["gaps_s"], 3),
                analysed_segments=analysed.get(name, 0),
                thinned_segments=self._publisher.thinned[name],
                skipped_segments=self._publisher.skipped[name],
                skipped_s=round(self._publisher.skipped_s[name], 3),
                skipped_over_quota=self._publisher.skipped_over_quota[name],
            ),
            last_gaps=self._ledger.gaps(name, LAST_GAPS),
        )
