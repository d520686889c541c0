"""A person's crop as a request carries it. Pure."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE_PX = 768  # twice what the vision tower of the published HumanVLM takes in


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG in base64: lossless, so that a server answers about the same pixels as a model in this process."""

    png_base64: str

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "Picture":
        """The picture of RGB pixels (h, w, 3); one with a side above `LONGEST_SIDE_PX` is made smaller."""
        height, width = pixels.shape[:2]
        scale = LONGEST_SIDE_PX / max(height, width)
        if scale < 1:
            size_wh = max(round(width * scale), 1), max(round(height * scale), 1)
            pixels = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
        written, encoded = cv2.imencode(".png", pixels[:, :, ::-1])
        assert written, "OpenCV encodes every 8-bit picture"
        return cls(base64.b64encode(encoded.tobytes()).decode())

    @property
    def data_url(self) -> str:
        """The picture as a URL that holds it whole."""
        return f"data:image/png;base64,{self.png_base64}"
