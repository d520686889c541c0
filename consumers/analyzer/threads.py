"""The people of consecutive segments as they move through a whole video. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.linking import link
from streamer.bus.manifest import Manifest, PersonSeen

Box = tuple[float, float, float, float]

LONGEST_UNSEEN_S = 1.6  # between two sights of a person whose box is still drawn in between


@dataclass(frozen=True, slots=True)
class Thread:
    """One person through all segments: where they are at which second of the video, and what is said of them there.

    `at_s`, `boxes_xyxy` and `sights` have one entry a sampled frame, in order of time; `number` counts from 1 by first
    appearance.
    """

    number: int
    at_s: tuple[float, ...]
    boxes_xyxy: tuple[Box, ...]
    sights: tuple[PersonSeen, ...]

    def at(self, moment_s: float, *, hold_s: float) -> tuple[Box, PersonSeen] | None:
        """The box at one moment, between two sights on the straight line; None where the person is not seen.

        Args:
            moment_s: Seconds from the video's first frame.
            hold_s: How long a box stays before its first and after its last sight.
        """
        after = bisect_right(self.at_s, moment_s)
        if after == 0:
            return (self.boxes_xyxy[0], self.sights[0]) if self.at_s[0] - moment_s <= hold_s else None
        before = after - 1
        since_s = moment_s - self.at_s[before]
        if after == len(self.at_s) or self.at_s[after] - self.at_s[before] > LONGEST_UNSEEN_S:
            return (self.boxes_xyxy[before], self.sights[before]) if since_s <= hold_s else None
        share = since_s / (self.at_s[after] - self.at_s[before])
        left, top, right, bottom = (
            (1 - share) * old + share * new
            for old, new in zip(self.boxes_xyxy[before], self.boxes_xyxy[after], strict=True)
        )
        return (left, top, right, bottom), self.sights[before]


def threads(manifests: Sequence[Manifest], *, started_at: datetime | None = None) -> list[Thread]:
    """Everyone in some consecutive segments of one video, in order of appearance.

    Args:
        manifests: In order of time.
        started_at: When the video's first frame was seen; by default the first segment's.
    """
    if not manifests:
        return []
    origin = started_at or manifests[0].started_at
    chains: list[list[tuple[float, Box, PersonSeen]]] = []
    chain_of: dict[str, int] = {}
    previous: Manifest | None = None
    for manifest in manifests:
        continues = link(previous, manifest) if previous is not None else {}
        offset_s = (manifest.started_at - origin).total_seconds()
        for person in manifest.people:
            chain = chain_of.get(continues.get(person.person_id, ""), len(chains))
            if chain == len(chains):
                chains.append([])
            chain_of[person.person_id] = chain
            chains[chain].extend((offset_s + point.at_s, point.box_xyxy, person) for point in person.path)
        previous = manifest
    ordered = sorted((sorted(chain, key=lambda sight: sight[0]) for chain in chains), key=lambda chain: chain[0][0])
    return [_thread(number, chain) for number, chain in enumerate(ordered, 1)]


def _thread(number: int, chain: Sequence[tuple[float, Box, PersonSeen]]) -> Thread:
    at_s, boxes, sights = zip(*chain, strict=True)
    return Thread(number, at_s, boxes, sights)
