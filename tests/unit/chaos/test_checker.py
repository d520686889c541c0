"""The checker of `make chaos`: each way of losing or doubling has its line."""

from dataclasses import replace
from typing import Any

import pytest

from streamer.bus.identity import alert_id, person_id, track_id
from tests.chaos.checker import wrongs
from tests.chaos.expectations import Expectations
from tests.chaos.footage import Dropped
from tests.chaos.found import Found, FoundAlert, FoundPerson

FIRST, SECOND = person_id(track_id("s1", 1), "r"), person_id(track_id("s2", 1), "r")
ALERT = alert_id("vest", "v1", FIRST, 1)
POISON = "poison-1-empty"
WHOLE = Found(
    published=["s1", "s2"],
    analysed=["s1", "s2"],
    decided=["s1", "s2"],
    refused=[{"segment_id": POISON}],
    people=[FoundPerson(FIRST, "s1/1", FIRST, "r"), FoundPerson(SECOND, "s2/1", FIRST, "r")],
    vectors=2,
    alerts=[FoundAlert(ALERT, "vest", "v1", FIRST, 1, has_copies=True)],
    raised=[ALERT],
    owed={ALERT: True},
    told=[f"{ALERT}.raised"],
)


def expectations() -> Expectations:
    """One file of two segments in which one person goes from the first into the second, without a vest."""
    expected = Expectations(dropped=[Dropped(0, "north", ("s1", "s2"))])
    expected.learn(WHOLE)
    expected.poison.append(POISON)
    return expected


def test_a_whole_world_has_nothing_wrong_and_neither_has_one_that_told_twice_under_one_key() -> None:
    assert wrongs(expectations(), WHOLE) == []
    assert wrongs(expectations(), replace(WHOLE, told=WHOLE.told * 2)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"published": ["s1"]}, "files never became segments"),
        ({"analysed": ["s1"]}, "neither analysed nor dead-lettered: s2"),
        ({"analysed": ["s1"], "refused": [{"segment_id": POISON}, {"segment_id": "s2"}]}, "good segments lost: s2"),
        ({"analysed": ["s1", "s2", "s2"]}, "indexed twice: s2"),
        ({"decided": ["s1"]}, "no rule was asked about: s2"),
        ({"refused": []}, "became no dead letter: poison-1-empty"),
        ({"people": WHOLE.people[:1], "vectors": 1}, f"1 people lost: {SECOND}"),
        ({"people": [*WHOLE.people, WHOLE.people[0]], "vectors": 3}, f"1 people doubled: {FIRST}"),
        ({"people": [WHOLE.people[0], replace(WHOLE.people[1], chain_id=SECOND)]}, f"linked otherwise: {SECOND}"),
        ({"vectors": 1}, "1 vectors, expected 2"),
        ({"vectors": 3}, "3 vectors, expected 2"),
        ({"alerts": []}, f"1 alerts lost: {ALERT}"),
        ({"alerts": WHOLE.alerts * 2}, f"1 alerts doubled: {ALERT}"),
        ({"raised": [ALERT, ALERT]}, "raised twice"),
        ({"told": []}, "no receiver was told of"),
        ({"told": [f"{ALERT}.raised", "another.raised"]}, "under a name that no alert has"),
        ({"owed": {ALERT: False}}, f"still owed: {ALERT}"),
        ({"alerts": [replace(WHOLE.alerts[0], has_copies=False)]}, f"without copies: {ALERT}"),
    ],
)
def test_whatever_is_lost_or_doubled_is_said(changed: dict[str, Any], said: str) -> None:
    lines = wrongs(expectations(), replace(WHOLE, **changed))
    assert any(said in line for line in lines), lines


def test_someone_whom_nobody_put_in_is_said() -> None:
    stranger = FoundPerson("stranger", "s9/1", "stranger", "r")
    lines = wrongs(expectations(), replace(WHOLE, people=[*WHOLE.people, stranger], vectors=3))
    assert lines == ["1 people that nobody put in: stranger"]
