"""One connection to a camera: its packets, with times, and one clear reason when it fails. No secret leaves here."""

import errno
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import av
import av.error

from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_url import is_encrypted, scrubbed, shown_url
from streamer.errors import CameraError, CameraRefusedError
from streamer.live.checked_web import NO_OWN_CONNECTIONS, CheckedWeb
from streamer.live.times import PacketTimes
from streamer.live.trust import authorities, cannot_read, distrust_of, trusting

RTSP = {"rtsp_transport": "tcp", "allowed_media_types": "video"}
# A playlist may name other places: never files of this machine.
HTTP = {"protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy"}
USUAL_FPS = 25
DISTRUST_S = 5.0
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

    def __init__(self, camera: CameraSpec, *, connect_s: float, stall_s: float) -> None:
        """Connect; a camera that does not answer within `connect_s`, or is silent for `stall_s`, has failed.

        Raises:
            CameraFileError: the password file cannot be read.
        """
        self._camera_id, self._url, self._stall_s = camera.camera, camera.opening_url(), stall_s
        scheme = urlsplit(self._url).scheme.lower()
        self.may_tell_time = scheme.startswith("rtsp")
        # FFmpeg's own TLS (GnuTLS) knows this machine's authorities nowhere but on Red Hat's, so it is told of them.
        self._trusted = authorities(camera.ca_file) if camera.tls_verify and is_encrypted(self._url) else None
        self._web: CheckedWeb | None = None
        try:
            self._container = self._opened(scheme, connect_s, stall_s)
        except (av.error.FFmpegError, OSError) as error:
            self._hang_up()
            raise self._failure(error, f"no picture within {connect_s:g} s") from None  # its text holds the address
        except CameraError:
            self._hang_up()
            raise
        videos = self._container.streams.video
        if not videos or not videos[0].codec_context.width:
            self.close()
            raise CameraError(self._camera_id, shown_url(self._url), "it shows no picture")
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
        self._hang_up()

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

    def _opened(self, scheme: str, connect_s: float, stall_s: float) -> Any:
        timeout = connect_s, stall_s
        if scheme == "https" and self._trusted is not None:
            try:
                context = trusting(self._trusted)
            except OSError as error:
                raise CameraError(self._camera_id, shown_url(self._url), cannot_read(self._trusted, error)) from error
            self._web = CheckedWeb(self._camera_id, self._url, context, connect_s=connect_s, stall_s=stall_s)
            options = {**HTTP, **NO_OWN_CONNECTIONS}
            return av.open(self._url, options=options, timeout=timeout, io_open=self._web.open)
        options = dict(RTSP if self.may_tell_time else HTTP)
        if self._trusted is not None:
            options |= {"tls_verify": "1", "ca_file": str(self._trusted)}
        return av.open(self._url, options=options, timeout=timeout)

    def _hang_up(self) -> None:
        if self._web is not None:
            self._web.close()

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
        distrust = None
        if self._trusted is not None and self._web is None and getattr(error, "errno", None) == errno.EIO:
            distrust = distrust_of(self._url, self._trusted, timeout_s=DISTRUST_S)
        if distrust is not None:
            reason = distrust
        elif isinstance(error, av.error.ExitError | av.error.TimeoutError):
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
