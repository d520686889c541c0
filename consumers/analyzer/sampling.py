"""Which frames of a clip are looked at. Pure."""

import math

import numpy as np
import numpy.typing as npt

from consumers.errors import SamplingError

FrameIndices = npt.NDArray[np.int64]


def sampled_indices(frame_count: int, *, source_fps: float, target_fps: float) -> FrameIndices:
    """Pick the frames that bring a clip down to `target_fps`; every frame of a slower clip.

    Returns:
        Strictly increasing frame indices, shape (n,), int64.

    Raises:
        SamplingError: One of the rates is not above 0.

    >>> sampled_indices(10, source_fps=10.0, target_fps=4.0)
    array([0, 2, 5, 7])
    >>> sampled_indices(3, source_fps=2.0, target_fps=5.0)
    array([0, 1, 2])
    """
    if not (source_fps > 0 and target_fps > 0):
        raise SamplingError(f"frame rates must be above 0, got {source_fps:g} fps sampled at {target_fps:g} fps")
    step = max(1.0, source_fps / target_fps)
    kept = math.ceil(frame_count / step)
    # The small addition keeps a step such as 3.0000000000000004 or 2.9999999999999996 from missing its frame.
    return np.asarray(np.arange(kept) * step + 1e-9, dtype=np.int64)


def sampled_fps(source_fps: float, target_fps: float) -> float:
    """Frames looked at per second of video.

    >>> sampled_fps(30.0, 5.0), sampled_fps(2.0, 5.0)
    (5.0, 2.0)
    """
    return min(source_fps, target_fps)


def wanted_fps(target_fps: float, at_most: float | None) -> float:
    """Frames a second to look at: fewer than usual where the segment says that analysis was behind.

    That is part of the segment and never changes, so the analysis keeps its revision, and people are linked on.

    >>> wanted_fps(5.0, None), wanted_fps(5.0, 2.0), wanted_fps(1.0, 2.0)
    (5.0, 2.0, 1.0)
    """
    return target_fps if at_most is None else min(target_fps, at_most)
