"""People cut out of labelled photos, with what the labels and the pixels say of each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer import colours
from trainer.photos import (
    CONE,
    HARD_HAT,
    MACHINERY,
    MASK,
    NO_HARD_HAT,
    NO_MASK,
    NO_VEST,
    PERSON,
    VEHICLE,
    VEST,
    LabelledBox,
    LabelledPhoto,
)

Answer = Literal["yes", "no", "hidden"]
Box = NDArray[np.float32]

MARGIN = 0.3  # of the person's box on each side, so that training can move and widen the cut
LONGEST_SIDE_PX = 400  # the model reads 256 px; more only costs memory
INSIDE = 0.7
SLIMMEST_PX = 4  # slimmer, and a box is an edge of the photo
NEARBY = {CONE: "a safety cone", MACHINERY: "machinery", VEHICLE: "a vehicle", PERSON: "another person"}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is known of a person; None is not known, *hidden* is known not to be visible."""

    hard_hat: Answer | None = None
    hat_colour: str | None = None
    vest: Answer | None = None
    vest_colour: str | None = None
    mask: Answer | None = None
    top_colour: str | None = None
    trousers_colour: str | None = None
    nearby: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """One labelled person: a generous cut of the photo (h, w, 3) uint8 RGB, and boxes in its pixels.

    `photo_box_xyxy` alone is in pixels of the photo.
    """

    source: str
    photo_box_xyxy: Box
    pixels: NDArray[np.uint8]
    box_xyxy: Box
    head_xyxy: Box | None
    face_xyxy: Box | None
    torso_xyxy: Box | None
    height_px: int
    attributes: Attributes


def people_in(photo: LabelledPhoto, *, smallest_px: int) -> list[Person]:
    """The people of a photo whose box is at least `smallest_px` tall."""
    boxes = [box for box in photo.boxes if box.label == PERSON]
    found = []
    for box in boxes:
        width, height = _size(box.box_xyxy)
        if height >= smallest_px and width >= SLIMMEST_PX:
            found.append(_person(photo, box, boxes))
    return found


def labelled_answer(person: Box, boxes: Sequence[LabelledBox], yes: int, no: int) -> Answer | None:
    """The answer that the boxes inside a person's box give when they agree; None where there are none, or both."""
    inside = {box.label for box in boxes if _share_inside(box.box_xyxy, person) >= INSIDE}
    if (yes in inside) == (no in inside):
        return None
    return "yes" if yes in inside else "no"


def _person(photo: LabelledPhoto, person: LabelledBox, people: list[LabelledBox]) -> Person:
    head = _part(photo, person, people, (HARD_HAT, NO_HARD_HAT), at_height=0.1)
    face = _part(photo, person, people, (MASK, NO_MASK), at_height=0.15)
    torso = _part(photo, person, people, (VEST, NO_VEST), at_height=0.4)
    window = _window(person.box_xyxy, photo.pixels.shape[1], photo.pixels.shape[0])
    x0, y0, x1, y1 = window.astype(int)
    cut = photo.pixels[y0:y1, x0:x1]
    scale = min(1.0, LONGEST_SIDE_PX / max(cut.shape[:2]))
    if scale < 1:
        shrunk = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cut = np.asarray(shrunk, dtype=np.uint8)

    def moved(box: LabelledBox | None) -> Box | None:
        return None if box is None else (box.box_xyxy - np.tile(window[:2], 2)) * np.float32(scale)

    box_xyxy = moved(person)
    assert box_xyxy is not None
    return Person(
        photo.source,
        person.box_xyxy,
        np.ascontiguousarray(cut, dtype=np.uint8),
        box_xyxy,
        moved(head or face),
        moved(face),
        moved(torso),
        round(float(_size(person.box_xyxy)[1])),
        _attributes(photo, person, head, face, torso),
    )


def _attributes(
    photo: LabelledPhoto,
    person: LabelledBox,
    head: LabelledBox | None,
    face: LabelledBox | None,
    torso: LabelledBox | None,
) -> Attributes:
    hat, vest = _yes(head, HARD_HAT), _yes(torso, VEST)
    coloured = not colours.is_colourless(_cut(photo.pixels, person.box_xyxy))
    hat_cloth = _cut(photo.pixels, _inner(head.box_xyxy, 0.6)) if head and coloured else None
    torso_cloth = _cut(photo.pixels, _inner(torso.box_xyxy, 0.6)) if torso and coloured else None
    legs = _legs(person.box_xyxy, torso.box_xyxy) if torso and coloured else None
    return Attributes(
        hard_hat=hat,
        hat_colour=_equipment(hat_cloth) if hat == "yes" else None,
        vest=vest,
        vest_colour=_equipment(torso_cloth) if vest == "yes" else None,
        mask=_yes(face, MASK),
        top_colour=_clothing(torso_cloth) if vest == "no" else None,
        trousers_colour=_clothing(_cut(photo.pixels, legs)) if legs is not None else None,
        nearby=_nearby(photo, person),
    )


