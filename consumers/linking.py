"""Who of one segment goes on in the next. Pure: the one function for every consumer that needs it."""

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from streamer.bus.manifest import Manifest, PathPoint

MOST_GAP_S = 1.5  # between the last sight before the border and the first one after it
MOST_OVERLAP_S = 0.5  # clocks of two segments may disagree by this much
VELOCITY_FROM_S = 1.0  # the last second of a path says where it leads
FARTHEST = 0.75  # box heights between where someone was expected and where someone is
FARTHER_PER_S = 0.75  # and this much more for each second unseen
FARTHEST_ALIKE = 0.5  # this much more for someone whose embedding is the same person's
ALIKE = 0.85  # cosine
UNLIKE_HEIGHT = 1.8  # heights further apart than this factor are two people
IMPOSSIBLE = 1e6

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Ends:
    """One end of each path of a segment; N people."""

    person_ids: tuple[str, ...]
    at_s: Numbers  # (N,) seconds since the earlier segment began
    boxes_xyxy: Numbers  # (N, 4) px
    velocities_xy: Numbers  # (N, 2) px/s of the box's centre
    embeddings: npt.NDArray[np.float32]  # (N, width)

    @property
    def centres_xy(self) -> Numbers:
        return (self.boxes_xyxy[:, :2] + self.boxes_xyxy[:, 2:]) / 2  # (N, 2)

    @property
    def heights(self) -> Numbers:
        return np.maximum(self.boxes_xyxy[:, 3] - self.boxes_xyxy[:, 1], 1.0)  # (N,)


def link(previous: Manifest, current: Manifest) -> dict[str, str]:
    """Who of `current` continues whom of `previous`, one to one, by person id.

    Someone seen last at most 1.5 s before someone else is seen first is the same person when the path, prolonged over
    the border, leads there: boxes overlap, or their centres are near, measured in box heights. Embeddings break ties
    and let a likely pair be a little farther apart.

    Returns:
        person_id of `current` -> person_id of `previous`; whoever continues nobody is left out.
    """
    if not previous.people or not current.people:
        return {}
    before = _ends(previous, since=previous.started_at, is_last=True)
    after = _ends(current, since=previous.started_at, is_last=False)
    return {after.person_ids[i]: before.person_ids[j] for i, j in _assigned(_costs(before, after))}


def _costs(before: _Ends, after: _Ends) -> Numbers:
    """How unlikely it is that each of `after` (A) continues each of `before` (B): (A, B).

    0 is certain, `IMPOSSIBLE` is out of the question.
    """
    gaps_s = after.at_s[:, None] - before.at_s[None, :]  # (A, B)
    heights, old_heights = after.heights[:, None], before.heights[None, :]
    ratios = np.maximum(heights, old_heights) / np.minimum(heights, old_heights)
    # Half of the gap each: a turn on either side then spoils only half of the guess.
    half_ways = gaps_s[:, :, None] / 2
    led = before.velocities_xy[None] * half_ways  # (A, B, 2)
    came = -after.velocities_xy[:, None] * half_ways
    apart = (before.centres_xy[None] + led) - (after.centres_xy[:, None] + came)
    distances = np.hypot(apart[..., 0], apart[..., 1]) / ((heights + old_heights) / 2)
    overlaps = _overlaps(
        before.boxes_xyxy[None] + np.concatenate([led, led], axis=-1),
        after.boxes_xyxy[:, None] + np.concatenate([came, came], axis=-1),
    )
    likenesses = (after.embeddings @ before.embeddings.T).astype(np.float64)
    farthest = FARTHEST + FARTHER_PER_S * np.maximum(gaps_s, 0.0) + np.where(likenesses >= ALIKE, FARTHEST_ALIKE, 0.0)
    is_possible = (gaps_s >= -MOST_OVERLAP_S) & (gaps_s <= MOST_GAP_S) & (ratios <= UNLIKE_HEIGHT)
    is_possible &= (distances <= farthest) | (overlaps > 0.0)
    costs = distances + (1 - overlaps) + 0.5 * (1 - likenesses) + 0.2 * np.abs(gaps_s)
    return np.where(is_possible, costs, IMPOSSIBLE)


def _ends(manifest: Manifest, *, since: datetime, is_last: bool) -> _Ends:
    paths = [person.path if is_last else person.path[::-1] for person in manifest.people]
    embeddings = [base64.b64decode(person.embedding_base64) for person in manifest.people]
    ends_at = [manifest.started_at + timedelta(seconds=path[-1].at_s) for path in paths]
    return _Ends(
        person_ids=tuple(person.person_id for person in manifest.people),
        at_s=np.asarray([(at - since).total_seconds() for at in ends_at]),
        boxes_xyxy=np.asarray([path[-1].box_xyxy for path in paths], dtype=np.float64),
        velocities_xy=np.asarray([_velocity(path) for path in paths]),
        embeddings=np.stack([np.frombuffer(each, dtype="<f2") for each in embeddings]).astype(np.float32),
    )


def _velocity(path: Sequence[PathPoint]) -> tuple[float, float]:
    """The straight line through the centres of a path's last second (least squares), px/s; stands still with one box.

    Written out: it is a handful of points, for which arrays cost more than they save.
    """
    near = list(itertools.takewhile(lambda point: abs(point.at_s - path[-1].at_s) <= VELOCITY_FROM_S, reversed(path)))
    mean_s = sum(point.at_s for point in near) / len(near)
    spread = sum((point.at_s - mean_s) ** 2 for point in near)
    if spread == 0:
        return 0.0, 0.0
    boxes = [(point.at_s - mean_s, point.box_xyxy) for point in near]
    # The mean of the centres drops out: the times' distances from their mean sum to nothing.
    x = sum(apart_s * (box[0] + box[2]) for apart_s, box in boxes) / 2 / spread
    y = sum(apart_s * (box[1] + box[3]) for apart_s, box in boxes) / 2 / spread
    return x, y


def _assigned(costs: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """The cheapest one-to-one pairs (row, column), without the impossible ones."""
    import lap

    _, columns, _ = lap.lapjv(np.minimum(costs, IMPOSSIBLE), extend_cost=True, cost_limit=IMPOSSIBLE / 2)
    return [(row, int(column)) for row, column in enumerate(columns) if column >= 0]


def _overlaps(first: Numbers, second: Numbers) -> Numbers:
    """Intersection over union of boxes (..., 4), pair by pair: (...)."""
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    areas = np.prod(first[..., 2:] - first[..., :2], axis=-1) + np.prod(second[..., 2:] - second[..., :2], axis=-1)
    unions = areas - shared
    return np.asarray(np.divide(shared, unions, out=np.zeros_like(shared), where=unions > 0))
