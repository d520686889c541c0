"""Pictures, boxes and small detectors for tests; all real."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detector import Detections
from model.ultralytics_loading import ultralytics_tamed


@cache
def packaged_picture(name: str) -> NDArray[np.uint8]:
    """`bus.jpg` or `zidane.jpg` of the installed Ultralytics package, RGB."""
    with ultralytics_tamed():
        from ultralytics.utils import ASSETS

    return np.asarray(cv2.imread(str(Path(ASSETS) / name), cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def found(*rows: Sequence[float]) -> Detections:
    """Detections from rows of x0, y0, x1, y1 and score."""
    table = np.asarray(rows, dtype=np.float32).reshape(-1, 5)
    return Detections(table[:, :4], table[:, 4])


def walk(
    *, start_x: float, step_px: float, frames: int, height_px: float = 100, score: float = 0.8
) -> list[Detections]:
    """One person walking sideways, a detection in every frame."""
    width = 0.35 * height_px
    starts = [start_x + step_px * i for i in range(frames)]
    return [found((x, 200, x + width, 200 + height_px, score)) for x in starts]
