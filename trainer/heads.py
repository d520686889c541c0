"""Other heads on the same shoulders. Pure.

In the photos, people seen whole mostly wear hard hats and faces seen from near mostly do not, so a model could go by
how much of a person it sees. Heads are therefore exchanged, hatted and bare alike, and some get a soft hat.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.people import Box, Person

Pixels = NDArray[np.uint8]
_SMALLEST_PX = 8
_SOFT_HATS = (
    (205, 180, 135),
    (180, 150, 105),
    (110, 80, 50),
    (30, 28, 28),
    (110, 110, 105),
    (85, 90, 55),
    (40, 45, 75),
    (95, 30, 38),
    (60, 62, 66),
)


def has_head(person: Person) -> bool:
    """Whether a person can give or take a head: the labels say what is on it, and where."""
    if person.head_xyxy is None or person.attributes.hard_hat not in ("yes", "no"):
        return False
    return bool((person.head_xyxy[2:] - person.head_xyxy[:2]).min() >= _SMALLEST_PX)


def with_head_of(person: Person, donor: Person) -> Person:
    """A person with the top of another's head; both must have one (`has_head`)."""
    assert person.head_xyxy is not None
    assert donor.head_xyxy is not None
    x0, y0, x1, y1 = inside(person.head_xyxy, person.pixels)
    a0, b0, a1, b1 = inside(donor.head_xyxy, donor.pixels)
    head = cv2.resize(donor.pixels[b0:b1, a0:a1], (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    here = person.pixels[y0:y1, x0:x1]
    # Half way to the light of the new place, or the edge would give the exchange away.
    brighter = (0.5 + 0.5 * here.mean() / max(float(head.mean()), 1.0)).clip(0.6, 1.6)
    lit = np.clip(head.astype(np.float32) * brighter, 0, 255)
    attributes = replace(person.attributes, hard_hat=donor.attributes.hard_hat, hat_colour=donor.attributes.hat_colour)
    return replace(person, pixels=blended(person.pixels, (x0, y0, x1, y1), lit), attributes=attributes)


def with_soft_hat(person: Person, chance: np.random.Generator) -> Person:
    """A person in a hat of straw, felt or cloth, which protects nobody."""
    assert person.head_xyxy is not None
    size = np.tile(person.head_xyxy[2:] - person.head_xyxy[:2], 2)
    grown = np.asarray(person.head_xyxy + size * [-0.25, -0.15, 0.25, 0.1], dtype=np.float32)
    x0, y0, x1, y1 = inside(grown, person.pixels)
    width, height = x1 - x0, y1 - y0
    drawn = person.pixels[y0:y1, x0:x1].astype(np.float32)
    cloth = np.array(_SOFT_HATS[int(chance.integers(len(_SOFT_HATS)))]) * chance.uniform(0.7, 1.15)
    shape = np.zeros((height, width), dtype=np.uint8)
    middle, brim = width // 2, int(height * chance.uniform(0.65, 0.8))
    dome = (max(int(width * 0.28), 1), max(int(height * 0.6), 1))
    cv2.ellipse(shape, (middle, brim), dome, 0, 180, 360, 255, -1)
    drawn_as = chance.random()
    if drawn_as < 0.5:  # a brim all around
        edge = (max(int(width * chance.uniform(0.38, 0.5)), 1), max(int(height * 0.14), 1))
        cv2.ellipse(shape, (middle, brim), edge, 0, 0, 360, 255, -1)
    elif drawn_as < 0.8:  # a cap's peak, to the front or to a side
        peak = (max(int(width * chance.uniform(0.18, 0.28)), 1), max(int(height * 0.1), 1))
        aside = middle + int(width * chance.uniform(-0.25, 0.25))
        cv2.ellipse(shape, (aside, brim), peak, 0, 0, 360, 255, -1)
    else:  # a woollen cap reaches down to the ears
        reach = (middle - dome[0], brim), (middle + dome[0], min(brim + int(height * 0.15), height - 1))
        cv2.rectangle(shape, *reach, 255, -1)
    grain = chance.normal(0, 10, (height, width, 1)) + np.linspace(12, -12, width)[None, :, None]
    alpha = cv2.GaussianBlur(shape, (0, 0), max(width / 60, 0.6)).astype(np.float32)[..., None] / 255
    worn = drawn * (1 - alpha) + (cloth + grain).clip(0, 255) * alpha
    pixels = person.pixels.copy()
    pixels[y0:y1, x0:x1] = worn.clip(0, 255).astype(np.uint8)
    return replace(person, pixels=pixels, attributes=replace(person.attributes, hard_hat="no", hat_colour=None))


def with_other_head(person: Person, donors: Sequence[Person], chance: np.random.Generator) -> Person:
    """A person with another's head, now and then in a soft hat.

    People seen whole get a bare head more often than a hatted one, and people seen from near the other way round: the
    photos have it the wrong way for footage.
    """
    if not donors or not has_head(person):
        return person
    if chance.random() < 0.25:
        return with_soft_hat(person, chance)
    wanted = "no" if chance.random() < (0.65 if is_seen_whole(person) else 0.4) else "yes"
    for _ in range(8):
        donor = donors[int(chance.integers(len(donors)))]
        if donor.attributes.hard_hat == wanted:
            return with_head_of(person, donor)
    return person


def is_seen_whole(person: Person) -> bool:
    """Whether a person's box is as slim as that of someone who stands and is seen down to the feet."""
    width, height = person.box_xyxy[2:] - person.box_xyxy[:2]
    return bool(height >= 1.9 * width)


def blended(pixels: Pixels, box: tuple[int, int, int, int], patch: NDArray[np.float32]) -> Pixels:
    """A copy of pixels (h, w, 3) with a patch in a box of whole pixels, faded at the edge."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    rows, columns = np.mgrid[0:height, 0:width]
    # A rounded box whose last tenth fades: the corners keep the old background.
    away = ((columns + 0.5) / width * 2 - 1) ** 4 + ((rows + 0.5) / height * 2 - 1) ** 4
    alpha = np.clip((1.1 - away) / 0.5, 0, 1)[..., None].astype(np.float32)
    mixed = pixels.copy()
    mixed[y0:y1, x0:x1] = (patch * alpha + pixels[y0:y1, x0:x1] * (1 - alpha)).astype(np.uint8)
    return mixed


def inside(box: Box, pixels: Pixels) -> tuple[int, int, int, int]:
    """A box in whole pixels, at least 4 px wide and tall, within pixels (h, w, 3)."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (int(v) for v in np.round(box))
    x0, y0 = min(max(x0, 0), width - 4), min(max(y0, 0), height - 4)
    return x0, y0, min(max(x1, x0 + 4), width), min(max(y1, y0 + 4), height)
