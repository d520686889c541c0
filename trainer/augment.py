"""Another view of the same person: cut, covered, recoloured and worn down as cameras do, and what it then shows. Pure.

Hue is only changed where the attributes change with it: a colour that the picture shows and the caption denies would
teach the model to ignore colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.heads import with_other_head
from trainer.people import Answer, Attributes, Box, Person

Pixels = NDArray[np.uint8]
_HUE = {"red": 177, "orange": 9, "yellow": 27, "green": 62, "blue": 110}  # OpenCV's half degrees
_HAT_SHARES = {"yellow": 0.4, "orange": 0.2, "red": 0.2, "blue": 0.2}
_TOP_SHARES = {"red": 0.5, "blue": 0.25, "green": 0.25}
_VEST_SHARES = {"yellow": 0.4, "orange": 0.5, "red": 0.1}
_HIDDEN_BELOW, _VISIBLE_FROM = 0.2, 0.6  # shares of a part that count as out of sight and in sight


@dataclass(frozen=True, slots=True)
class View:
    """A crop (h, w, 3) uint8 RGB as the model may meet it, and what is true of the person in it."""

    pixels: Pixels
    attributes: Attributes


def plain_view(person: Person, *, margin: float = 0.06) -> View:
    """The person's box with a small margin, nothing changed."""
    window = _window(person, np.array([-margin, -margin, margin, margin]))
    return View(_cut(person.pixels, window), person.attributes)


def hidden_view(person: Person, part: Literal["head", "torso"]) -> View | None:
    """The half of a person that hides a part; None where it is not known where the part is, or nothing else is left."""
    window = _window(person, np.array([-0.06, -0.06, 0.06, 0.06]))
    if part == "head" and person.head_xyxy is not None:
        window[1] = person.head_xyxy[3]
    elif part == "torso" and person.torso_xyxy is not None:
        window[3] = person.torso_xyxy[1]
    else:
        return None
    if window[3] - window[1] < 24 or _share(person.head_xyxy if part == "head" else person.torso_xyxy, window) > 0.1:
        return None
    return View(_cut(person.pixels, window), _seen_in(person, window))


def changed_view(person: Person, chance: np.random.Generator, donors: Sequence[Person] = ()) -> View:
    """A random other view of a person, who may get the head of one of the donors."""
    if chance.random() < 0.3:
        person = with_other_head(person, donors, chance)
    pixels, attributes = _recoloured(person, chance)
    coloured = replace_pixels(person, pixels, attributes)
    drawn = chance.random()
    view: View | None = None
    if drawn < 0.2:
        view = hidden_view(coloured, "head" if chance.random() < 0.55 else "torso")
    elif drawn < 0.28:
        view = _covered(coloured, chance)
    if view is None:
        edges = chance.normal(0.0, 0.05, 4) + np.array([-0.07, -0.06, 0.07, 0.06])
        window = _window(coloured, edges.clip(-0.25, 0.25))
        view = View(_cut(coloured.pixels, window), _seen_in(coloured, window))
    return _worn(view, chance)


def replace_pixels(person: Person, pixels: Pixels, attributes: Attributes) -> Person:
    """The same person in other pixels."""
    return replace(person, pixels=pixels, attributes=attributes)


def _window(person: Person, edges: NDArray[np.float64]) -> Box:
    """The person's box, moved at each edge by a share of its size; inside the cut that is kept of the photo."""
    box = person.box_xyxy
    size = np.tile(box[2:] - box[:2], 2)
    height, width = person.pixels.shape[:2]
    window = (box + edges * size).clip(0, [width, height, width, height])
    return np.asarray(window, dtype=np.float32)


def _cut(pixels: Pixels, window: Box) -> Pixels:
    x0, y0, x1, y1 = np.round(window).astype(int)
    return pixels[y0 : max(y1, y0 + 4), x0 : max(x1, x0 + 4)]


def _share(part: Box | None, window: Box) -> float:
    if part is None:
        return 1.0
    sides = np.minimum(part[2:], window[2:]) - np.maximum(part[:2], window[:2])
    return float(np.prod(np.maximum(sides, 0)) / max(float(np.prod(part[2:] - part[:2])), 1.0))


