"""What happens while one connection to a camera lasts: packets in, finished videos with their times out."""

import errno
import logging
import time
from typing import TYPE_CHECKING, Any

import av.error

from streamer.bus.errors import MediaStoreError
from streamer.errors import CameraError
from streamer.live.clock import LiveClock
from streamer.live.segmenter import LiveVideo, Segmenter
from streamer.live.stream import LiveStream

if TYPE_CHECKING:
    from streamer.live.camera import LiveCamera

logger = logging.getLogger(__name__)

AWAIT_CLOCK_S = 5.0
CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO})


class CameraConnection:
    """Belongs to its camera's thread."""

    def __init__(self, camera: "LiveCamera", stream: LiveStream) -> None:
        """Cut `stream` for `camera`, which is told of everything."""
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
            MediaStoreError: no file can be written.
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
        self._camera.frame_came()
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
            raise self._failure(error) from None
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

    def _failure(self, error: av.error.FFmpegError) -> CameraError | MediaStoreError:
        spec, said = self._camera.spec, (error.strerror or type(error).__name__).lower()
        if error.errno in CANNOT_WRITE:
            return MediaStoreError(str(self._camera.work_folder), said)
        return CameraError(spec.camera, spec.shown_url, f"its packets make no video: {said}")

    def _new_segmenter(self) -> Segmenter:
        return Segmenter(
            self._stream.stream,
            self._camera.work_folder,
            target_s=self._camera.live.segment_s,
            longest_gop_s=self._camera.live.longest_gop_s,
            frame_ticks=self._stream.frame_ticks,
            say_encoding=self._camera.say_encoding,
        )
