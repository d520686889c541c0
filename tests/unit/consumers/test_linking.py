from datetime import timedelta

import pytest

from consumers.linking import link
from streamer.bus.manifest import Manifest
from tests.builders_consumers import NOON, Box, a_manifest, a_segment, straight, walking

FIRST = a_segment("first")
SECOND = a_segment("second", started_at=NOON + timedelta(seconds=10), previous="first")
BOX: Box = (100, 100, 150, 250)


def two_segments(before: list[tuple[float, Box]], after: list[tuple[float, Box]]) -> tuple[Manifest, Manifest]:
    return a_manifest(FIRST, [walking(FIRST, 1, before)]), a_manifest(SECOND, [walking(SECOND, 1, after)])


def is_linked(before: list[tuple[float, Box]], after: list[tuple[float, Box]]) -> bool:
    previous, current = two_segments(before, after)
    found = link(previous, current)
    assert found in ({}, {current.people[0].person_id: previous.people[0].person_id})
    return bool(found)


def test_empty_segments_link_nobody() -> None:
    previous, current = two_segments([(9.8, BOX)], [(0.0, BOX)])
    assert link(a_manifest(FIRST), current) == {}
    assert link(previous, a_manifest(SECOND)) == {}


def test_someone_who_stands_still_over_the_border_is_one_person() -> None:
    assert is_linked([(9.6, BOX), (9.8, BOX)], [(0.0, BOX), (0.2, BOX)])


def test_a_walker_is_met_where_the_walk_leads() -> None:
    walk = straight(8.0, 9.8, BOX, px_per_s=150)
    onward = tuple(side + shift for side, shift in zip(walk[-1][1], (120, 0, 120, 0), strict=True))
    assert is_linked(walk, straight(0.6, 2.0, onward, px_per_s=150))  # type: ignore[arg-type]
    backward = tuple(side - shift for side, shift in zip(walk[-1][1], (240, 0, 240, 0), strict=True))
    assert not is_linked(walk, straight(0.6, 2.0, backward, px_per_s=150))  # type: ignore[arg-type]


@pytest.mark.parametrize(("last_s", "first_s", "expected"), [(9.8, 1.2, True), (9.0, 1.0, False), (5.0, 0.0, False)])
def test_someone_unseen_for_long_is_somebody_else(last_s: float, first_s: float, expected: bool) -> None:
    assert is_linked([(last_s - 0.2, BOX), (last_s, BOX)], [(first_s, BOX), (first_s + 0.2, BOX)]) is expected


def test_a_child_does_not_become_a_giant() -> None:
    assert not is_linked([(9.8, BOX)], [(0.0, (100, 0, 150, 300))])


def test_two_who_cross_keep_their_ways() -> None:
    left, right = straight(8.0, 9.8, (200, 100, 250, 250), px_per_s=100), straight(8.0, 9.8, BOX, px_per_s=300)
    shifted = [
        tuple(s + d for s, d in zip(way[-1][1], (v, 0, v, 0), strict=True)) for way, v in ((left, 20), (right, 60))
    ]
    previous = a_manifest(FIRST, [walking(FIRST, 1, left), walking(FIRST, 2, right)])
    current = a_manifest(
        SECOND,
        [walking(SECOND, 1, [(0.0, shifted[1])]), walking(SECOND, 2, [(0.0, shifted[0])])],  # type: ignore[list-item]
    )
    found = link(previous, current)
    assert found[current.people[0].person_id] == previous.people[1].person_id
    assert found[current.people[1].person_id] == previous.people[0].person_id


def test_looks_decide_between_two_who_stand_together() -> None:
    near: Box = (104, 100, 154, 250)
    previous = a_manifest(
        FIRST, [walking(FIRST, 1, [(9.8, BOX)], towards=0), walking(FIRST, 2, [(9.8, near)], towards=1)]
    )
    current = a_manifest(SECOND, [walking(SECOND, 1, [(0.0, (102, 100, 152, 250))], towards=1)])
    assert link(previous, current) == {current.people[0].person_id: previous.people[1].person_id}


def test_nobody_is_continued_twice() -> None:
    previous = a_manifest(FIRST, [walking(FIRST, 1, [(9.8, BOX)])])
    current = a_manifest(SECOND, [walking(SECOND, n, [(0.0, BOX)]) for n in (1, 2)])
    assert len(link(previous, current)) == 1
