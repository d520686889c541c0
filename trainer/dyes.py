"""The same hat, vest or top in another colour: few photos hold most of each colour. Pure.

Hue is only changed where the attributes change with it: a colour that the picture shows and the caption denies would
teach the model to ignore colours.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.people import Box, Person

Pixels = NDArray[np.uint8]
_HUE = {"red": 177, "orange": 10, "yellow": 27, "green": 62, "blue": 110}  # OpenCV's half degrees
_SPREAD = {"red": 2, "orange": 4, "yellow": 4, "green": 10, "blue": 8}  # how far a colour's hues reach from there
_HAT_SHARES = {"yellow": 0.35, "orange": 0.3, "red": 0.2, "blue": 0.15}
_TOP_SHARES = {"red": 0.5, "blue": 0.25, "green": 0.25}
_VEST_SHARES = {"yellow": 0.4, "orange": 0.45, "red": 0.15}


def recoloured(person: Person, chance: np.random.Generator) -> Person:
    """A person whose hat, vest or top has another colour now and then."""
    seen = person.attributes
    if seen.hard_hat == "yes" and person.head_xyxy is not None and chance.random() < 0.35:
        person = _other_hat(person, person.head_xyxy, chance)
    if seen.vest_colour in _HUE and person.torso_xyxy is not None and chance.random() < 0.35:
        target = _drawn(_VEST_SHARES, chance)
        pixels = _with_hue(person.pixels, person.torso_xyxy, str(seen.vest_colour), target, chance)
        person = replace(person, pixels=pixels, attributes=replace(person.attributes, vest_colour=target))
    if seen.vest == "no" and person.torso_xyxy is not None and chance.random() < 0.12:
        target = _drawn(_TOP_SHARES, chance)
        pixels = _dyed(person.pixels, person.torso_xyxy, _HUE[target], chance)
        person = replace(person, pixels=pixels, attributes=replace(person.attributes, top_colour=target))
    return person


def _other_hat(person: Person, head: Box, chance: np.random.Generator) -> Person:
    colour, target = person.attributes.hat_colour, _drawn(_HAT_SHARES, chance)
    if colour in _HUE:
        pixels = _with_hue(person.pixels, head, str(colour), target, chance)
    elif colour == "white":
        pixels = _tinted(person.pixels, head, target, chance)
    else:
        return person
    return replace(person, pixels=pixels, attributes=replace(person.attributes, hat_colour=target))


def _drawn(shares: dict[str, float], chance: np.random.Generator) -> str:
    return str(chance.choice(list(shares), p=list(shares.values())))


def _inside(box: Box, pixels: Pixels) -> tuple[int, int, int, int] | None:
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (int(v) for v in box.clip(0, [width, height, width, height]))
    return None if min(x1 - x0, y1 - y0) < 4 else (x0, y0, x1, y1)


def _dyed(pixels: Pixels, box: Box, hue: int, chance: np.random.Generator) -> Pixels:
    """A copy in which the cloth in the middle of a box has another colour, whatever it had."""
    corners = _inside(box, pixels)
    if corners is None:
        return pixels
    x0, y0, x1, y1 = corners
    dyed = pixels.copy()
    hsv = cv2.cvtColor(dyed[y0:y1, x0:x1], cv2.COLOR_RGB2HSV).astype(np.int64)
    rows, columns = np.mgrid[-1 : 1 : (y1 - y0) * 1j, -1 : 1 : (x1 - x0) * 1j]
    cloth = rows**4 + columns**4 < 0.9
    hsv[..., 0] = np.where(cloth, (hue + int(chance.integers(-4, 3))) % 180, hsv[..., 0])
    hsv[..., 1] = np.where(cloth, int(chance.integers(130, 230)), hsv[..., 1])
    hsv[..., 2] = np.where(cloth, (hsv[..., 2] + 60).clip(max=235), hsv[..., 2])
    dyed[y0:y1, x0:x1] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return dyed


def _tinted(pixels: Pixels, box: Box, target: str, chance: np.random.Generator) -> Pixels:
    """A copy in which what is bright and colourless inside a box has a colour."""
    corners = _inside(box, pixels)
    if corners is None:
        return pixels
    x0, y0, x1, y1 = corners
    tinted = pixels.copy()
    hsv = cv2.cvtColor(tinted[y0:y1, x0:x1], cv2.COLOR_RGB2HSV).astype(np.int64)
    chosen = (hsv[..., 1] < 70) & (hsv[..., 2] > 110)
    hsv[..., 0] = np.where(chosen, _hue_of(target, chance), hsv[..., 0])
    hsv[..., 1] = np.where(chosen, int(chance.integers(140, 240)), hsv[..., 1])
    tinted[y0:y1, x0:x1] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return tinted


def _with_hue(pixels: Pixels, box: Box, colour: str, target: str, chance: np.random.Generator) -> Pixels:
    """A copy in which what has about this colour inside a box has another one."""
    corners = _inside(box, pixels)
    if corners is None:
        return pixels
    x0, y0, x1, y1 = corners
    changed = pixels.copy()
    hsv = cv2.cvtColor(changed[y0:y1, x0:x1], cv2.COLOR_RGB2HSV).astype(np.int64)
    away = (hsv[..., 0] - _HUE[colour] + 90) % 180 - 90
    chosen = (np.abs(away) < 20) & (hsv[..., 1] > 50) & (hsv[..., 2] > 40)
    hsv[..., 0] = np.where(chosen, (_hue_of(target, chance) + away // 4) % 180, hsv[..., 0])
    if _HUE[colour] > 80 > _HUE[target]:  # a blue is darker than the yellow or orange that looks as bright
        lighter = 255 * (hsv[..., 2] / 255) ** 0.55
        hsv[..., 2] = np.where(chosen, lighter.astype(np.int64), hsv[..., 2])
    changed[y0:y1, x0:x1] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return changed


def _hue_of(colour: str, chance: np.random.Generator) -> int:
    reach = _SPREAD[colour]
    return (_HUE[colour] + int(chance.integers(-reach, reach + 1))) % 180
