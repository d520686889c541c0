"""Another view of the same person: dressed anew, cut, covered and filmed from afar, and what it then shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.cameras import filmed
from trainer.dyes import recoloured
from trainer.faces import has_mask_to_give, with_mask
from trainer.heads import has_head, is_seen_whole, with_other_head
from trainer.people import Answer, Attributes, Box, Person

Pixels = NDArray[np.uint8]
Part = Literal["head", "torso"]
MARGIN = np.array([-0.06, -0.06, 0.06, 0.06])  # of the box's size, at each edge
SHORTEST_CUT_PX = 24
_HIDDEN_BELOW, _VISIBLE_FROM = 0.2, 0.6  # shares of a part that count as out of sight and in sight
# Edges of a picture that people stand across: which edge of the box it cuts, which way is inwards, how far it reaches.
_PICTURE_EDGES = ((1, 1, 0.6), (3, -1, 0.75), (0, 1, 0.65), (2, -1, 0.65))
_EDGE_SHARES = (0.4, 0.24, 0.18, 0.18)
_CHIN = 0.75  # heights of a head box, which ends above the nose, from its lower edge to the chin


@dataclass(frozen=True, slots=True)
class View:
    """A crop (h, w, 3) uint8 RGB as the model may meet it, and what is true of the person in it."""

    pixels: Pixels
    attributes: Attributes


class Donors:
    """Those among some people who can lend a head or a mask."""

    def __init__(self, people: Sequence[Person] = ()) -> None:
        self.heads = [person for person in people if has_head(person)]
        self.masks = [person for person in people if has_mask_to_give(person)]


def plain_view(person: Person, *, margin: float = 0.06) -> View:
    """The person's box with a small margin, nothing changed."""
    window = _window(person, np.array([-margin, -margin, margin, margin]))
    return View(_cut(person.pixels, window), person.attributes)


def hidden_view(person: Person, part: Part, chance: np.random.Generator | None = None) -> View | None:
    """The share of a person that hides a part; None where it is not known where the part is, or nothing else is left.

    Args:
        person: Who is cut.
        part: *head* leaves what lies below the chin, *torso* what lies above the shoulders.
        chance: Where given, more is cut off at random, down to the legs, which hide both parts; or less, so that of the
            head the face is left.
    """
    window = _window(person, MARGIN)
    chin, shoulders, waist = _chin_y(person), _shoulders_y(person), _waist_y(person)
    cut_to = chin if part == "head" else waist if chance is not None and chance.random() < 0.4 else None
    brow = None if part == "torso" else _brow_y(person)
    if chin is not None and brow is not None and chance is not None and chance.random() < 0.4:
        window[1] = chance.uniform(min(brow, chin), chin)
    elif cut_to is not None:
        more = 0.0 if chance is None else chance.uniform(0, 0.5) * max(float(window[3]) - cut_to, 0)
        window[1] = cut_to + more
    elif part == "torso" and shoulders is not None:
        window[3] = shoulders
    else:
        return None
    if window[3] - window[1] < SHORTEST_CUT_PX:
        return None
    return View(_cut(person.pixels, window), _seen_in(person, window))


def barely_hidden_view(person: Person, part: Literal["head", "face"]) -> View | None:
    """What lies below the label of a head or a face; None where that is unknown."""
    window = _window(person, MARGIN)
    end = _brow_y(person) if part == "head" else None if person.face_xyxy is None else float(person.face_xyxy[3])
    if end is None or window[3] - end < SHORTEST_CUT_PX:
        return None
    window[1] = end
    return View(_cut(person.pixels, window), _seen_in(person, window))


def changed_view(person: Person, chance: np.random.Generator, donors: Donors | None = None) -> View:
    """A random other view of a person, who may get the head or the mask of one of the donors."""
    person = recoloured(_dressed(person, donors or Donors(), chance), chance)
    drawn = chance.random()
    view: View | None = None
    if drawn < 0.2:
        view = hidden_view(person, "head" if chance.random() < 0.5 else "torso", chance)
    elif drawn < 0.26:
        view = _covered(person, chance)
    if view is None:
        edges = (chance.normal(0.0, 0.05, 4) + np.array([-0.07, -0.06, 0.07, 0.06])).clip(-0.25, 0.25)
        if drawn > 0.8:
            edges = _cut_off(edges, chance)
        window = _window(person, edges)
        view = View(_cut(person.pixels, window), _seen_in(person, window))
    shot = filmed(view.pixels, chance)
    return View(shot.pixels, _colourless(view.attributes) if shot.is_colourless else view.attributes)


def _cut_off(edges: NDArray[np.float64], chance: np.random.Generator) -> NDArray[np.float64]:
    """One edge moved far inwards, as where the picture ends before the person does."""
    side, inwards, deepest = _PICTURE_EDGES[int(chance.choice(4, p=_EDGE_SHARES))]
    cut = edges.copy()
    cut[side] = inwards * deepest * chance.uniform(0.2, 1) ** 2  # shallow cuts are the hard ones
    return cut


def _dressed(person: Person, donors: Donors, chance: np.random.Generator) -> Person:
    if chance.random() < (0.35 if is_seen_whole(person) else 0.2):
        person = with_other_head(person, donors.heads, chance)
    if chance.random() < 0.25:
        person = with_mask(person, donors.masks, chance)
    return person


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


