"""The streamer's shell: takes files from the sources, cuts them, keeps the ledger, publishes.

The order that must hold for every segment: its video lies in the media store, then it is entered in the ledger, then
it is published, and only the broker's acknowledgement marks it as published. A crash anywhere repeats the last step;
ids come from the content, so a repeat changes nothing.
"""

import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal, Protocol

from operations.seeing.health import Health
from streamer.beginning import EARLIEST, file_began, picture_taken
from streamer.bus.cameras import CameraTable
from streamer.bus.errors import MediaStoreError
from streamer.bus.identity import rejected_id
from streamer.bus.media import MediaStore
from streamer.bus.messages import Rejected, TimeOrigin
from streamer.errors import FootageReadError, VideoReadError, WorkFolderError
from streamer.ledger import FileProgress, FileState, Ledger
from streamer.live.watch import LiveWatch
from streamer.pictures import SHOWN_S, is_picture, read_picture, write_picture
from streamer.publishing import LedgerPublisher
from streamer.segmenting import FAST, LIVE, CutPlan, CutSegment, cut, hashing, planning
from streamer.sources.found import FoundFile, shown_path
from streamer.steps import Steps, Underway

logger = logging.getLogger(__name__)

Pace = Literal["fast", "live"]
IDLE_S = 0.1
STEP_S = 0.1  # for which a large file is read before anything else has its turn
AGAIN_S = 2.0  # until a media store that takes nothing is tried again


