"""The lag light: how the system stands, as a level and a sentence an officer would say. Pure."""

from dataclasses import dataclass

from consumers.indexer.people import Counts
from consumers.search.client import IndexStatus
from consumers.web.schemas import Level, StatusShape
from consumers.web.wording import count


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found when the parts were asked; an error is the sentence it came with."""

    counts: Counts | None = None
    index: IndexStatus | None = None
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
    if standing.table_error is not None:
        return "down", "The list of people cannot be read"
    if standing.search_error is not None:
        return "down", "No new people: the indexer does not answer"
    if standing.unsearchable:
        return "behind", f"Behind: {count(standing.unsearchable, 'person', 'people')} cannot be searched yet"
    return "good", "Up to date"
