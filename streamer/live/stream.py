"""One connection to a camera: its packets, with times, and one clear reason when it fails. No secret leaves here."""

import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import av
import av.error

from streamer.bus.camera_url import scrubbed, shown_url
from streamer.errors import CameraError, CameraRefusedError
from streamer.live.times import PacketTimes

RTSP = {"rtsp_transport": "tcp", "allowed_media_types": "video"}
# A playlist may name other places: never files of this machine.
HTTP = {"protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy"}
USUAL_FPS = 25
TREMOR_S = 0.5  # times that go back by less are a careless camera's, not a leap
LEAP_S, LEAP_FRAMES = 2.0, 5  # without a frame, whichever is longer: something is missing
WITHOUT_SPS = b""
LOOK_INTO_BYTES = 512  # parameter sets come first in a keyframe
SPS = {"h264": lambda first: first & 0x1F == 7, "hevc": lambda first: first >> 1 & 0x3F == 33}
REFUSALS = {
    av.error.HTTPUnauthorizedError: "it refuses the user name or the password (401)",
    av.error.HTTPForbiddenError: "it forbids this user to watch (403)",
    av.error.HTTPNotFoundError: "it has no such stream (404)",
}


class LiveStream:
    """The first video stream at `url`, open; belongs to one thread.

    Raises (from everything that reads): `CameraError`, and `CameraRefusedError` when the camera says no.
    """

    def __init__(self, camera_id: str, url: str, *, connect_s: float, stall_s: float) -> None:
        """Connect; a camera that does not answer within `connect_s`, or is silent for `stall_s`, has failed."""
        self._camera_id, self._url, self._stall_s = camera_id, url, stall_s
        self.may_tell_time = urlsplit(url).scheme.startswith("rtsp")
        options = RTSP if self.may_tell_time else HTTP
        try:
            self._container = av.open(url, options=dict(options), timeout=(connect_s, stall_s))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error, f"no picture within {connect_s:g} s") from None  # its text holds the address
        videos = self._container.streams.video
        if not videos or not videos[0].codec_context.width:
            self.close()
            raise CameraError(camera_id, shown_url(url), "it shows no picture")
        self.stream: Any = videos[0]
        rate = self.stream.average_rate or self.stream.guessed_rate or USUAL_FPS
        self.fps = float(rate)
        self.frame_ticks = max(1, round(1 / (rate * self.stream.time_base)))
        self._tremor_ticks = round(TREMOR_S / self.stream.time_base)
        self._leap_ticks = max(round(LEAP_S / self.stream.time_base), LEAP_FRAMES * self.frame_ticks)
        self._first_sps = WITHOUT_SPS

    def close(self) -> None:
        """Hang up."""
        self._container.close()

    def packets(self) -> Iterator[Any]:
        """Packets as they come, each with a `pts` and a `dts` that grows; ends only by an error."""
        times = PacketTimes(frame_ticks=self.frame_ticks, tremor_ticks=self._tremor_ticks)
        for packet in self._demuxed():
            yield from times.add(packet)

    def is_break(self, before: Any | None, packet: Any) -> bool:
        """Whether stream time leaps between two packets: what lies between is missing, or the camera set its clock."""
        return before is not None and not 0 < packet.dts - before.dts <= self._leap_ticks

    def camera_time_s(self, packet: Any) -> float | None:
        """The camera's own clock for a packet, seconds since 1970; None before its first RTCP sender report."""
        if not packet.has_sidedata("prft"):
            return None
        (wall_us,) = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))
        return float(wall_us) / 1e6

    def check_form(self, packet: Any) -> None:
        """Find out whether the picture has changed its size or kind; what was opened then does not fit any more.

        Raises:
            CameraError: it has.
        """
        sps = parameter_set(bytes(memoryview(packet)[:LOOK_INTO_BYTES]), self.stream.codec_context.name)
        if sps and self._first_sps and sps != self._first_sps:
            raise CameraError(self._camera_id, shown_url(self._url), "the form of its picture changed")
        self._first_sps = sps or self._first_sps

    def _demuxed(self) -> Iterator[Any]:
        try:
            for packet in self._container.demux(self.stream):
                if packet.size:
                    yield packet
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error, f"nothing came for {self._stall_s:g} s") from None
        raise CameraError(self._camera_id, shown_url(self._url), "it ended the stream")

    def _failure(self, error: Exception, on_timeout: str) -> CameraError:
        for kind, reason in REFUSALS.items():
            if isinstance(error, kind):
                return CameraRefusedError(self._camera_id, shown_url(self._url), reason)
        if isinstance(error, av.error.ExitError | av.error.TimeoutError):
            reason = on_timeout
        elif isinstance(error, av.error.EOFError):
            reason = "it ended the stream"
        else:
            reason = scrubbed((getattr(error, "strerror", None) or type(error).__name__).lower(), self._url)
        return CameraError(self._camera_id, shown_url(self._url), reason)


def parameter_set(start: bytes, codec: str) -> bytes:
    """The sequence parameter set in the first bytes of a keyframe (Annex B); empty when there is none.

    >>> parameter_set(bytes.fromhex("00000001 6742c00a 00000001 68ce"), "h264").hex()
    '6742c00a'
    """
    is_sps = SPS.get(codec)
    if is_sps is None:
        return WITHOUT_SPS
    for unit in start.split(b"\x00\x00\x01")[1:-1]:  # the last one may go on beyond these bytes
        if unit and is_sps(unit[0]):
            return unit.rstrip(b"\x00")
    return WITHOUT_SPS
