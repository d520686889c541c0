"""What lies between a person and a crop of a video: light, haze, lens, distance, noise, compression. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SHORTEST_PX, TALLEST_PX = 56, 220  # heights that far people are shrunk to; a person under 64 px is not asked about
ENOUGH_PX = 320  # taller than what a tower reads, and cheaper to work on than what the photos hold


@dataclass(frozen=True, slots=True)
class Shot:
    """A crop (h, w, 3) uint8 RGB as a camera may give it; `is_colourless` where it shows no colour any more."""

    pixels: Pixels
    is_colourless: bool = False


def filmed(pixels: Pixels, chance: np.random.Generator) -> Shot:
    """A crop (h, w, 3) uint8 RGB mirrored, lit, blurred, shrunk, compressed at random; one in three only mirrored."""
    pixels = shrunk(pixels, ENOUGH_PX)
    shot = np.ascontiguousarray(pixels[:, ::-1] if chance.random() < 0.5 else pixels)
    if chance.random() < 0.35:
        return Shot(shot)
    at_night, is_grey = chance.random() < 0.04, chance.random() < 0.02
    for share, change in _CHANGES:
        if chance.random() < share:
            shot = change(shot, chance)
    if at_night:
        shot = _darkened(shot, chance)
    if chance.random() < 0.6:
        shot = _shrunk(shot, chance)
    if at_night or chance.random() < 0.2:
        shot = _noisy(shot, chance)
    if is_grey:
        shot = _grey(shot)
    if chance.random() < 0.5:
        shot = compressed(shot, int(chance.integers(18, 88)))
    return Shot(shot, is_colourless=at_night or is_grey)


def shrunk(pixels: Pixels, tall_px: int, method: int = cv2.INTER_AREA) -> Pixels:
    """A crop that is at most `tall_px` tall."""
    if tall_px >= pixels.shape[0]:
        return pixels
    wide_px = max(round(pixels.shape[1] * tall_px / pixels.shape[0]), 8)
    return np.asarray(cv2.resize(pixels, (wide_px, tall_px), interpolation=method), dtype=np.uint8)


def compressed(pixels: Pixels, quality: int) -> Pixels:
    """A crop written as JPEG and read again."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _relit(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    levels = np.arange(256) / 255
    curve = levels ** chance.uniform(0.65, 1.5) * chance.uniform(0.7, 1.25) + chance.uniform(-0.06, 0.06)
    return np.asarray(cv2.LUT(pixels, _bytes(curve * 255)), dtype=np.uint8)


def _tinted(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """A white balance that is a little off: more, and orange would turn yellow."""
    gains = chance.normal(1.0, 0.035, 3).clip(0.92, 1.08)
    table = _bytes(np.arange(256)[:, None] * gains)[None]
    return np.asarray(cv2.LUT(pixels, table), dtype=np.uint8)


def _shaded(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Darker to one side, as under a roof's edge."""
    height, width = pixels.shape[:2]
    start, end = chance.permutation([1.0, chance.uniform(0.45, 0.8)])
    ramp = np.linspace(start, end, height)[:, None] if chance.random() < 0.5 else np.linspace(start, end, width)[None]
    return _bytes(pixels * np.broadcast_to(ramp, (height, width))[..., None])


def _hazy(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    share = chance.uniform(0.1, 0.35)
    return _bytes(pixels * (1 - share) + share * chance.uniform(120, 230))


def _blurred(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    spread = max(pixels.shape[0] * chance.uniform(0.001, 0.008), 0.4)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), spread), dtype=np.uint8)


def _moved(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Smeared sideways, as someone who walks."""
    wide = max(round(pixels.shape[1] * chance.uniform(0.02, 0.08)), 2)
    return np.asarray(cv2.blur(pixels, (wide, 1)), dtype=np.uint8)


def _darkened(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
    return _bytes((grey + (pixels - grey.astype(np.float32)) * chance.uniform(0.1, 0.6)) * chance.uniform(0.2, 0.5))


def _shrunk(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    tall_px = int(np.exp(chance.uniform(np.log(SHORTEST_PX), np.log(TALLEST_PX))))
    methods = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR)
    return shrunk(pixels, tall_px, methods[int(chance.integers(len(methods)))])


def _noisy(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    noise = chance.standard_normal(pixels.shape[:2], dtype=np.float32)[..., None]
    return _bytes(pixels + noise * np.float32(chance.uniform(2, 12)))


def _grey(pixels: Pixels) -> Pixels:
    return np.repeat(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)[..., None], 3, axis=2)


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(values.clip(0, 255), dtype=np.uint8)


_CHANGES: tuple[tuple[float, Callable[[Pixels, np.random.Generator], Pixels]], ...] = (
    (0.65, _relit),
    (0.25, _tinted),
    (0.12, _shaded),
    (0.06, _hazy),
    (0.15, _blurred),
    (0.06, _moved),
)