class FootageSource(Protocol):
    """Where files come from."""

    def look(self, now_s: float) -> list[FoundFile]:
        """What is new; `now_s` never jumps back."""

    def again(self, path: Path) -> None:
        """Take `path`, which it offered, for new once more: it could not be read."""

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more will come, ever."""


@dataclass(slots=True)
class Feed:
    """One configured source: its camera, its pace, and the files waiting in it."""

    camera_id: str
    source: FootageSource
    pace: Pace = "fast"
    zone: tzinfo | None = None  # of pictures whose date names none; None: this machine's
    waiting: deque[FoundFile] = field(default_factory=deque)
    beginning: "Underway[FileCutting | None] | None" = None  # of the first that waits
    cutting: "FileCutting | None" = None
    next_look_s: float = 0.0

    @property
    def is_through(self) -> bool:
        """Whether everything it will ever offer is cut."""
        return self.cutting is None and not self.waiting and self.source.is_exhausted


class Streamer:
    """Runs the feeds."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        *,
        ledger: Ledger,
        cameras: CameraTable,
        media: MediaStore,
        publisher: LedgerPublisher,
        work_folder: Path,
        live: LiveWatch | None = None,
        look_every_s: float = 1.0,
        health: Health | None = None,
        clock: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Stream `feeds` and what is `live`; `work_folder` is ours and holds nothing but unfinished segments."""
        self._feeds, self._ledger, self._cameras, self._media = list(feeds), ledger, cameras, media
        self._publisher, self._work_folder, self._look_every_s = publisher, work_folder, look_every_s
        self._live, self._clock, self._utc_now = live, clock, utc_now
        self._health = health or Health()
        self._is_stopping: Callable[[], bool] = lambda: False
        self._store_fault: str | None = None
        self._store_again_s = 0.0

    def run(self, *, once: bool, is_stopping: Callable[[], bool]) -> None:
        """Stream until told to stop; with `once`, until all is cut and acknowledged.

        Raises:
            BrokerUnreachableError: with `once`, the broker takes nothing although all else is done.
            MediaStoreError: with `once`, the media store takes no segment; else it is waited for.
            WorkFolderError: this machine's disk takes no segment.
        """
        self._is_stopping = is_stopping
        shutil.rmtree(self._work_folder, ignore_errors=True)
        self._publisher.start(waits_for_store=not once)
        if self._live is not None:
            self._live.start()
        try:
            self._run(once=once)
        finally:
            if self._live is not None:
                self._live.close()

    def _run(self, *, once: bool) -> None:
        while not self._is_stopping():
            self._health.beat()
            self._health.set("broker", is_there=self._publisher.incarnation is not None)
            steps = [self._step(feed, waits_for_store=not once) for feed in self._feeds]
            is_through = once and all(feed.is_through for feed in self._feeds)
            is_published = self._publisher.publish(must_succeed=is_through)
            if is_through and is_published:
                return
            if self._live is not None:
                steps.append(self._live.advance(self._clock(), self._publisher.incarnation))
            self._tell_of_store()
            if not any(steps):
                time.sleep(IDLE_S)

    def _step(self, feed: Feed, *, waits_for_store: bool) -> bool:
        """Take one step with a feed, unless the media store takes nothing: cameras go on meanwhile."""
        is_away = self._clock() < self._store_again_s or (self._live is not None and self._live.store_fault is not None)
        if waits_for_store and is_away:
            return False
        try:
            return self._advance(feed)
        except MediaStoreError as error:
            if not waits_for_store:
                raise
            if self._store_fault is None:
                logger.warning("media store takes nothing, files wait for it", extra={"reason": error.reason})
            self._store_fault, self._store_again_s = error.reason, self._clock() + AGAIN_S
            return False

    def _tell_of_store(self) -> None:
        fault = self._store_fault or (self._live.store_fault if self._live is not None else None)
        if fault is None:
            self._health.has("media")
        else:
            self._health.lacks("media", f"the media store takes nothing: {fault}")

    def _advance(self, feed: Feed) -> bool:
        """Take one step with a feed, at most one segment; false when there was nothing to do."""
        now_s = self._clock()
        if now_s >= feed.next_look_s:
            feed.waiting.extend(feed.source.look(now_s))
            feed.next_look_s = now_s + self._look_every_s
        if feed.cutting is None:
            if not feed.waiting:
                return False
            self._go_on_beginning(feed)
            return True
        if feed.cutting.due_at > self._utc_now():
            return False
        if not self._cut_next(feed.cutting):
            feed.cutting = None
        return True

    def _go_on_beginning(self, feed: Feed) -> None:
        work = feed.beginning = feed.beginning or Underway(self._begin(feed, feed.waiting[0]))
        try:
            if not work.go_on(lasting_s=STEP_S):
                return
        except MediaStoreError:
            feed.beginning = None  # but it waits on: what is known of it by now is in the ledger
            raise
        feed.beginning, feed.cutting = None, work.made
        feed.waiting.popleft()

    def _begin(self, feed: Feed, found: FoundFile) -> Steps["FileCutting | None"]:
        try:
            sha256 = yield from self._hash(found)
        except VideoReadError as error:
            logger.warning("file is gone or closed to us", extra=_told(error))
            self._is_gone(feed, error.path)
            return None
        key = sha256 if feed.pace == "fast" else f"{sha256}/live"
        entered = self._ledger.enter_file(feed.camera_id, key, shown_path(found.path))
        if entered.state in (FileState.DONE, FileState.REJECTED):
            logger.info("file is known", extra={"path": shown_path(found.path), "camera_id": feed.camera_id})
            return None
        if is_picture(found.path):
            self._take_picture(feed, found, entered, sha256)
            return None
        try:
            cadence = FAST if feed.pace == "fast" else LIVE
            plan = yield from planning(found.path, sha256=sha256, cadence=cadence)
        except VideoReadError as error:
            self._reject(feed, entered, sha256, error)
            return None
        started_at, origin = self._started(feed, found, plan)
        begun = self._ledger.begin(
            entered.file_id, duration_s=plan.scan.duration_s, started_at=started_at, time_origin=origin
        )
        segments = cut(
            plan,
            camera_id=feed.camera_id,
            folder=self._work_folder,
            from_index=begun.next_index,
            is_stopping=self._is_stopping,
        )
        return FileCutting(feed, plan, sha256, begun, segments)

    def _take_picture(self, feed: Feed, found: FoundFile, entered: FileProgress, sha256: str) -> None:
        """A picture is through in one step: its one segment, then its line in the ledger."""
        try:
            picture = read_picture(found.path)
        except FootageReadError as error:
            self._reject(feed, entered, sha256, error)
            return
        now = self._utc_now()
        began = picture_taken(picture.date, zone=feed.zone, modified_s=found.mtime_ns / 1e9, now=now)
        started_at, origin = began if feed.pace == "fast" else (now, TimeOrigin.CLOCK)
        begun = self._ledger.begin(entered.file_id, duration_s=SHOWN_S, started_at=started_at, time_origin=origin)
        segment = write_picture(picture, camera_id=feed.camera_id, content_sha256=sha256, folder=self._work_folder)
        self._enter(begun, segment)
        self._ledger.finish(begun.file_id)

    def _cut_next(self, cutting: "FileCutting") -> bool:
        """Cut one segment; false when the file is through."""
        try:
            segment = cutting.in_hand or next(cutting.segments, None)
        except VideoReadError as error:
            self._reject(cutting.feed, cutting.begun, cutting.sha256, error)
            return False
        if segment is None and not self._is_stopping():
            self._finish(cutting)
        if segment is None:
            return False
        cutting.in_hand = segment
        self._enter(cutting.begun, segment)
        cutting.in_hand = None
        cutting.has_segments = True
        cutting.next_index = segment.index + 1
        return True

    def _enter(self, begun: FileProgress, segment: CutSegment) -> None:
        """Put a segment into the media store, then into the ledger."""
        assert begun.started_at is not None
        assert begun.time_origin is not None
        message = segment.ready(begun.camera_id, begun.started_at, begun.time_origin)
        try:
            self._media.adopt(message.uri, segment.path)
        except MediaStoreError as error:
            if segment.path.exists():
                raise
            raise WorkFolderError(self._work_folder, f"{segment.path.name} is gone") from error  # waiting is in vain
        self._store_fault = None
        self._ledger.enter_segment(
            begun.file_id,
            segment.index,
            message,
            partition=self._cameras.partition_of(message.camera_id),
            cut_s=segment.start_s + segment.duration_s,
        )

    def _finish(self, cutting: "FileCutting") -> None:
        path = cutting.plan.scan.path
        if not cutting.has_segments:
            error = VideoReadError(path, "no frame of it can be decoded")
            self._reject(cutting.feed, cutting.begun, cutting.sha256, error)
            return
        reason = cutting.plan.scan.break_reason
        if reason:
            logger.warning("file ends early, cut up to there", extra={"path": shown_path(path), "reason": reason})
        self._ledger.finish(cutting.begun.file_id, reason=reason)

    def _reject(self, feed: Feed, entered: FileProgress, sha256: str, error: FootageReadError) -> None:
        if self._is_gone(feed, error.path):
            logger.warning("file is gone", extra=_told(error))
            return
        logger.warning("file refused", extra=_told(error))
        rejected = Rejected(
            rejected_id=rejected_id("file", feed.camera_id, sha256),
            reason=error.reason,
            camera_id=feed.camera_id,
            origin=shown_path(error.path),
        )
        self._ledger.reject(entered.file_id, rejected, partition=self._cameras.partition_of(feed.camera_id))

    def _is_gone(self, feed: Feed, path: Path) -> bool:
        """Whether a file is there no more, which is not unreadable: should it come back, it is to be cut."""
        is_gone = FoundFile.at(path) is None
        if is_gone:
            feed.source.again(path)
        return is_gone

    def _hash(self, found: FoundFile) -> Steps[str]:
        known = self._ledger.known_hash(found.path, found.size_bytes, found.mtime_ns)
        if known is None:
            known = yield from hashing(found.path)
            self._ledger.note_hash(found.path, found.size_bytes, found.mtime_ns, known)
        return known

    def _started(self, feed: Feed, found: FoundFile, plan: CutPlan) -> tuple[datetime, TimeOrigin]:
        if feed.pace == "live":
            return self._utc_now(), TimeOrigin.CLOCK
        return file_began(plan.scan, modified_s=found.mtime_ns / 1e9, now=self._utc_now())


def _told(error: FootageReadError) -> dict[str, str]:
    return {"path": shown_path(error.path), "reason": error.reason}


class FileCutting:
    """One file on its way through the cutter."""

    def __init__(
        self, feed: Feed, plan: CutPlan, sha256: str, begun: FileProgress, segments: Iterator[CutSegment]
    ) -> None:
        """Take the `segments` of `plan` from where the ledger says that it stopped."""
        self.feed, self.plan, self.sha256, self.begun, self.segments = feed, plan, sha256, begun, segments
        self.next_index = begun.next_index
        self.in_hand: CutSegment | None = None  # cut, and not stored yet
        self.has_segments = begun.next_index > 0

    @property
    def due_at(self) -> datetime:
        """When the next segment's last frame has been seen; for a file that is not played as if live, long ago."""
        if self.feed.pace == "fast" or self.next_index >= len(self.plan.pieces) or self.begun.started_at is None:
            return EARLIEST
        end_s = self.plan.scan.seconds(self.plan.pieces[self.next_index].end_pts)
        return self.begun.started_at + timedelta(seconds=end_s)
