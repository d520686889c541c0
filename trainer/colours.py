"""Names for the colours of pixels. Pure.

Names are read off hue, saturation and brightness and settled by vote, so that stripes, shadows and a bit of background
do not count. Where the vote is close or the picture has no colour, there is no name: a wrong one would be learnt.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

BLACK, GREY, WHITE, RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK, BROWN = NAMES = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
_CHROMATIC = (RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK, BROWN)
# Upper ends of hue in OpenCV's half degrees. Fluorescent orange begins at 3, where only pure red lies below it;
# fluorescent yellow reaches 45, where it would be called lime in print.
_HUES = ((3, RED), (19, ORANGE), (40, YELLOW), (84, GREEN), (129, BLUE), (149, PURPLE), (168, PINK), (181, RED))
_COLOURLESS_SATURATION = 14.0


def is_colourless(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture (h, w, 3) uint8 RGB is black and white, or nearly."""
    return bool(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)[..., 1].mean() < _COLOURLESS_SATURATION)


def equipment_colour(pixels: NDArray[np.uint8]) -> str | None:
    """The colour of a hard hat or vest that fills (h, w, 3) uint8 RGB; None where the vote is close.

    A vest is called by its cloth, not by its grey stripes: colours outvote greys.
    """
    shares = _shares(pixels)
    brown = shares.pop(BROWN)  # equipment is not brown: that is orange or yellow in the shade
    shares[ORANGE] += brown
    coloured = {name: share for name, share in shares.items() if name in _CHROMATIC}
    total = sum(coloured.values())
    if total >= 0.35:
        return _winner(coloured, at_least=0.6 * total)
    return _winner({name: shares[name] for name in (WHITE, GREY, BLACK)}, at_least=0.5)


def clothing_colour(pixels: NDArray[np.uint8]) -> str | None:
    """The colour of clothes that fill (h, w, 3) uint8 RGB; None where the vote is close."""
    return _winner(_shares(pixels), at_least=0.55)


def _shares(pixels: NDArray[np.uint8]) -> dict[str, float]:
    names = _named(pixels)
    return {name: float((names == index).mean()) for index, name in enumerate(NAMES)}


def _winner(shares: dict[str, float], *, at_least: float) -> str | None:
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= at_least else None


def _named(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).reshape(-1, 3).astype(np.int64)
    hue, saturation, value = hsv.T
    upper = np.array([end for end, _ in _HUES])
    of_hue = np.array([NAMES.index(name) for _, name in _HUES])
    named = of_hue[np.searchsorted(upper, hue, side="right").clip(max=len(upper) - 1)]
    warm_and_dim = (hue >= 3) & (hue < 25) & (value < 130)
    named = np.where(warm_and_dim, NAMES.index(BROWN), named)
    greys = np.where(value > 165, NAMES.index(WHITE), NAMES.index(GREY))
    named = np.where(saturation < 45, greys, named)
    return np.where(value < 50, NAMES.index(BLACK), named)
