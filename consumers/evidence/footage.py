"""Pictures and clips out of segments: one frame, or the stretch around a moment across as many segments as it takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange

from consumers.errors import VideoReadError

Frame = npt.NDArray[np.uint8]

CLOCK = Fraction(1, 90_000)  # fine enough for every frame rate
# One thread: footage that waits to be looked at comes first, and the output is then a function of the input.
X264 = {"preset": "veryfast", "crf": "20", "threads": "1"}
KEYFRAME_EVERY = 50  # frames; a player seeks in a clip this short anyway
JPEG_QUALITY = 92
BOX_COLOUR = (255, 64, 0)  # RGB


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment's video and when its first frame was seen."""

    path: Path
    started_at: datetime


def frame_at(path: Path, at_s: float) -> Frame:
    """The frame of a video that is shown `at_s` seconds after its first one; RGB, (H, W, 3).

    Raises:
        VideoReadError: The video cannot be read up to there.
    """
    best: Any = None
    best_distance_s = float("inf")
    for moment_s, frame in _frames(path, from_s=at_s):
        distance_s = abs(moment_s - at_s)
        if distance_s > best_distance_s:
            break
        best, best_distance_s = frame, distance_s
    if best is None:
        raise VideoReadError(path, f"no frame of it can be decoded near second {at_s:g}")
    return np.ascontiguousarray(best.to_ndarray(format="rgb24"))


def boxed(frame: Frame, box_xyxy: Sequence[float]) -> Frame:
    """The frame with a box drawn around one person, in pixels of the frame."""
    left, top, right, bottom = (round(side) for side in box_xyxy)
    drawn = frame.copy()
    thick = max(2, round(frame.shape[0] / 270))
    cv2.rectangle(drawn, (left, top), (right, bottom), (0, 0, 0), thick + 2)
    cv2.rectangle(drawn, (left, top), (right, bottom), BOX_COLOUR, thick)
    return drawn


def jpeg(frame: Frame) -> bytes:
    """The frame as a JPEG."""
    written, encoded = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert written, "OpenCV encodes every 8-bit picture"
    return encoded.tobytes()


def cut_clip(pieces: Sequence[Piece], since: datetime, until: datetime, target: Path) -> timedelta:
    """Write what was seen from `since` to `until` as an MP4 that browsers play; returns how long it is.

    Frames are encoded anew, as only then a clip may begin and end between keyframes.

    Args:
        pieces: Segments in order of time; one that cannot be read is left out.
        since: The first instant that is wanted.
        until: The last one.
        target: The file to write.

    Raises:
        VideoReadError: None of the pieces has a readable frame in that stretch, or the target cannot be written.
    """
    frames = _wanted(pieces, since, until)
    first = next(frames, None)
    if first is None:
        raise VideoReadError(pieces[0].path if pieces else target, f"no frame can be read from {since} to {until}")
    try:
        with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as output:
            return _encode(output, first, frames)
    except (av.FFmpegError, OSError) as error:
        raise VideoReadError(target, f"cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _encode(output: Any, first: tuple[datetime, Any], frames: Iterator[tuple[datetime, Any]]) -> timedelta:
    began_at, picture = first
    # Half-size colour needs even sides; a rate is only a hint beside exact times.
    width, height = picture.width // 2 * 2, picture.height // 2 * 2
    stream = output.add_stream("libx264", rate=25, options=X264)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = CLOCK
    stream.codec_context.gop_size = KEYFRAME_EVERY
    seen_at = began_at
    for seen_at, frame in _chained(first, frames):
        painted = frame.reformat(
            width=width,
            height=height,
            format="yuv420p",
            src_color_range=frame.color_range,
            dst_color_range=ColorRange.MPEG,  # what a player takes it for; MJPEG and pictures have the full range
        )
        painted.pts, painted.time_base = round((seen_at - began_at).total_seconds() / CLOCK), CLOCK
        painted.pict_type = av.video.frame.PictureType.NONE  # the source's own choice of keyframes is not ours
        output.mux(stream.encode(painted))
    output.mux(stream.encode(None))
    return seen_at - began_at


def _chained(first: tuple[datetime, Any], rest: Iterator[tuple[datetime, Any]]) -> Iterator[tuple[datetime, Any]]:
    yield first
    yield from rest


def _wanted(pieces: Sequence[Piece], since: datetime, until: datetime) -> Iterator[tuple[datetime, Any]]:
    """Frames of that stretch with their instants, strictly later one after the other."""
    last_at: datetime | None = None
    for piece in pieces:
        from_s = max((since - piece.started_at).total_seconds(), 0.0)
        for moment_s, frame in _frames(piece.path, from_s=from_s):
            seen_at = piece.started_at + timedelta(seconds=moment_s)
            if seen_at > until:
                return
            if seen_at >= since and (last_at is None or seen_at > last_at):  # clocks of two segments may overlap
                last_at = seen_at
                yield seen_at, frame


def _frames(path: Path, *, from_s: float) -> Iterator[tuple[float, Any]]:
    """Frames with their seconds from the first, beginning at or before `from_s`; ends where the video breaks off."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            start_s = float((stream.start_time or 0) * stream.time_base)
            if from_s > 0:
                container.seek(round((start_s + from_s) / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.time is not None:
                    yield frame.time - start_s, frame
    except (av.FFmpegError, IndexError, OSError):
        return
