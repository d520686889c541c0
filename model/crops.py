"""The looks at a person that are worth asking about: the best crop of each second. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.letterbox import Frame
from model.tracker import Track, covered_share

MARGIN = 0.05  # of the box's width and height, on each side: a helmet's rim is often just outside
ENOUGH_HEIGHT_PX = 160  # a taller crop shows no more to a vision tower of this size
SHARPNESS_HEIGHT_PX = 96  # sharpness is compared at one size, or near people would look blurred
BORDER_SHARE = 0.005  # a box this close to the frame's border goes on beyond it
CUT_TOP, CUT_SIDE, CUT_BOTTOM = 0.3, 0.5, 0.7  # what a cut leaves of a look's worth: the head matters most


@dataclass(frozen=True, slots=True)
class Crop:
    """One person cut out of one frame: RGB (h, w, 3) uint8 with a small margin, and the height of the box alone."""

    pixels: Frame
    person_height_px: int


@dataclass(frozen=True, slots=True)
class Look:
    """The best view of a person within one second.

    `box_xyxy` (4,) is in pixels of the frame, without the margin; `wholeness` in (0, 1] is 1 where the frame's border
    cuts nothing off.
    """

    frame_position: int
    box_xyxy: NDArray[np.float32]
    sharpness: float
    crop: Crop
    wholeness: float = 1.0


def crop_person(frame: Frame, box_xyxy: NDArray[np.float32]) -> Crop:
    """A person cut out of a frame (H, W, 3), the margin kept inside the frame; the pixels are a copy."""
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (float(side) for side in box_xyxy)
    margin_x, margin_y = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    left, top = max(int(x1 - margin_x), 0), max(int(y1 - margin_y), 0)
    right, bottom = min(int(np.ceil(x2 + margin_x)), width), min(int(np.ceil(y2 + margin_y)), height)
    left, top = min(left, width - 1), min(top, height - 1)
    pixels = frame[top : max(bottom, top + 1), left : max(right, left + 1)].copy()
    return Crop(pixels, max(round(y2 - y1), 1))


def best_looks(
    track: Track,
    frames: Sequence[Frame],
    at_s: NDArray[np.float64],
    *,
    at_most: int = 8,
    others: Sequence[Track] = (),
) -> list[Look]:
    """The best look of each second in which a person is seen, in time order; the best `at_most` of them.

    Large, sharp, whole (not cut by the frame's border) and unhidden looks are better.

    Args:
        track: The person.
        frames: The frames that `track.frame_positions` point into.
        at_s: Time of each frame in seconds from the start, shape (frames,).
        at_most: Looks given back.
        others: Every track of the same stretch, for who stands in front of whom; `track` itself may be among them.
    """
    best: dict[int, tuple[float, int, float]] = {}  # second -> worth, sighting, sharpness
    for sighting, position in enumerate(track.frame_positions.tolist()):
        box = track.boxes_xyxy[sighting]
        sharpness = crop_sharpness(frames[position], box)
        worth = _worth(box, frames[position], sharpness, _in_front(box, position, others))
        second = int(at_s[position])
        if second not in best or worth > best[second][0]:
            best[second] = worth, sighting, sharpness
    chosen = sorted(best.values(), reverse=True)[:at_most]
    return [_look(track, frames, sighting, sharpness) for _, sighting, sharpness in sorted(chosen, key=lambda b: b[1])]


def crop_sharpness(frame: Frame, box_xyxy: NDArray[np.float32]) -> float:
    """Variance of the Laplacian over variance of the brightness, at one size: contrast and distance cancel out."""
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = np.round(box_xyxy).astype(int).tolist()
    inside = frame[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    if min(inside.shape[:2]) < 2:
        return 0.0
    scale = SHARPNESS_HEIGHT_PX / inside.shape[0]
    if scale < 1:
        size_wh = max(round(inside.shape[1] * scale), 2), SHARPNESS_HEIGHT_PX
        inside = cv2.resize(inside, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    grey = cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return float(edges.var() / (grey.var() + 1.0))


def _look(track: Track, frames: Sequence[Frame], sighting: int, sharpness: float) -> Look:
    position, box = int(track.frame_positions[sighting]), track.boxes_xyxy[sighting]
    return Look(position, box, sharpness, crop_person(frames[position], box), _wholeness(box, frames[position]))


def _worth(box_xyxy: NDArray[np.float32], frame: Frame, sharpness: float, in_front: NDArray[np.float32]) -> float:
    seen = 1.0 - min(covered_share(box_xyxy, in_front), 1.0)
    size = min(float(box_xyxy[3] - box_xyxy[1]) / ENOUGH_HEIGHT_PX, 1.0)
    whole = _wholeness(box_xyxy, frame)
    return size * whole * seen * float(np.sqrt(sharpness))  # the root: sharpness varies more than it matters


def _wholeness(box_xyxy: NDArray[np.float32], frame: Frame) -> float:
    """What the frame's border leaves of a look's worth."""
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (float(side) for side in box_xyxy)
    border_x, border_y = BORDER_SHARE * width, BORDER_SHARE * height
    whole = CUT_TOP if y1 < border_y else 1.0
    whole *= CUT_SIDE if x1 < border_x or x2 > width - border_x else 1.0
    return whole * (CUT_BOTTOM if y2 > height - border_y else 1.0)


def _in_front(box_xyxy: NDArray[np.float32], position: int, others: Sequence[Track]) -> NDArray[np.float32]:
    """Boxes (n, 4) of the same frame that stand nearer to the camera, that is lower in the picture."""
    boxes = [other.boxes_xyxy[other.frame_positions == position] for other in others]
    if not boxes:
        return np.empty((0, 4), np.float32)
    together = np.concatenate(boxes)
    nearer: NDArray[np.float32] = together[together[:, 3] >= box_xyxy[3]]
    return nearer
