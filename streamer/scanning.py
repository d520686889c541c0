"""What a video file holds, read once without decoding: where it can be cut, and whether it breaks off.

A stretch of H.264 can be copied when it begins at a keyframe that no earlier frame and no frame shown before it needs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from streamer.errors import VideoReadError
from streamer.joining import JoinedTimes
from streamer.steps import Steps

# A "video" may be a playlist that names other files or hosts: only real containers, only this file.
OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,h264,hevc,mjpeg,m4v,ogg,rm,mxf",
}
COPYABLE_PIXELS = frozenset({"yuv420p", "yuvj420p"})  # what browsers play
STEP_PACKETS = 100  # a few seconds of video: some megabytes
SEEK_AHEAD_S = (0.0, 5.0, 60.0, None)  # None: from the beginning


@dataclass(frozen=True, slots=True)
class Gop:
    """A keyframe and what follows it up to the next one; instants in ticks of the stream's time base."""

    start_pts: int
    packet_count: int
    last_pts: int
    is_clean: bool  # nothing in it is shown before its keyframe, nothing in it needs earlier frames
    is_damaged: bool = False  # a part of it is missing


@dataclass(frozen=True, slots=True)
class Scan:
    """One video file."""

    path: Path
    gops: tuple[Gop, ...]
    time_base: Fraction
    frame_ticks: int  # how long the last frame is shown
    width_px: int
    height_px: int
    must_encode: str | None  # why it cannot be copied
    break_reason: str | None  # why it ends before it should
    created_at: str | None  # the container's own creation time, ISO 8601
    is_timed: bool = True  # packets say when they are shown; a bare H.264 stream does not
    runs_backwards: bool = False  # packets say so, but not in one order: no time says where in the file it is
    rotation_deg: int = 0  # how a player turns it, counter-clockwise

    @property
    def start_pts(self) -> int:
        """When the first frame is shown."""
        return self.gops[0].start_pts

    @property
    def end_pts(self) -> int:
        """When the last frame ends."""
        return max(gop.last_pts for gop in self.gops[-2:]) + self.frame_ticks

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        return float((self.end_pts - self.start_pts) * self.time_base)

    def keyframe_before(self, pts: int) -> int:
        """When the last keyframe is shown from which a frame shown at `pts` can be decoded."""
        return max((gop.start_pts for gop in self.gops if gop.start_pts <= pts), default=self.start_pts)

    def seconds(self, pts: int) -> float:
        """Seconds from the file's first frame to the instant `pts`."""
        return float((pts - self.start_pts) * self.time_base)


def scanning(path: Path) -> Steps[Scan]:
    """Read the packets of `path`, in steps.

    Raises:
        VideoReadError: no video, or no frame in it.
    """
    with open_video(path) as (container, stream):
        reader = _PacketReader(stream)
        broken = yield from reader.read(container)
        if not reader.gops:
            raise VideoReadError(path, broken or "it holds no frame")
        found = Scan(
            path=path,
            gops=tuple(reader.gops),
            time_base=stream.time_base,
            frame_ticks=reader.frame_ticks(),
            width_px=stream.width,
            height_px=stream.height,
            must_encode=reader.must_encode or _not_copyable(stream),
            break_reason=broken or _promised_more(stream, reader),
            created_at=container.metadata.get("creation_time") or stream.metadata.get("creation_time"),
            is_timed=reader.is_timed,
            runs_backwards=reader.runs_backwards,
        )
    rotation_deg = _rotation_deg(path)
    if rotation_deg:
        found = replace(found, must_encode=found.must_encode or "pictures lie on their side", rotation_deg=rotation_deg)
    return found if found.must_encode else _with_tail_checked(found)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """The open container and its first video stream.

    Raises:
        VideoReadError: the file cannot be opened as a video.
    """
    try:
        if path.stat().st_size == 0:
            raise VideoReadError(path, "the file is empty")
        container = av.open(str(path.absolute()), options=OPTIONS)  # `12:30.mp4` alone would be a protocol
    except av.error.FFmpegError as error:
        raise VideoReadError(path, f"it is no video: {said(error)}") from error
    except OSError as error:
        raise VideoReadError(path, error.strerror or str(error)) from error
    with container:
        if not container.streams.video:
            raise VideoReadError(path, "it holds no video stream")
        yield container, container.streams.video[0]


def packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets in file order, without the empty one at the end."""
    for packet in container.demux(stream):
        if packet.size:
            yield packet


def packets_from(path: Path, start_pts: int | None) -> Iterator[Any]:
    """The packets of the file at `path` in their order, from the keyframe shown at `start_pts`, or all for None.

    Raises:
        VideoReadError: the file cannot be opened.
    """
    # Containers without an index may land behind the keyframe asked for; then it is tried from further ahead.
    for ahead_s in SEEK_AHEAD_S if start_pts is not None else (None,):
        with open_video(path) as (container, stream):
            stream.thread_type = "AUTO"
            if start_pts is not None and ahead_s is not None and not _sought(stream, start_pts, ahead_s):
                continue
            has_begun = start_pts is None
            for packet in packets(container, stream):
                is_key = packet.is_keyframe and packet.pts is not None
                if not has_begun and is_key and packet.pts > start_pts:
                    break
                has_begun = has_begun or (is_key and packet.pts == start_pts)
                if has_begun:
                    yield packet
            if has_begun:
                return


def _sought(stream: Any, start_pts: int, ahead_s: float) -> bool:
    try:
        stream.container.seek(start_pts - round(ahead_s / stream.time_base), stream=stream, backward=True)
    except av.error.FFmpegError:
        return False
    return True


def said(error: Exception) -> str:
    """What FFmpeg says, without its numbers and places."""
    return (getattr(error, "strerror", None) or str(error)).lower()


class _PacketReader:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.gops: list[Gop] = []
        self.must_encode: str | None = None
        self.is_timed = True
        self.runs_backwards = False
        self.packet_count = 0
        self._last_dts: int | None = None
        self._last_duration = 0
        self._times = JoinedTimes(stream.time_base, frame_ticks=self.frame_ticks())

    def read(self, container: Any) -> Steps[str | None]:
        """Take in every packet, in steps; returns why reading broke off, if it did."""
        damaged = None
        try:
            for packet in packets(container, self._stream):
                if damaged is not None:  # something comes behind it: it is a hole in the file, and not its end
                    self._take(damaged)
                damaged = packet if packet.is_corrupt else None
                if damaged is None:
                    self._take(packet)
                if self.packet_count % STEP_PACKETS == 0:
                    yield
        except av.error.FFmpegError as error:
            return f"reading broke off: {said(error)}"
        return "the file breaks off inside a frame" if damaged is not None else None

    def frame_ticks(self) -> int:
        rate = self._stream.average_rate or self._stream.guessed_rate
        if self._last_duration > 0:
            return self._last_duration
        return max(1, round(1 / (rate * self._stream.time_base))) if rate else 1

    def _take(self, packet: Any) -> None:
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            pts = self.packet_count * self.frame_ticks()
            self.is_timed = False
        self._note_oddities(packet)
        pts += self._shift_ticks(packet)
        self.packet_count += 1
        self._last_duration = packet.duration or self._last_duration
        if packet.is_keyframe or not self.gops:
            self.gops.append(Gop(pts, 1, pts, is_clean=packet.is_keyframe, is_damaged=packet.is_corrupt))
            return
        gop = self.gops[-1]
        self.gops[-1] = replace(
            gop,
            packet_count=gop.packet_count + 1,
            last_pts=max(gop.last_pts, pts),
            is_clean=gop.is_clean and pts >= gop.start_pts,
            is_damaged=gop.is_damaged or packet.is_corrupt,
        )

    def _shift_ticks(self, packet: Any) -> int:
        """What leaps back have to be made up for by; `dts` is in the packets' own order."""
        if packet.dts is None:
            return 0
        self._times.of(packet.dts)
        return self._times.shift_ticks

    def _note_oddities(self, packet: Any) -> None:
        dts = packet.dts
        if packet.pts is None or dts is None:
            self.must_encode = "frames without times"
        elif packet.is_discard:
            self.must_encode = "frames that are not to be shown"
        elif self._last_dts is not None and dts <= self._last_dts:
            self.must_encode = "times that run backwards"
            self.runs_backwards = True
        self._last_dts = dts if dts is not None else self._last_dts


def _not_copyable(stream: Any) -> str | None:
    codec = stream.codec_context
    if codec.name != "h264":
        return f"codec {codec.name}"
    if codec.pix_fmt not in COPYABLE_PIXELS:
        return f"pixels {codec.pix_fmt}"
    return None


def _rotation_deg(path: Path) -> int:
    with open_video(path) as (container, stream):
        try:
            first = next(container.decode(stream), None)
        except av.error.FFmpegError:
            return 0
        return round((first.rotation if first is not None else 0) / 90) * 90 % 360


def _promised_more(stream: Any, reader: _PacketReader) -> str | None:
    if stream.frames > reader.packet_count:
        return f"the container promises {stream.frames} frames and holds {reader.packet_count}"
    return None


def _with_tail_checked(found: Scan) -> Scan:
    """Decode the last GOP, where a cut-off file has its unreadable frames, and leave those out."""
    tail, good, last_pts, reason = found.gops[-1], 0, found.gops[-1].start_pts, None
    if tail.is_damaged:
        return found  # it is not copied
    try:
        for packet in packets_from(found.path, tail.start_pts if len(found.gops) > 1 else None):
            if packet.is_corrupt:
                break
            packet.decode()
            good, last_pts = good + 1, max(last_pts, packet.pts)
    except av.error.FFmpegError as error:
        reason = f"its end does not decode: {said(error)}"
    if good >= tail.packet_count:
        return replace(found, break_reason=found.break_reason or reason)
    if good == 0 and len(found.gops) == 1:
        raise VideoReadError(found.path, "no frame of it can be decoded")
    gops = found.gops[:-1] if good == 0 else (*found.gops[:-1], replace(tail, packet_count=good, last_pts=last_pts))
    return replace(found, gops=gops, break_reason=found.break_reason or reason)
