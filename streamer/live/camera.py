"""One camera, watched in a thread of its own: connected, cut, connected again after every loss, until it is removed."""

import logging
import queue
import random
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set
from tenacity.wait import wait_random_exponential

from operations.logs import about
from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_report import Connection
from streamer.bus.camera_url import scrubbed
from streamer.bus.errors import CameraFileError, MediaStoreError
from streamer.bus.identity import live_segment_id
from streamer.bus.media import segment_uri
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.bus.settings import Live
from streamer.errors import CameraError, CameraRefusedError
from streamer.live.connection import CameraConnection
from streamer.live.segmenter import LiveVideo
from streamer.live.spool import Spool
from streamer.live.state import CameraFailed, CameraState, LiveSegment, Told
from streamer.live.stream import LiveStream

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
REFUSED_RETRY_S = 15.0  # cameras lock out whoever tries a wrong password often
REFUSED_RETRY_AT_MOST_S = 300.0
STEADY_S = 15.0  # a connection that lasts shorter is one more failure


class LiveCamera:
    """Watches one camera from `start` until `stop`; what it makes goes into `outbox`."""

    def __init__(
        self,
        spec: CameraSpec,
        live: Live,
        *,
        spool: Spool,
        work_folder: Path,
        outbox: "queue.SimpleQueue[Told]",
        last_end: datetime | None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to watch.

        Args:
            spec: The camera.
            live: How cameras are watched.
            spool: Where finished segments go; on the disk of `work_folder`.
            work_folder: A folder of this camera's own for unfinished files.
            outbox: Who enters and publishes them.
            last_end: Where this camera's footage ended when it was last watched.
            utc_now: The clock.
        """
        self.spec, self.live, self.work_folder, self._spool = spec, live, work_folder, spool
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
        with about(camera_id=self.spec.camera):
            self._watch_again_and_again()

    def _watch_again_and_again(self) -> None:
        lost, refused = self._waits()

        def wait_s(attempt: RetryCallState) -> float:
            error = attempt.outcome.exception() if attempt.outcome is not None else None
            return refused(attempt) if isinstance(error, CameraRefusedError | CameraFileError) else lost(attempt)

        try:
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
        except MediaStoreError as error:
            self._outbox.put(CameraFailed(error))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._outbox.put(CameraFailed(MediaStoreError(str(self.work_folder), reason)))
        finally:
            shutil.rmtree(self.work_folder, ignore_errors=True)

    def _waits(self) -> tuple[wait_random_exponential, wait_random_exponential]:
        most_s = self.live.retry_at_most_s
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
        shutil.rmtree(self.work_folder, ignore_errors=True)
        self.work_folder.mkdir(parents=True, exist_ok=True)
        try:
            stream = LiveStream(self.spec, connect_s=self.live.connect_s, stall_s=self.live.stall_s)
            try:
                CameraConnection(self, stream).watch()
            finally:
                stream.close()
        except (MediaStoreError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 — a camera that no one foresaw must not end the thread unseen
            if self._is_stopped.is_set():
                return
            known = error if isinstance(error, CameraError | CameraFileError) else self._unforeseen(error)
            self.lost(known)
            if time.monotonic() - began_s < STEADY_S or isinstance(known, CameraRefusedError):
                raise known from None

    def _unforeseen(self, error: Exception) -> CameraError:
        """What is made of an error that nobody expected; its own words may hold anything, so they are scrubbed."""
        told = scrubbed("".join(traceback.format_exception(error)), self.spec.opening_url())
        logger.error("camera failed in a way nobody expected", extra={"camera_id": self.spec.camera, "said": told})
        return CameraError(self.spec.camera, self.spec.shown_url, f"unforeseen {type(error).__name__}")

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

    def frame_came(self) -> None:
        """Note when, by our own clock: the camera's may be off, and a segment ends only seconds later."""
        self.state = replace(self.state, last_frame_at=self._utc_now())

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
        """Put a finished video into the spool and tell of it.

        Raises:
            MediaStoreError: the disk does not take it.
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
        segment = LiveSegment(ready, size_bytes, gap_since, is_encoded=not video.is_copy)
        self._spool.keep(segment, video.path)
        self._outbox.put(segment)
        self._has_begun = True
        self._previous_id, self._last_end = segment_id, started_at + timedelta(seconds=duration_s)

    def _say_once(self, text: str, reason: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning(text, extra={"camera_id": self.spec.camera, "reason": reason})