def _chin_y(person: Person) -> float | None:
    """Where the head ends for certain; None where nothing says so."""
    head, face, torso = person.head_xyxy, person.face_xyxy, person.torso_xyxy
    ends = [float(face[3] + 0.1 * (face[3] - face[1]))] if face is not None else []
    if head is not None and person.attributes.hard_hat is not None:
        ends.append(float(head[3] + _CHIN * (head[3] - head[1])))
    if not ends and torso is not None:
        ends.append(float(torso[1] + 0.15 * (torso[3] - torso[1])))
    return max(ends, default=None)


def _brow_y(person: Person) -> float | None:
    """Where a hat, or the hair of a bare head, ends; None where that is not labelled."""
    head = person.head_xyxy
    return None if head is None or person.attributes.hard_hat is None else float(head[3])


def _shoulders_y(person: Person) -> float | None:
    return None if person.torso_xyxy is None else float(person.torso_xyxy[1])


def _waist_y(person: Person) -> float | None:
    torso = person.torso_xyxy
    return None if torso is None else float(torso[3] + 0.1 * (torso[3] - torso[1]))


def _share(part: Box | None, window: Box) -> float:
    if part is None:
        return 1.0
    sides = np.minimum(part[2:], window[2:]) - np.maximum(part[:2], window[:2])
    return float(np.prod(np.maximum(sides, 0)) / max(float(np.prod(part[2:] - part[:2])), 1.0))


def _seen_in(person: Person, window: Box) -> Attributes:
    """What is still known when only a window of the person is seen."""
    known = person.attributes
    head, torso = _share(person.head_xyxy, window), _share(person.torso_xyxy, window)
    face = head if person.face_xyxy is None else _share(person.face_xyxy, window)
    chin, shoulders, waist = _chin_y(person), _shoulders_y(person), _waist_y(person)
    headless = chin is not None and window[1] >= chin
    if headless:
        head = face = 0.0
    if (shoulders is not None and window[3] <= shoulders) or (waist is not None and window[1] >= waist):
        torso = 0.0

    def kept(answer: Answer | None, share: float, *, is_cut_off: bool) -> Answer | None:
        if is_cut_off:
            return "hidden"
        if answer is None or share >= _VISIBLE_FROM:
            return answer
        return "hidden" if share < _HIDDEN_BELOW else None

    legs_end = float(person.box_xyxy[3])
    legs_seen = window[3] > legs_end - 0.15 * (legs_end - person.box_xyxy[1])
    return replace(
        known,
        hard_hat=kept(known.hard_hat, head, is_cut_off=headless),
        hat_colour=known.hat_colour if head >= _VISIBLE_FROM else None,
        mask=kept(known.mask, face, is_cut_off=headless),
        vest=kept(known.vest, torso, is_cut_off=torso == 0.0),
        vest_colour=known.vest_colour if torso >= _VISIBLE_FROM else None,
        top_colour=known.top_colour if torso >= _VISIBLE_FROM else None,
        trousers_colour=known.trousers_colour if legs_seen else None,
        nearby=known.nearby if min(head, torso) > _VISIBLE_FROM else (),
    )


def _covered(person: Person, chance: np.random.Generator) -> View | None:
    """The person behind something: a part is covered by a flat or grainy patch, or by another piece of the photo."""
    is_head = chance.random() < 0.55
    part = _whole_head(person) if is_head else person.torso_xyxy
    if part is None:
        return None
    pixels = person.pixels.copy()
    height, width = pixels.shape[:2]
    grow = 0.25 * np.tile(part[2:] - part[:2], 2) * np.array([-1, -1, 1, 1])
    x0, y0, x1, y1 = (part + grow).clip(0, [width, height, width, height]).astype(int)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    pixels[y0:y1, x0:x1] = _cover(pixels, (y1 - y0, x1 - x0), chance)
    return plain_view(replace(person, pixels=pixels, attributes=_without(person.attributes, is_head=is_head)))


def _cover(pixels: Pixels, size: tuple[int, int], chance: np.random.Generator) -> Pixels:
    """What (h, w) of something in front looks like."""
    if chance.random() < 0.4:
        patch = np.full((*size, 3), chance.integers(0, 256, 3), dtype=np.float64)
        patch += chance.normal(0, chance.uniform(0, 25), patch.shape)
        return np.asarray(patch.clip(0, 255), dtype=np.uint8)
    height, width = pixels.shape[:2]
    tall, wide = max(height // 4, 4), max(width // 4, 4)
    top = height - tall if chance.random() < 0.6 else int(chance.integers(height // 2, height - tall + 1))
    left = int(chance.integers(0, width - wide + 1))
    strip = pixels[top : top + tall, left : left + wide]
    return np.asarray(cv2.resize(strip, size[::-1]), dtype=np.uint8)


def _whole_head(person: Person) -> Box | None:
    """Hat and face together."""
    if person.head_xyxy is None:
        return None
    whole = person.head_xyxy.copy()
    whole[3] = _chin_y(person) or whole[3]
    if person.face_xyxy is not None:
        whole[0] = min(whole[0], person.face_xyxy[0])
        whole[2] = max(whole[2], person.face_xyxy[2])
    return whole


def _without(seen: Attributes, *, is_head: bool) -> Attributes:
    if is_head:
        return replace(seen, hard_hat="hidden", mask="hidden", hat_colour=None)
    return replace(seen, vest="hidden", vest_colour=None, top_colour=None)


def _colourless(seen: Attributes) -> Attributes:
    return replace(seen, hat_colour=None, vest_colour=None, top_colour=None, trousers_colour=None)
