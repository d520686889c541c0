"""One camera, watched in a thread of its own: connected, cut, connected again after every loss, until it is removed."""

import logging
import queue
import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av.error
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set
from tenacity.wait import wait_random_exponential

from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_report import Connection
from streamer.bus.errors import CameraFileError, MediaStoreError
from streamer.bus.identity import live_segment_id
from streamer.bus.media import MediaStore, segment_uri
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.errors import CameraError, CameraRefusedError
from streamer.live.clock import LiveClock
from streamer.live.segmenter import LiveVideo, Segmenter
from streamer.live.stream import LiveStream
from streamer.settings import Live

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
REFUSED_RETRY_S = 15.0  # cameras lock out whoever tries a wrong password often
REFUSED_RETRY_AT_MOST_S = 300.0
STEADY_S = 15.0  # a connection that lasts shorter is one more failure
AWAIT_CLOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """One segment whose video lies in the media store, to be entered and published."""

    ready: SegmentReady
    size_bytes: int
    gap_since: datetime | None  # None: it continues the one before, or is the first ever
    is_encoded: bool


@dataclass(frozen=True, slots=True)
class CameraFailed:
    """A broken world, met in a camera's thread: the process ends with it."""

    error: Exception


Told = LiveSegment | CameraFailed


@dataclass(frozen=True, slots=True)
class CameraState:
    """How a camera is at this moment; replaced whole by its thread."""

    connection: Connection
    since: datetime
    reason: str | None = None
    last_frame_at: datetime | None = None
    codec: str | None = None
    fps: float | None = None
    size_wh: tuple[int, int] | None = None
    encoded_because: str | None = None
    time_origin: TimeOrigin | None = None
    clock_off_s: float | None = None
    connects: int = 0
    failures: int = 0


