"""Frames brought to the size a detector reads, and its boxes brought back to the frame. Pure.

The same rule as Ultralytics' rectangular letterbox: the longer side becomes `image_size`, the shorter keeps the aspect
and is padded with grey to the next multiple of the network's largest stride, so 768x576 is read as 640x480 and
16:9 as 640x384.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
STRIDE_PX = 32
GREY = (114, 114, 114)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How frames of one size are placed on the network's canvas."""

    frame_size_wh: tuple[int, int]
    scaled_size_wh: tuple[int, int]
    canvas_size_wh: tuple[int, int]
    offset_xy: tuple[int, int]

    @classmethod
    def fit(cls, frame_size_wh: tuple[int, int], image_size: int) -> "Letterbox":
        """The placement of frames of `frame_size_wh`, the longer side as long as `image_size`.

        >>> Letterbox.fit((480, 270), 640).canvas_size_wh
        (640, 384)
        """
        width, height = frame_size_wh
        scale = min(image_size / width, image_size / height)
        scaled = max(round(width * scale), 1), max(round(height * scale), 1)
        spare_x, spare_y = -scaled[0] % STRIDE_PX, -scaled[1] % STRIDE_PX
        canvas = scaled[0] + spare_x, scaled[1] + spare_y
        offset = round(spare_x / 2 - 0.1), round(spare_y / 2 - 0.1)  # an odd pixel goes right and below
        return cls(frame_size_wh, scaled, canvas, offset)

    def place(self, frame: Frame) -> Frame:
        """The canvas with the frame on it, (H, W, 3) uint8, contiguous."""
        scaled = frame
        if self.scaled_size_wh != self.frame_size_wh:
            scaled = cv2.resize(frame, self.scaled_size_wh, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        if self.canvas_size_wh == self.scaled_size_wh:
            return np.ascontiguousarray(scaled)
        left, top = self.offset_xy
        right = self.canvas_size_wh[0] - self.scaled_size_wh[0] - left
        bottom = self.canvas_size_wh[1] - self.scaled_size_wh[1] - top
        return cv2.copyMakeBorder(scaled, top, bottom, left, right, cv2.BORDER_CONSTANT, value=GREY)  # type: ignore[return-value]

    def to_frame(self, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) on the canvas as pixels of the frame, clipped to it."""
        width, height = self.frame_size_wh
        gain_xy = np.float32(self.scaled_size_wh[0] / width), np.float32(self.scaled_size_wh[1] / height)
        shifted = boxes_xyxy - np.asarray([*self.offset_xy, *self.offset_xy], dtype=np.float32)
        scaled = shifted / np.asarray([*gain_xy, *gain_xy], dtype=np.float32)
        limits = np.asarray([width, height, width, height], dtype=np.float32)
        return np.clip(scaled, np.float32(0), limits).astype(np.float32)
