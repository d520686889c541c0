"""Hits of one chain of tracks, together: somebody who was found five times stands on the sheet once. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumers.web.search.shapes import HitShape


@dataclass(frozen=True, slots=True)
class HitGroup:
    """The hits of one chain, best first; at least one."""

    rank: int
    hits: tuple[HitShape, ...]

    @property
    def best(self) -> HitShape:
        """The hit that stands for all."""
        return self.hits[0]

    @property
    def person_ids(self) -> tuple[str, ...]:
        """Everybody in it."""
        return tuple(hit.person.person_id for hit in self.hits)


def grouped(hits: Iterable[HitShape]) -> list[HitGroup]:
    """One group a chain, in the order of their best hits."""
    chains: dict[str, list[HitShape]] = {}
    for hit in hits:
        chains.setdefault(hit.person.chain_id, []).append(hit)
    return [HitGroup(rank, tuple(chain)) for rank, chain in enumerate(chains.values(), start=1)]


def by_camera(groups: Sequence[HitGroup]) -> dict[str, list[HitShape]]:
    """The hits of each camera in the order of time, the camera with the most first."""
    lanes: dict[str, list[HitShape]] = {}
    for group in groups:
        for hit in group.hits:
            lanes.setdefault(hit.person.camera_id, []).append(hit)
    for lane in lanes.values():
        lane.sort(key=lambda hit: hit.person.first_seen_at)
    return dict(sorted(lanes.items(), key=lambda lane: (-len(lane[1]), lane[0])))
