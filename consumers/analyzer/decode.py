"""Video files to sampled frames. The reader is closed on return: an idle open Decord reader goes on decoding."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.analyzer.sampling import FrameIndices, sampled_fps, sampled_indices
from consumers.errors import VideoReadError
from streamer.bus.media import is_picture_uri

logger = logging.getLogger(__name__)

Frame = npt.NDArray[np.uint8]

LARGEST_SIDE_PX = 1920  # larger frames are decoded smaller: 50 frames of 4K would be 1.2 GB, and 640 px are detected on
FRAMES_A_READ = 16  # bounds what Decord holds beside the frames that are handed on


@dataclass(frozen=True, slots=True)
class SampledFrames:
    """The frames of a clip that are looked at.

    `frames` n of (H, W, 3) uint8 RGB; `at_s` (n,) float64 seconds from the clip's first frame; `scale` is pixels of the
    full frame per pixel of these; `size_wh` of these frames;
    `truncated_after_s` is the last readable instant of a clip that breaks off.
    """

    frames: list[Frame]
    at_s: npt.NDArray[np.float64]
    fps: float
    scale: float
    size_wh: tuple[int, int]
    truncated_after_s: float | None = None

    def without_frames(self) -> "SampledFrames":
        """The same with the pixels let go."""
        return replace(self, frames=[])


@dataclass(frozen=True, slots=True)
class _Clip:
    """What a container promises: how many frames, how fast, how large they are and are to be."""

    path: Path
    frame_count: int
    source_fps: float
    full_size_wh: tuple[int, int]
    size_wh: tuple[int, int]

    @property
    def scale(self) -> float:
        return self.full_size_wh[0] / self.size_wh[0]


def sample_frames(path: Path, *, target_fps: float, largest_side_px: int = LARGEST_SIDE_PX) -> SampledFrames:
    """The frames of a video file at about `target_fps`, every frame where the file is slower; of a picture, itself.

    Args:
        path: The video file, or the JPEG of a picture.
        target_fps: Frames per second of video.
        largest_side_px: Larger frames are decoded to this many pixels along their longer side.

    Raises:
        VideoReadError: The file cannot be opened as a video, or not one of its frames can be decoded.
    """
    if is_picture_uri(path.name):
        return _picture(path, target_fps)
    try:
        clip = _clip(path, largest_side_px)
        indices = sampled_indices(clip.frame_count, source_fps=clip.source_fps, target_fps=target_fps)
        frames, at_s = _decode(clip, indices)
    except _decord_errors() as error:
        logger.debug("Decord gave up, reading frame by frame", extra={"path": str(path), "reason": _said(error)})
        return _up_to_the_break(path, target_fps, largest_side_px, error)
    return SampledFrames(frames, at_s, sampled_fps(clip.source_fps, target_fps), clip.scale, clip.size_wh)


def _picture(path: Path, target_fps: float) -> SampledFrames:
    """A picture as it lies in the media store: one frame, as large as it is, for there is no second one to hold."""
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG",)) as opened:
            frame = np.asarray(opened.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise VideoReadError(path, f"it is no picture: {_said(error)}") from error
    height, width = frame.shape[:2]
    return SampledFrames([frame], np.zeros(1), target_fps, 1.0, (width, height))


class _UndecodableError(Exception):
    """Decord opened a file and found nothing in it."""


def _decord_errors() -> tuple[type[Exception], ...]:
    """What Decord raises: a plain RuntimeError on opening, its own error on reading."""
    import decord

    return RuntimeError, decord.DECORDError, _UndecodableError


@contextmanager
def _reader(path: Path, size_wh: tuple[int, int] | None = None) -> Iterator[Any]:
    import decord

    decord.logging.set_level(decord.logging.QUIET)  # a broken file is told once, by us
    width, height = size_wh or (-1, -1)
    reader = decord.VideoReader(str(path), width=width, height=height)
    try:
        yield reader
    finally:
        del reader


def _clip(path: Path, largest_side_px: int) -> _Clip:
    with _reader(path) as reader:
        if len(reader) == 0:
            raise _UndecodableError("it has no frames")
        height, width = reader[0].shape[:2]
        fps = float(reader.get_avg_fps())
        return _Clip(path, len(reader), fps, (width, height), _fitted((width, height), largest_side_px))


def _decode(clip: _Clip, indices: FrameIndices) -> tuple[list[Frame], npt.NDArray[np.float64]]:
    frames: list[Frame] = []
    with _reader(clip.path, clip.size_wh) as reader:
        for start in range(0, len(indices), FRAMES_A_READ):
            frames.extend(reader.get_batch(indices[start : start + FRAMES_A_READ].tolist()).asnumpy())
        shown_at = np.asarray(reader.get_frame_timestamp(range(clip.frame_count)), dtype=np.float64)[:, 0]
    return frames, shown_at[indices] - shown_at[0]


def _up_to_the_break(path: Path, target_fps: float, largest_side_px: int, cause: Exception) -> SampledFrames:
    """The sampled frames before the first one that does not decode.

    Decord reads ahead in a thread and raises a few frames early, not always the same: PyAV's frame by frame gives
    the same frames every time, which a replay needs.
    """
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return _read_on(container, stream, path, target_fps, largest_side_px)
    except (av.FFmpegError, IndexError) as error:
        raise VideoReadError(path, _said(cause if isinstance(error, IndexError) else error)) from error


def _read_on(container: Any, stream: Any, path: Path, target_fps: float, largest_side_px: int) -> SampledFrames:
    import av

    fps = float(stream.average_rate or stream.guessed_rate or 0)
    step = max(1.0, fps / target_fps)
    frames: list[Frame] = []
    at_s: list[float] = []
    full_size_wh, seen, started_at_s, last_s = (0, 0), 0, 0.0, 0.0
    try:
        for frame in container.decode(stream):
            full_size_wh = (frame.width, frame.height)
            moment_s = float(frame.time) if frame.time is not None else seen / (fps or target_fps)
            started_at_s = moment_s if seen == 0 else started_at_s
            last_s = moment_s - started_at_s
            if seen == int(len(frames) * step + 1e-9):
                width, height = _fitted(full_size_wh, largest_side_px)
                frames.append(frame.to_ndarray(format="rgb24", width=width, height=height))
                at_s.append(last_s)
            seen += 1
        is_broken = seen < stream.frames
    except av.FFmpegError as error:
        is_broken = True
        logger.debug("the clip breaks off", extra={"path": str(path), "after_s": last_s, "reason": _said(error)})
    if not frames:
        raise VideoReadError(path, "not one frame of it can be decoded")
    size_wh = _fitted(full_size_wh, largest_side_px)
    fps = sampled_fps(fps or target_fps, target_fps)
    truncated_after_s = round(last_s, 4) if is_broken else None
    return SampledFrames(frames, np.asarray(at_s), fps, full_size_wh[0] / size_wh[0], size_wh, truncated_after_s)


def _fitted(size_wh: tuple[int, int], largest_side_px: int) -> tuple[int, int]:
    """The size with its longer side at most `largest_side_px`, even numbers where it is changed.

    >>> _fitted((1280, 720), 1920), _fitted((3840, 2160), 1920)
    ((1280, 720), (1920, 1080))
    """
    ratio = largest_side_px / max(size_wh)
    if ratio >= 1:
        return size_wh
    return max(2, round(size_wh[0] * ratio / 2) * 2), max(2, round(size_wh[1] * ratio / 2) * 2)


def _said(error: BaseException) -> str:
    """The last line of an error, without FFmpeg's file name and Decord's stamps."""
    text = str(getattr(error, "strerror", None) or error).strip().splitlines()
    return text[-1].split("] ")[-1].strip() if text else type(error).__name__
