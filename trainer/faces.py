"""Masks put on faces. Pure.

In the photos masks are worn by faces seen from near; workers seen whole hardly ever wear one. So masks are taken from
near faces, or drawn, and put where the labels say that a face is bare.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from trainer.heads import Pixels, blended, inside
from trainer.people import Box, Person

_SMALLEST_PX = 5
_CLOTHS = (
    (235, 238, 240),
    (160, 200, 225),
    (190, 220, 235),
    (120, 190, 200),
    (30, 32, 36),
    (70, 75, 85),
    (120, 150, 140),
    (40, 50, 90),
    (150, 60, 70),
    (225, 190, 195),
)


def has_mask_to_give(person: Person) -> bool:
    """Whether a person's mask is known, and large enough to be put on another."""
    return person.attributes.mask == "yes" and person.face_xyxy is not None and _shortest_px(person.face_xyxy) >= 16


def with_mask(person: Person, donors: Sequence[Person], chance: np.random.Generator) -> Person:
    """A bare face with a mask on it, one of a donor or a drawn one; anyone else as they are."""
    face = person.face_xyxy
    if person.attributes.mask != "no" or face is None or _shortest_px(face) < _SMALLEST_PX:
        return person
    if donors and chance.random() < 0.5:
        pixels = _with_mask_of(person.pixels, _cheeks(face, chance), donors[int(chance.integers(len(donors)))], chance)
    else:
        pixels = _with_drawn_mask(person.pixels, _cheeks(face, chance), chance)
    return replace(person, pixels=pixels, attributes=replace(person.attributes, mask="yes"))


def _shortest_px(box: Box) -> float:
    return float((box[2:] - box[:2]).min())


def _cheeks(face: Box, chance: np.random.Generator) -> Box:
    """The box of a bare face holds nose, mouth and chin; a mask reaches to the cheeks."""
    width, height = face[2:] - face[:2]
    moved = chance.normal(0, 0.05, 4) + np.array([-0.2, -0.05, 0.2, 0.1])
    return np.asarray(face + moved * np.array([width, height, width, height]), dtype=np.float32)


def _with_mask_of(pixels: Pixels, face: Box, donor: Person, chance: np.random.Generator) -> Pixels:
    assert donor.face_xyxy is not None
    x0, y0, x1, y1 = inside(face, pixels)
    a0, b0, a1, b1 = inside(donor.face_xyxy, donor.pixels)
    given = donor.pixels[b0:b1, a0:a1][:, :: 1 if chance.random() < 0.5 else -1]
    mask = cv2.resize(given, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    brighter = (0.6 + 0.4 * pixels[y0:y1, x0:x1].mean() / max(float(mask.mean()), 1.0)).clip(0.6, 1.5)
    return blended(pixels, (x0, y0, x1, y1), np.clip(mask.astype(np.float32) * brighter, 0, 255))


def _with_drawn_mask(pixels: Pixels, face: Box, chance: np.random.Generator) -> Pixels:
    """A mask of paper or cloth: wide above, narrow below, pleated, darker to one side."""
    x0, y0, x1, y1 = inside(face, pixels)
    width, height = x1 - x0, y1 - y0
    here = pixels[y0:y1, x0:x1].astype(np.float32)
    cloth = np.array(_CLOTHS[int(chance.integers(len(_CLOTHS)))]) * chance.uniform(0.8, 1.1)
    pleats = np.sin(np.linspace(0, chance.uniform(6, 20), height))[:, None] * chance.uniform(0, 12)
    shade = np.linspace(1, chance.uniform(0.6, 1.0), width)[None, :: 1 if chance.random() < 0.5 else -1]
    light = float((here.mean() / 130).clip(0.5, 1.2))
    drawn = ((cloth + pleats[..., None]) * shade[..., None] * light).clip(0, 255)
    shape = np.zeros((height, width), dtype=np.uint8)
    narrow = int(width * chance.uniform(0.15, 0.3))
    corners: list[list[float]] = [
        [0, height * 0.1],
        [width / 2, 0],
        [width, height * 0.1],
        [width - narrow, height],
        [narrow, height],
    ]
    cv2.fillPoly(shape, [np.round(np.array(corners)).astype(np.int32)], 255)
    alpha = cv2.GaussianBlur(shape, (0, 0), max(width / 30, 0.5)).astype(np.float32)[..., None] / 255
    worn = pixels.copy()
    worn[y0:y1, x0:x1] = (here * (1 - alpha) + drawn * alpha).astype(np.uint8)
    return worn
