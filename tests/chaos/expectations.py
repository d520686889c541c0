"""What must be there in the end: learnt from an undisturbed pass over every clip, foretold for the others. Pure.

Ids are derived (`streamer.bus.identity`), so whoever knows that the third track of a clip's first segment is somebody
without a vest knows the ids of the same person, chain and alert under any other name of the clip.
"""

from dataclasses import dataclass, field

from streamer.bus.identity import alert_id, person_id, track_id
from tests.chaos.footage import Dropped
from tests.chaos.found import Found, FoundAlert, FoundPerson

Place = tuple[int, int]  # the segment within its file, from 0, and the track within the segment, from 1


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one clip always leads to."""

    people: dict[Place, Place]  # everyone -> where the person was seen first
    alerts: frozenset[tuple[str, str, Place, int]]  # rule, its revision, where the person was seen first, episode


@dataclass
class Expectations:
    """What was put in, and so what must come out."""

    dropped: list[Dropped] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)  # by what each piece of it is known in the dead letters
    revision: str = ""
    learnt: dict[int, Learnt] = field(default_factory=dict)

    def learn(self, found: Found) -> None:
        """Take what an undisturbed pass has led to, one file of each clip, for what is right."""
        (self.revision,) = {person.revision for person in found.people}
        for file in self.dropped:
            if file.recipe not in self.learnt and set(file.segments) <= set(found.analysed):
                self.learnt[file.recipe] = _learnt(file, found.people, found.alerts)

    def segments(self) -> set[str]:
        """The id of every segment."""
        return {segment for file in self.dropped for segment in file.segments}

    def people(self) -> dict[str, str]:
        """Person id -> chain id."""
        return {
            self._person(file, place): self._person(file, first)
            for file in self.dropped
            for place, first in self.learnt[file.recipe].people.items()
        }

    def alerts(self) -> set[str]:
        """The id of every alert."""
        return {
            alert_id(rule, revision, self._person(file, first), episode)
            for file in self.dropped
            for rule, revision, first, episode in self.learnt[file.recipe].alerts
        }

    def _person(self, file: Dropped, place: Place) -> str:
        segment, ordinal = place
        return person_id(track_id(file.segments[segment], ordinal), self.revision)


def _learnt(file: Dropped, people: list[FoundPerson], alerts: list[FoundAlert]) -> Learnt:
    places: dict[str, Place] = {}
    chains: dict[Place, str] = {}
    for person in people:
        segment, ordinal = person.track_id.rsplit("/", 1)
        if segment in file.segments:
            place = file.segments.index(segment), int(ordinal)
            places[person.person_id], chains[place] = place, person.chain_id
    return Learnt(
        {place: places[chain] for place, chain in chains.items()},
        frozenset(
            (alert.rule_id, alert.rule_revision, places[alert.chain_id], alert.episode)
            for alert in alerts
            if alert.chain_id in places
        ),
    )