def _yes(box: LabelledBox | None, yes: int) -> Answer | None:
    if box is None:
        return None
    return "yes" if box.label == yes else "no"


def _equipment(cloth: NDArray[np.uint8] | None) -> str | None:
    return None if cloth is None or min(cloth.shape[:2]) < 4 else colours.equipment_colour(cloth)


def _clothing(cloth: NDArray[np.uint8] | None) -> str | None:
    return None if cloth is None or min(cloth.shape[:2]) < 6 else colours.clothing_colour(cloth)


def _part(
    photo: LabelledPhoto, person: LabelledBox, people: list[LabelledBox], labels: tuple[int, int], *, at_height: float
) -> LabelledBox | None:
    """The one box of two opposite labels that belongs to a person; None where there is none, or no telling whose."""
    near = []
    for box in photo.boxes:
        if box.label not in labels or _share_inside(box.box_xyxy, person.box_xyxy) < INSIDE:
            continue
        ours = _misplacement(box.box_xyxy, person.box_xyxy, at_height)
        others = [
            _misplacement(box.box_xyxy, other.box_xyxy, at_height)
            for other in people
            if other is not person and _share_inside(box.box_xyxy, other.box_xyxy) >= INSIDE
        ]
        if ours <= min(others, default=np.inf) + 0.05:
            near.append((ours, box))
    if not near:
        return None
    near.sort(key=lambda pair: pair[0])
    contested = [b for misplaced, b in near if misplaced < near[0][0] + 0.15 and b.label != near[0][1].label]
    return None if contested else near[0][1]


def _misplacement(part: Box, person: Box, at_height: float) -> float:
    width, height = _size(person)
    sideways = abs((part[0] + part[2]) - (person[0] + person[2])) / 2 / width
    upright = abs((part[1] + part[3]) / 2 - (person[1] + at_height * height)) / height
    return float(sideways + upright)


def _nearby(photo: LabelledPhoto, person: LabelledBox) -> tuple[str, ...]:
    window = _grown(person.box_xyxy, 0.08)
    area = float(np.prod(_size(window)))
    found = []
    for label, name in NEARBY.items():
        boxes = [b.box_xyxy for b in photo.boxes if b.label == label and b is not person]
        # Enough of it in the cut to be seen; another person overlaps often, so more is asked of one.
        least = 0.45 if label == PERSON else 0.15
        if any(_overlap(box, window) >= least * area and not _same(box, person.box_xyxy) for box in boxes):
            found.append(name)
    return tuple(found)


def _same(one: Box, other: Box) -> bool:
    shared = _overlap(one, other)
    return shared > 0.7 * float(np.prod(_size(one))) and shared > 0.7 * float(np.prod(_size(other)))


def _legs(person: Box, torso: Box) -> Box | None:
    torso_height = torso[3] - torso[1]
    if person[3] - torso[3] < 0.6 * torso_height:
        return None
    width = person[2] - person[0]
    left, right = person[0] + 0.3 * width, person[2] - 0.3 * width
    return np.array([left, torso[3] + 0.1 * torso_height, right, torso[3] + 0.6 * torso_height], dtype=np.float32)


def _window(box: Box, width_px: int, height_px: int) -> Box:
    grown = _grown(box, MARGIN)
    limits = np.array([width_px, height_px, width_px, height_px], dtype=np.float32)
    return np.round(grown.clip(0, limits)).astype(np.float32)


def _grown(box: Box, share: float) -> Box:
    width, height = _size(box)
    return np.asarray(box + np.array([-width, -height, width, height]) * share, dtype=np.float32)


def _inner(box: Box, share: float) -> Box:
    return _grown(box, (share - 1) / 2)


def _cut(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = np.round(box).astype(int)
    height, width = pixels.shape[:2]
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    return np.ascontiguousarray(pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)])


def _size(box: Box) -> NDArray[np.float32]:
    return np.asarray(np.maximum(box[2:] - box[:2], 1e-3), dtype=np.float32)


def _overlap(one: Box, other: Box) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)))


def _share_inside(part: Box, whole: Box) -> float:
    return _overlap(part, whole) / float(np.prod(_size(part)))