def _seen_in(person: Person, window: Box) -> Attributes:
    """What is still known when only a window of the person is seen."""
    known = person.attributes
    head, torso = _share(person.head_xyxy, window), _share(person.torso_xyxy, window)

    def kept(answer: Answer | None, share: float) -> Answer | None:
        if answer is None or share >= _VISIBLE_FROM:
            return answer
        return "hidden" if share < _HIDDEN_BELOW else None

    legs_end = float(person.box_xyxy[3])
    legs_seen = window[3] > legs_end - 0.15 * (legs_end - person.box_xyxy[1])
    return replace(
        known,
        hard_hat=kept(known.hard_hat, head),
        hat_colour=known.hat_colour if head >= _VISIBLE_FROM else None,
        mask=kept(known.mask, head),
        vest=kept(known.vest, torso),
        vest_colour=known.vest_colour if torso >= _VISIBLE_FROM else None,
        top_colour=known.top_colour if torso >= _VISIBLE_FROM else None,
        trousers_colour=known.trousers_colour if legs_seen else None,
        nearby=known.nearby if min(head, torso) > _VISIBLE_FROM else (),
    )


def _covered(person: Person, chance: np.random.Generator) -> View | None:
    """The person behind something: a part is covered by a flat or grainy patch, or by another piece of the photo."""
    is_head = chance.random() < 0.55
    part = person.head_xyxy if is_head else person.torso_xyxy
    if part is None:
        return None
    pixels = person.pixels.copy()
    height, width = pixels.shape[:2]
    grow = 0.25 * np.tile(part[2:] - part[:2], 2) * np.array([-1, -1, 1, 1])
    x0, y0, x1, y1 = (part + grow).clip(0, [width, height, width, height]).astype(int)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    if chance.random() < 0.5:
        patch = np.full((y1 - y0, x1 - x0, 3), chance.integers(0, 256, 3), dtype=np.float64)
        patch += chance.normal(0, chance.uniform(0, 25), patch.shape)
        pixels[y0:y1, x0:x1] = patch.clip(0, 255).astype(np.uint8)
    else:
        strip = pixels[height - max(height // 4, 4) :, : max(width // 4, 4)]
        pixels[y0:y1, x0:x1] = cv2.resize(strip, (x1 - x0, y1 - y0))
    attributes = person.attributes
    hidden = (
        replace(
            attributes,
            hard_hat=None if attributes.hard_hat is None else "hidden",
            mask=None if attributes.mask is None else "hidden",
            hat_colour=None,
        )
        if is_head
        else replace(attributes, vest=None if attributes.vest is None else "hidden", vest_colour=None, top_colour=None)
    )
    covered = replace_pixels(person, pixels, hidden)
    return plain_view(covered)


def _recoloured(person: Person, chance: np.random.Generator) -> tuple[Pixels, Attributes]:
    """The person with the hat or vest in another colour, now and then: few photos hold most of each colour."""
    pixels, attributes = person.pixels, person.attributes
    if attributes.hat_colour in _HUE and person.head_xyxy is not None and chance.random() < 0.3:
        target = _drawn(_HAT_SHARES, chance)
        pixels = _with_hue(pixels, person.head_xyxy, _HUE[attributes.hat_colour], _HUE[target], chance)
        attributes = replace(attributes, hat_colour=target)
    if attributes.vest_colour in _HUE and person.torso_xyxy is not None and chance.random() < 0.35:
        target = _drawn(_VEST_SHARES, chance)
        pixels = _with_hue(pixels, person.torso_xyxy, _HUE[attributes.vest_colour], _HUE[target], chance)
        attributes = replace(attributes, vest_colour=target)
    if attributes.vest == "no" and person.torso_xyxy is not None and chance.random() < 0.12:
        target = _drawn(_TOP_SHARES, chance)
        pixels = _dyed(pixels, person.torso_xyxy, _HUE[target], chance)
        attributes = replace(attributes, top_colour=target)
    return pixels, attributes


def _drawn(shares: dict[str, float], chance: np.random.Generator) -> str:
    return str(chance.choice(list(shares), p=list(shares.values())))


def _dyed(pixels: Pixels, box: Box, hue: int, chance: np.random.Generator) -> Pixels:
    """A copy in which the cloth in the middle of a box has another colour, whatever it had."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box.clip(0, [width, height, width, height]).astype(int)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return pixels
    dyed = pixels.copy()
    hsv = cv2.cvtColor(dyed[y0:y1, x0:x1], cv2.COLOR_RGB2HSV).astype(np.int64)
    rows, columns = np.mgrid[-1 : 1 : (y1 - y0) * 1j, -1 : 1 : (x1 - x0) * 1j]
    cloth = rows**4 + columns**4 < 0.9
    hsv[..., 0] = np.where(cloth, (hue + int(chance.integers(-4, 3))) % 180, hsv[..., 0])
    hsv[..., 1] = np.where(cloth, int(chance.integers(130, 230)), hsv[..., 1])
    hsv[..., 2] = np.where(cloth, (hsv[..., 2] + 60).clip(max=235), hsv[..., 2])
    dyed[y0:y1, x0:x1] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return dyed


def _with_hue(pixels: Pixels, box: Box, hue: int, wanted: int, chance: np.random.Generator) -> Pixels:
    """A copy in which what has about this hue inside a box has another one."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box.clip(0, [width, height, width, height]).astype(int)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return pixels
    changed = pixels.copy()
    hsv = cv2.cvtColor(changed[y0:y1, x0:x1], cv2.COLOR_RGB2HSV).astype(np.int64)
    away = (hsv[..., 0] - hue + 90) % 180 - 90
    chosen = (np.abs(away) < 20) & (hsv[..., 1] > 50) & (hsv[..., 2] > 40)
    hsv[..., 0] = np.where(chosen, (wanted + away // 3 + int(chance.integers(-2, 3))) % 180, hsv[..., 0])
    if hue > 80 and wanted < 80:  # a blue is darker than the yellow or orange that looks as bright
        lighter = 255 * (hsv[..., 2] / 255) ** 0.55
        hsv[..., 2] = np.where(chosen, lighter.astype(np.int64), hsv[..., 2])
    changed[y0:y1, x0:x1] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return changed


def _worn(view: View, chance: np.random.Generator) -> View:
    """Mirrored, brighter or darker, smaller, blurred, compressed: what lies between a person and a crop of a video."""
    pixels = np.ascontiguousarray(view.pixels[:, ::-1] if chance.random() < 0.5 else view.pixels)
    if chance.random() < 0.7:
        pixels = _relit(pixels, chance)
    if chance.random() < 0.5:
        pixels = _shrunk(pixels, int(chance.integers(56, 180)))
    if chance.random() < 0.15:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), chance.uniform(0.5, 1.2)), dtype=np.uint8)
    if chance.random() < 0.4:
        pixels = _compressed(pixels, int(chance.integers(25, 85)))
    if chance.random() < 0.02:
        return _greyed(View(pixels, view.attributes))
    return View(pixels, view.attributes)


def _relit(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    levels = np.arange(256) / 255
    curve = levels ** chance.uniform(0.7, 1.4) * chance.uniform(0.75, 1.25) + chance.uniform(-0.06, 0.06)
    return np.asarray(cv2.LUT(pixels, (curve * 255).clip(0, 255).astype(np.uint8)), dtype=np.uint8)


def _shrunk(pixels: Pixels, tall_px: int) -> Pixels:
    if tall_px >= pixels.shape[0]:
        return pixels
    wide_px = max(round(pixels.shape[1] * tall_px / pixels.shape[0]), 8)
    return np.asarray(cv2.resize(pixels, (wide_px, tall_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _compressed(pixels: Pixels, quality: int) -> Pixels:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _greyed(view: View) -> View:
    grey = cv2.cvtColor(view.pixels, cv2.COLOR_RGB2GRAY)
    pixels = np.asarray(np.repeat(grey[..., None], 3, axis=2), dtype=np.uint8)
    colourless = replace(view.attributes, hat_colour=None, vest_colour=None, top_colour=None, trousers_colour=None)
    return View(pixels, colourless)
