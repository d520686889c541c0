"""Crops of people that hide a part: plain lower halves, and cuts along the label's edge, which are harder. Pure.

Cut by the box and the labels alone, and not as training cuts people: a test that follows the training would follow its
mistakes.
"""

from typing import Literal

import numpy as np

from model.crops import MARGIN, Crop
from model.humanvlm import SMALLEST_PERSON_PX
from trainer.people import Box, Person

Part = Literal["head", "face", "torso"]
SHORTEST_HALF_PX = 24
_HIDDEN_BELOW = 0.1  # of the labelled box, the share that may still be seen


def half_without(person: Person, part: Part) -> Crop | None:
    """What lies below a person's labelled head or face or above the labelled torso, as a crop tall enough to ask about.

    None where the part is not labelled, or too little of the person is left. A head's label, of a hat or of bare hair,
    ends above the nose: what lies below it may still show a mask, what lies below the face's label does not.
    """
    labelled = {"head": person.head_xyxy, "face": person.face_xyxy, "torso": person.torso_xyxy}[part]
    if labelled is None:
        return None
    window = _with_margin(person)
    if part != "torso":
        window[1] = labelled[3]
    else:
        window[3] = labelled[1]
    return _cut(person, window, labelled)


def lower_half_without(person: Person, part: Literal["head", "face"]) -> Crop | None:
    """The lower half of a person, as a crop tall enough to ask about.

    None where the part is not labelled or more than a tenth of it is in that half, or the half is too short.
    """
    labelled = {"head": person.head_xyxy, "face": person.face_xyxy}[part]
    window = _with_margin(person)
    window[1] = (window[1] + window[3]) / 2
    return None if labelled is None else _cut(person, window, labelled)


def _cut(person: Person, window: Box, hidden: Box) -> Crop | None:
    x0, y0, x1, y1 = np.round(window).astype(int)
    if y1 - y0 < SHORTEST_HALF_PX or x1 <= x0 or _share_seen(hidden, window) > _HIDDEN_BELOW:
        return None
    return Crop(person.pixels[y0:y1, x0:x1], SMALLEST_PERSON_PX)


def _with_margin(person: Person) -> Box:
    box, (height, width) = person.box_xyxy, person.pixels.shape[:2]
    size = np.tile(box[2:] - box[:2], 2)
    window = box + MARGIN * size * np.array([-1, -1, 1, 1])
    return np.asarray(window.clip(0, [width, height, width, height]), dtype=np.float32)


def _share_seen(part: Box, window: Box) -> float:
    sides = np.minimum(part[2:], window[2:]) - np.maximum(part[:2], window[:2])
    return float(np.prod(np.maximum(sides, 0)) / max(float(np.prod(part[2:] - part[:2])), 1.0))
