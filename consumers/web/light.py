"""The lag light: how the system stands, as a level and a sentence an officer would say. Pure."""

from dataclasses import dataclass

from consumers.indexer.people import Counts
from consumers.web.schemas import Level, StatusShape
from consumers.web.wording import count


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found when the parts were asked; an error is the sentence it came with."""

    counts: Counts | None = None
    table_error: str | None = None
    search_error: str | None = None
    waiting_segments: int = 0
    """Segments published and not yet indexed."""


def judge(standing: Standing) -> StatusShape:
    """The light.

    >>> judge(Standing(Counts(people=2, segments=1, rejections=0, chains=2))).reason
    'Up to date'
    >>> judge(Standing(Counts(people=2, segments=1, rejections=0, chains=2), waiting_segments=9)).reason
    'Behind: 9 segments wait to be looked at'
    """
    counts = standing.counts or Counts(people=0, segments=0, rejections=0, chains=0)
    level, reason = _level(standing)
    return StatusShape(
        level=level, reason=reason, people=counts.chains, sightings=counts.people, segments=counts.segments,
        rejections=counts.rejections, search_answers=standing.search_error is None,
    )


def _level(standing: Standing) -> tuple[Level, str]:
    if standing.table_error is not None:
        return "down", "The list of people cannot be read"
    if standing.search_error is not None:
        return "down", "No new people: the indexer does not answer"
    if standing.waiting_segments > 1:
        return "behind", f"Behind: {count(standing.waiting_segments, 'segment')} wait to be looked at"
    return "good", "Up to date"
