"""The lag light: how the system stands, as a level and a sentence an officer would say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.indexer.people import Counts
from consumers.search.client import IndexStatus
from consumers.web.cameras.shapes import WatchedCameraShape, WatchedCamerasShape
from consumers.web.schemas import Level, StatusShape
from consumers.web.wording import count


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found when the parts were asked; an error is the sentence it came with."""

    counts: Counts | None = None
    index: IndexStatus | None = None
    watched: WatchedCamerasShape | None = None
    table_error: str | None = None
    search_error: str | None = None

    @property
    def unsearchable(self) -> int:
        """People in the table whom a search cannot find yet."""
        return max(0, self.counts.people - self.index.keys) if self.counts and self.index else 0


def judge(standing: Standing) -> StatusShape:
    """The light.

    >>> counts = Counts(people=9, segments=1, rejections=0, chains=2)
    >>> judge(Standing(counts, IndexStatus(9, 1, 0, 2, keys=9))).reason
    'Up to date'
    >>> judge(Standing(counts, IndexStatus(9, 1, 0, 2, keys=2))).reason
    'Behind: 7 people cannot be searched yet'
    """
    counts = standing.counts or Counts(people=0, segments=0, rejections=0, chains=0)
    level, reason = _level(standing)
    return StatusShape(
        level=level,
        reason=reason,
        people=counts.chains,
        sightings=counts.people,
        segments=counts.segments,
        rejections=counts.rejections,
        search_answers=standing.search_error is None,
    )


def _level(standing: Standing) -> tuple[Level, str]:
    watched = standing.watched
    cameras = watched.cameras if watched is not None else ()
    if standing.table_error is not None:
        return "down", "The list of people cannot be read"
    if standing.search_error is not None:
        return "down", "No new people: the indexer does not answer"
    if watched is not None and watched.reported_at is not None and not watched.is_bus_there:
        return "down", "No new people: the broker does not answer"
    if down := [camera for camera in cameras if camera.level == "down"]:
        return "down", _about(down)
    if standing.unsearchable:
        return "behind", f"Behind: {count(standing.unsearchable, 'person', 'people')} cannot be searched yet"
    if behind := [camera for camera in cameras if camera.level == "behind"]:
        return "behind", _about(behind)
    return "good", "Up to date"


def _about(cameras: Sequence[WatchedCameraShape]) -> str:
    """What is the matter with one camera, or which are meant: the room *Cameras* says the rest."""
    first = cameras[0]
    if len(cameras) == 1:
        return f"Camera {first.camera_id}: {first.words.removesuffix('.')}"
    return f"{len(cameras)} cameras need looking after: {', '.join(camera.camera_id for camera in cameras[:3])}" + (
        " and others" if len(cameras) > 3 else ""
    )
