"""Whether somebody is one who was erased, whichever model found them: by camera, time and place. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from streamer.bus.manifest import Manifest, PersonSeen

HELD_S = 1.0  # before the first and after the last sight somebody counts as being there still: models differ in both
SAME_BOX = 0.4  # overlap of two boxes: two detectors agree better on one person, two people are rarely so close
SAME_PATH = 0.5  # share of the instants in which both were seen that have to agree

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Path:
    """Where somebody was in a camera's picture, by one result.

    `points`: of each sight the seconds since 1970, then left, top, right and bottom in shares of the frame, 0..1; in
    order of time, at least one. From `since` to `until` they count as being there.
    """

    camera_id: str
    result: tuple[str, str]  # segment_id, analysis_revision
    since: datetime
    until: datetime
    points: tuple[tuple[float, ...], ...]


def path_of(manifest: Manifest, person: PersonSeen) -> Path:
    """Where one of a manifest's people was."""
    began, size = manifest.started_at.timestamp(), (manifest.width_px, manifest.height_px)
    seen = person.path or person.looks
    points = tuple(_point(began + one.at_s, one.box_xyxy, size) for one in seen)
    ends = began + manifest.duration_s
    return Path(
        manifest.camera_id,
        (manifest.segment_id, manifest.analysis_revision),
        # Not beyond the segment: whoever goes on in the next one is another track, and may be meant to stay.
        _instant(max(points[0][0] - HELD_S, began)),
        _instant(min(points[-1][0] + HELD_S, ends)),
        points,
    )


def path_of_box(
    camera_id: str, result: tuple[str, str], at: datetime, box_xyxy: Sequence[float], frame_wh: Sequence[int]
) -> Path:
    """A path of one box alone, in pixels of the frame."""
    held = timedelta(seconds=HELD_S)
    return Path(camera_id, result, at - held, at + held, (_point(at.timestamp(), box_xyxy, frame_wh),))


def are_one(erased: Path, found: Path) -> bool:
    """Whether a path that another result has is that of the person who was erased.

    It is when the boxes agree in at least half of the instants in which both were seen. A path that goes on after the
    other is one person's all the same: who is erased may not come back as part of a longer track. Two tracks of one
    result are two people: it has told them apart.

    >>> at, since, until = [(float(second), 0.1, 0.2, 0.2, 0.6) for second in range(4)], _instant(0), _instant(4)
    >>> erased = Path("gate", ("s1", "r1"), since, until, tuple(at))
    >>> are_one(erased, Path("gate", ("s1", "r2"), since, until, ((1.5, 0.11, 0.21, 0.2, 0.58),)))
    True
    >>> are_one(erased, Path("gate", ("s1", "r2"), since, until, ((1.5, 0.21, 0.2, 0.31, 0.6),)))
    False
    """
    if erased.camera_id != found.camera_id or erased.result == found.result:
        return False
    known, seen = np.asarray(erased.points), np.asarray(found.points)  # (n, 5), (m, 5)
    both = (seen[:, 0] >= erased.since.timestamp()) & (seen[:, 0] <= erased.until.timestamp())
    if not both.any():
        return False
    seen = seen[both]
    expected = np.stack([np.interp(seen[:, 0], known[:, 0], known[:, side]) for side in range(1, 5)], axis=1)
    return bool(np.mean(_overlaps(expected, seen[:, 1:]) >= SAME_BOX) >= SAME_PATH)


def _overlaps(one: Numbers, other: Numbers) -> Numbers:
    """Intersection over union of pairs of boxes: (n,)."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])  # (n, 2)
    shared = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(one[:, 2:] - one[:, :2], axis=1) + np.prod(other[:, 2:] - other[:, :2], axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def _point(at_s: float, box_xyxy: Sequence[float], frame_wh: Sequence[int]) -> tuple[float, ...]:
    width, height = frame_wh
    left, top, right, bottom = box_xyxy
    return (at_s, left / width, top / height, right / width, bottom / height)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
