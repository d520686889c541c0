"""Writes an unbroken stretch of a live stream as segments: copied at keyframes, or encoded anew where they are rare."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error

from streamer.live.cutter import GopCutter, PacketRun
from streamer.writing import VideoEncoder, write_packets

COPIED = frozenset({"h264", "hevc"})  # everything else no browser plays and few decoders


@dataclass(frozen=True, slots=True)
class LiveVideo:
    """One finished file; times in ticks of the stream."""

    path: Path
    start_pts: int
    end_pts: int
    frame_count: int
    width_px: int
    height_px: int
    is_copy: bool


class Segmenter:
    """Belongs to one connection and one thread.

    Raises (from `add` and `finish`): `av.error.FFmpegError` for packets that make no video, `OSError` when nothing can
    be written.
    """

    def __init__(
        self,
        stream: Any,
        folder: Path,
        *,
        target_s: float,
        longest_gop_s: float,
        frame_ticks: int,
        say_encoding: Callable[[str], None],
    ) -> None:
        """Write segments of `stream` into `folder`; `say_encoding` is told why, before anything is encoded."""
        self._stream, self._folder, self._frame_ticks = stream, folder, frame_ticks
        self._time_base: Fraction = stream.time_base
        self._target_ticks = round(target_s / self._time_base)
        self._cutter = GopCutter(
            target_ticks=self._target_ticks,
            longest_gop_ticks=round(longest_gop_s / self._time_base),
            frame_ticks=frame_ticks,
        )
        self._say_encoding, self._longest_gop_s = say_encoding, longest_gop_s
        self._encoder: VideoEncoder | None = None
        self._encoding_path = Path()
        self.is_encoding = False
        if stream.codec_context.name not in COPIED:
            self._begin_encoding(f"its codec is {stream.codec_context.name}")

    def add(self, packet: Any) -> Iterator[LiveVideo]:
        """Take one packet; the segments that it ends."""
        if self.is_encoding:
            yield from self._encode(_decoded([packet]))
            return
        run = self._cutter.add(packet)
        if run is not None:
            yield self._copy(run)
        if self._cutter.has_long_gop:
            self._begin_encoding(f"its keyframes are more than {self._longest_gop_s:g} s apart")
            held = self._cutter.finish()
            yield from self._encode(_decoded(held.packets if held is not None else []))

    def finish(self) -> Iterator[LiveVideo]:
        """The stream ends here: what is left of it."""
        if not self.is_encoding:
            run = self._cutter.finish()
            if run is not None:
                yield self._copy(run)
            return
        yield from self._encode(_decoder_rest(self._stream))
        if self._encoder is not None:
            yield self._finished(None)

    def give_up(self) -> None:
        """Leave what is unfinished."""
        self._cutter.finish()
        if self._encoder is not None:
            self._encoder.give_up()
            self._encoder = None

    def _begin_encoding(self, reason: str) -> None:
        self.is_encoding = True
        if not self._stream.codec_context.is_open:  # it is where an earlier stretch was encoded too, and so set already
            self._stream.thread_type = "NONE"  # twenty cameras share few cores
        self._say_encoding(reason)

    def _copy(self, run: PacketRun) -> LiveVideo:
        path = self._folder / f"{run.start_pts}.mp4"
        count = write_packets(run.packets, path, start_pts=run.start_pts)
        codec = self._stream.codec_context
        return LiveVideo(path, run.start_pts, run.end_pts, count, codec.width, codec.height, is_copy=True)

    def _encode(self, frames: Iterable[Any]) -> Iterator[LiveVideo]:
        for frame in frames:
            if frame.pts is None:
                continue
            if self._encoder is not None and frame.pts - self._encoder.first_pts >= self._target_ticks:
                yield self._finished(frame.pts)
            if self._encoder is None:
                self._encoding_path = self._folder / f"{frame.pts}.mp4"
                self._encoder = VideoEncoder(
                    self._encoding_path, frame, time_base=self._time_base, frame_ticks=self._frame_ticks
                )
            self._encoder.add(frame)

    def _finished(self, next_pts: int | None) -> LiveVideo:
        assert self._encoder is not None
        encoder, self._encoder = self._encoder, None
        encoder.finish()
        end_pts = encoder.first_pts + round(encoder.duration_s / self._time_base) if next_pts is None else next_pts
        return LiveVideo(
            self._encoding_path,
            encoder.first_pts,
            end_pts,
            encoder.frame_count,
            encoder.width_px,
            encoder.height_px,
            is_copy=False,
        )


def _decoded(packets: Iterable[Any]) -> Iterator[Any]:
    """Every frame that decodes; what was joined in the middle does not until its first keyframe."""
    for packet in packets:
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue


def _decoder_rest(stream: Any) -> Iterator[Any]:
    """What the decoder still holds; it then takes packets of another stretch."""
    with suppress(av.error.FFmpegError):
        yield from stream.codec_context.decode(None)
    stream.codec_context.flush_buffers()  # drained, it would answer every later packet with an end of file