class LiveCamera:
    """Watches one camera from `start` until `stop`; what it makes goes into `outbox`."""

    def __init__(
        self,
        spec: CameraSpec,
        live: Live,
        *,
        media: MediaStore,
        work_folder: Path,
        outbox: "queue.SimpleQueue[Told]",
        last_end: datetime | None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to watch.

        Args:
            spec: The camera.
            live: How cameras are watched.
            media: Where segments go.
            work_folder: A folder of this camera's own for unfinished files.
            outbox: Who enters and publishes them.
            last_end: Where this camera's footage ended when it was last watched.
            utc_now: The clock.
        """
        self.spec, self._live, self._media, self._folder = spec, live, media, work_folder
        self._outbox, self._utc_now = outbox, utc_now
        self.state = CameraState(Connection.CONNECTING, utc_now())
        self._last_end, self._previous_id = last_end, ""
        self._break_reason = "it was not watched"
        self._has_begun = False  # whether any of it was cut since the thread began
        self._said: set[str] = set()
        self._said_lost: set[str] = set()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{spec.camera}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the thread to leave; it does with the next frame, or when its patience with a silent camera ends."""
        self._is_stopped.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; whether it is gone."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        lost, refused = self._waits()

        def wait_s(attempt: RetryCallState) -> float:
            error = attempt.outcome.exception() if attempt.outcome is not None else None
            return refused(attempt) if isinstance(error, CameraRefusedError | CameraFileError) else lost(attempt)

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while not self._is_stopped.is_set():
                attempts = Retrying(
                    retry=retry_if_exception_type((CameraError, CameraFileError)),
                    stop=stop_when_event_set(self._is_stopped),
                    sleep=sleep_using_event(self._is_stopped),
                    wait=wait_s,
                    reraise=True,
                )
                attempts(self._watch)
                self._is_stopped.wait(random.uniform(0, FIRST_RETRY_S))  # a hundred cameras behind one switch
        except (CameraError, CameraFileError):
            return  # told to stop while it was away, and already said
        except (MediaStoreError, OSError) as error:
            self._outbox.put(CameraFailed(error))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _waits(self) -> tuple[wait_random_exponential, wait_random_exponential]:
        most_s = self._live.retry_at_most_s
        lost = wait_random_exponential(multiplier=FIRST_RETRY_S, max=most_s)
        refused_s = max(most_s, REFUSED_RETRY_AT_MOST_S) if most_s >= REFUSED_RETRY_S else most_s
        return lost, wait_random_exponential(min=min(REFUSED_RETRY_S, refused_s), max=refused_s)

    def _watch(self) -> None:
        """Watch through one connection; returns when it was lost after a good while, or when told to stop.

        Raises:
            CameraError: it was lost at once, or never came about.
            CameraFileError: the password file cannot be read.
        """
        began_s = time.monotonic()
        try:
            stream = LiveStream(
                self.spec.camera,
                self.spec.opening_url(),
                connect_s=self._live.connect_s,
                stall_s=self._live.stall_s,
            )
            try:
                _Connection(self, stream).watch()
            finally:
                stream.close()
        except (CameraError, CameraFileError) as error:
            if self._is_stopped.is_set():
                return
            self.lost(error)
            if time.monotonic() - began_s < STEADY_S or isinstance(error, CameraRefusedError):
                raise

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._is_stopped.is_set()

    def lost(self, error: CameraError | CameraFileError) -> None:
        """Note why pictures do not come; the same reason is said once until they do."""
        reason = error.reason
        if not self._has_begun:
            self._break_reason = reason
        if isinstance(error, CameraRefusedError | CameraFileError):
            connection = Connection.REFUSED
        else:
            connection = Connection.LOST if self._last_end is not None else Connection.CONNECTING
        is_new = reason not in self._said_lost
        self._said_lost.add(reason)
        since = self._utc_now() if connection != self.state.connection else self.state.since
        self.state = replace(
            self.state, connection=connection, reason=reason, since=since, failures=self.state.failures + 1
        )
        if is_new:
            logger.warning(
                "camera gives no pictures, trying again",
                extra={"camera_id": self.spec.camera, "url": self.spec.shown_url, "reason": reason},
            )

    def connected(self, stream: LiveStream) -> None:
        """Note that pictures come."""
        codec = stream.stream.codec_context
        self._said_lost.clear()
        logger.info("camera is live", extra={"camera_id": self.spec.camera, "url": self.spec.shown_url})
        self.state = replace(
            self.state,
            connection=Connection.LIVE,
            since=self._utc_now(),
            reason=None,
            codec=codec.name,
            fps=round(stream.fps, 3),
            size_wh=(codec.width, codec.height),
            encoded_because=None,
            connects=self.state.connects + 1,
        )

    def say_encoding(self, reason: str) -> None:
        """Note that the stream is encoded anew; said once."""
        self.state = replace(self.state, encoded_because=reason)
        self._say_once("camera's stream is encoded anew, which costs much", reason)

    def clock_is(self, origin: TimeOrigin, off_s: float | None) -> None:
        """Note by which clock its times are; said once when its own cannot be believed."""
        self.state = replace(self.state, time_origin=origin, clock_off_s=off_s)
        if off_s is not None:
            self._say_once("camera's clock is not believed, set it by NTP", f"it is off by {off_s:.0f} s")

    def breaks(self, reason: str) -> None:
        """The next segment continues none: why."""
        self._previous_id, self._break_reason = "", reason

    def hand_over(self, video: LiveVideo, started_at: datetime, origin: TimeOrigin, time_base: Any) -> None:
        """Put a finished video into the media store and tell of it.

        Raises:
            MediaStoreError: the store does not take it.
        """
        duration_s = float((video.end_pts - video.start_pts) * time_base)
        segment_id = live_segment_id(
            self.spec.camera, round(started_at.timestamp() * 1e6), round(float(video.start_pts * time_base) * 1e6)
        )
        is_break = not self._previous_id and self._last_end is not None
        gap_since = self._last_end if is_break else None
        ready = SegmentReady(
            segment_id=segment_id,
            previous_segment_id=self._previous_id or None,
            camera_id=self.spec.camera,
            uri=segment_uri(self.spec.camera, f"{started_at:%Y-%m-%d}", segment_id),
            started_at=started_at,
            time_origin=origin,
            duration_s=duration_s,
            fps=video.frame_count / duration_s,
            width_px=video.width_px,
            height_px=video.height_px,
            gap_before_s=max(0.0, (started_at - gap_since).total_seconds()) if gap_since is not None else None,
            gap_reason=self._break_reason if gap_since is not None else None,
        )
        size_bytes = video.path.stat().st_size
        self._media.adopt(ready.uri, video.path)
        self._outbox.put(LiveSegment(ready, size_bytes, gap_since, is_encoded=not video.is_copy))
        self._has_begun = True
        self._previous_id, self._last_end = segment_id, started_at + timedelta(seconds=duration_s)
        self.state = replace(self.state, last_frame_at=self._last_end)

    def work_folder(self) -> Path:
        """Where unfinished files are."""
        return self._folder

    @property
    def live(self) -> Live:
        """How it is watched."""
        return self._live

    def _say_once(self, text: str, reason: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning(text, extra={"camera_id": self.spec.camera, "reason": reason})


class _Connection:
    """What happens while one connection lasts."""

    def __init__(self, camera: LiveCamera, stream: LiveStream) -> None:
        self._camera, self._stream = camera, stream
        self._time_base = stream.stream.time_base
        self._clock = LiveClock(self._time_base, off_at_most_s=camera.live.clock_off_at_most_s)
        self._segmenter = self._new_segmenter()
        self._before: Any = None
        self._held: list[LiveVideo] = []
        self._first_at_s = 0.0

    def watch(self) -> None:
        """Cut until told to stop; what is unfinished then becomes a last, shorter segment.

        Raises:
            CameraError: the connection is lost, or its packets make no video.
        """
        reason = "it was not watched"
        try:
            for packet in self._stream.packets():
                self._take(packet)
                if self._camera.is_stopping:
                    break
        except CameraError as error:
            reason = error.reason
            raise
        finally:
            self._end_stretch(reason)

    def _take(self, packet: Any) -> None:
        if self._before is None:
            self._camera.connected(self._stream)
            self._first_at_s = time.monotonic()
        self._clock.note(packet.pts, arrived_s=time.time(), camera_s=self._stream.camera_time_s(packet))
        if packet.is_keyframe:
            self._stream.check_form(packet)
        if self._stream.is_break(self._before, packet):
            self._end_stretch("its stream time leapt")
            self._segmenter = self._new_segmenter()
        self._before = packet
        try:
            self._held += self._segmenter.add(packet)
        except av.error.FFmpegError as error:
            self._segmenter.give_up()
            raise self._unusable(error) from None
        # The first segments wait for the camera's own clock: it comes with the first report, some seconds late.
        is_patient = self._stream.may_tell_time and time.monotonic() - self._first_at_s < AWAIT_CLOCK_S
        if self._held and (self._clock.knows_camera or not is_patient):
            self._hand_over_held()

    def _end_stretch(self, reason: str) -> None:
        try:
            self._held += self._segmenter.finish()
        except av.error.FFmpegError as error:
            self._segmenter.give_up()
            logger.debug("end of a stream is lost", extra={"reason": getattr(error, "strerror", None)})
        self._hand_over_held()
        self._camera.breaks(reason)

    def _hand_over_held(self) -> None:
        held, self._held = self._held, []
        for video in held:
            started_at, origin = self._clock.seen_at(video.start_pts)
            self._camera.clock_is(origin, self._clock.off_s)
            self._camera.hand_over(video, started_at, origin, self._time_base)

    def _unusable(self, error: av.error.FFmpegError) -> CameraError:
        spec = self._camera.spec
        return CameraError(spec.camera, spec.shown_url, f"its packets make no video: {(error.strerror or '').lower()}")

    def _new_segmenter(self) -> Segmenter:
        return Segmenter(
            self._stream.stream,
            self._camera.work_folder(),
            target_s=self._camera.live.segment_s,
            longest_gop_s=self._camera.live.longest_gop_s,
            frame_ticks=self._stream.frame_ticks,
            say_encoding=self._camera.say_encoding,
        )
