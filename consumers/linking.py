"""Who of one segment goes on in the next. Pure: the one function for every consumer that needs it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from streamer.bus.manifest import Manifest, PersonSeen

MOST_GAP_S = 1.5  # between the last sight before the border and the first one after it
MOST_OVERLAP_S = 0.5  # clocks of two segments may disagree by this much
VELOCITY_FROM_S = 1.0  # the last second of a path says where it leads
FARTHEST = 0.75  # box heights between where someone was expected and where someone is
FARTHER_PER_S = 0.75  # and this much more for each second unseen
FARTHEST_ALIKE = 0.5  # this much more for someone whose embedding is the same person's
ALIKE = 0.85  # cosine
UNLIKE_HEIGHT = 1.8  # heights further apart than this factor are two people
IMPOSSIBLE = 1e6

Box = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _End:
    """One end of one path: a box (4,) xyxy px at an instant, and how it moves, px/s of the box's centre."""

    person_id: str
    at: datetime
    box_xyxy: Box
    velocity_xy: npt.NDArray[np.float64]
    embedding: npt.NDArray[np.float32]

    @property
    def height(self) -> float:
        return max(float(self.box_xyxy[3] - self.box_xyxy[1]), 1.0)

    def moved(self, elapsed_s: float) -> Box:
        """The box after `elapsed_s` at constant velocity."""
        return self.box_xyxy + np.tile(self.velocity_xy * elapsed_s, 2)


def link(previous: Manifest, current: Manifest) -> dict[str, str]:
    """Who of `current` continues whom of `previous`, one to one, by person id.

    Someone seen last at most 1.5 s before someone else is seen first is the same person when the path, prolonged over
    the border, leads there: boxes overlap, or their centres are near, measured in box heights. Embeddings break ties
    and let a likely pair be a little farther apart.

    Returns:
        person_id of `current` -> person_id of `previous`; whoever continues nobody is left out.
    """
    before = [_end(previous, person, is_last=True) for person in previous.people]
    after = [_end(current, person, is_last=False) for person in current.people]
    if not before or not after:
        return {}
    costs = np.asarray([[_cost(old, new) for old in before] for new in after])
    return {after[i].person_id: before[j].person_id for i, j in _assigned(costs)}


def _cost(before: _End, after: _End) -> float:
    """How unlikely it is that `after` continues `before`: 0 is certain, `IMPOSSIBLE` is out of the question."""
    gap_s = (after.at - before.at).total_seconds()
    if not -MOST_OVERLAP_S <= gap_s <= MOST_GAP_S:
        return IMPOSSIBLE
    if max(before.height, after.height) / min(before.height, after.height) > UNLIKE_HEIGHT:
        return IMPOSSIBLE
    # Half of the gap each: a turn on either side then spoils only half of the guess.
    expected, found = before.moved(gap_s / 2), after.moved(-gap_s / 2)
    distance = _distance(expected, found) / ((before.height + after.height) / 2)
    likeness = float(before.embedding @ after.embedding)
    farthest = FARTHEST + FARTHER_PER_S * max(gap_s, 0.0) + (FARTHEST_ALIKE if likeness >= ALIKE else 0.0)
    if distance > farthest and _overlap(expected, found) == 0.0:
        return IMPOSSIBLE
    return distance + (1 - _overlap(expected, found)) + 0.5 * (1 - likeness) + 0.2 * abs(gap_s)


def _end(manifest: Manifest, person: PersonSeen, *, is_last: bool) -> _End:
    path = person.path if is_last else person.path[::-1]
    end = path[-1]
    near = [point for point in path if abs(point.at_s - end.at_s) <= VELOCITY_FROM_S]
    embedding = np.frombuffer(base64.b64decode(person.embedding_base64), dtype="<f2").astype(np.float32)
    return _End(
        person_id=person.person_id,
        at=manifest.started_at + timedelta(seconds=end.at_s),
        box_xyxy=np.asarray(end.box_xyxy, dtype=np.float64),
        velocity_xy=_velocity([point.at_s for point in near], [point.box_xyxy for point in near]),
        embedding=embedding,
    )


def _velocity(at_s: Sequence[float], boxes: Sequence[tuple[float, float, float, float]]) -> npt.NDArray[np.float64]:
    """The straight line through the centres of some boxes (least squares), px/s; stands still with one box."""
    if len(at_s) < 2:
        return np.zeros(2)
    times = np.asarray(at_s) - np.mean(at_s)
    corners = np.asarray(boxes)
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    return np.asarray(times @ (centres - centres.mean(axis=0)) / (times @ times))


def _assigned(costs: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """The cheapest one-to-one pairs (row, column), without the impossible ones."""
    import lap

    _, columns, _ = lap.lapjv(np.minimum(costs, IMPOSSIBLE), extend_cost=True, cost_limit=IMPOSSIBLE / 2)
    return [(row, int(column)) for row, column in enumerate(columns) if column >= 0]


def _distance(first: Box, second: Box) -> float:
    return float(np.linalg.norm((first[:2] + first[2:]) / 2 - (second[:2] + second[2:]) / 2))


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(np.prod(np.maximum(sides, 0.0)))
    union = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2])) - shared
    return shared / union if union > 0 else 0.0
