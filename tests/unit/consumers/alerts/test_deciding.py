"""The state machine on timelines: one letter a look, one look a second (see `builders_rules.SAID`)."""

import pytest

from consumers.alerts.deciding import Raised, States, follow
from tests.builders_rules import NOON, a_piece, a_rule, camera_rules, looks, raised

QUIET = {"seconds": 300, "per": "person"}
LOUD = {"seconds": 0, "per": "person"}


@pytest.mark.parametrize(
    ("timeline", "met_s", "why"),
    [
        ("", [], "nobody"),
        ("CCCCCCCC", [], "complied throughout"),
        ("B", [], "one look is too short"),
        ("BB", [2.0], "two seconds are enough, at their end"),
        ("BBBBBBBB", [2.0], "once, however long it lasts"),
        ("CCCCCCBB", [8.0], "what came before the breach does not hide it"),
        ("BCBCBCBCBC", [], "flicker"),
        ("BBCB", [2.0], "a flicker afterwards changes nothing"),
        ("BCBBBBB", [4.0], "the first ended where the share fell; counting began anew"),
        ("BCCC", [], "put on in time"),
        ("B?B", [3.0], "cannot tell is no compliance"),
        ("BuB", [3.0], "nor is an unsure answer"),
        ("B-B", [3.0], "nor a question that was not asked"),
        ("??????????", [], "cannot tell is never an alert"),
        ("uuuuuuuuuu", [], "unsure is never an alert"),
        ("----------", [], "not asked is never an alert"),
        ("B???B", [], "too many looks could not tell"),
        ("B???BBB", [5.0], "until enough of them could"),
        ("B          B", [], "so long a gap parts what lies around it"),
        ("B        B", [10.0], "a shorter one does not"),
    ],
)
def test_a_timeline_raises_what_it_should(timeline: str, met_s: list[float], why: str) -> None:
    assert raised(a_rule(cooldown=QUIET), timeline) == met_s, why


def test_whoever_takes_it_off_again_is_told_of_again_only_after_the_cooldown() -> None:
    again = "BBB" + "CCC" + "BBB"
    assert raised(a_rule(cooldown=QUIET), again) == [2.0]
    assert raised(a_rule(cooldown=LOUD), again) == [2.0, 8.0]
    assert raised(a_rule(cooldown={"seconds": 8, "per": "person"}), "BBBCCCBBBBBBB") == [2.0, 10.0]


def test_persistence_needs_share_and_seconds() -> None:
    strict = a_rule(persistence={"share": 0.8, "seconds": 4})
    assert raised(strict, "BBBCBB") == []
    assert raised(strict, "BBBBCB") == [4.0]
    assert raised(strict, "BBB") == []
    assert raised(a_rule(persistence={"share": 0.0, "seconds": 1}), "B") == [1.0]


def test_tenths_that_do_not_add_up_in_binary_are_still_two_seconds() -> None:
    rules = camera_rules(a_rule())
    states: States = {}
    met = follow(rules, states, looks("B" * 10, every_s=0.2), Raised({}, {}))
    assert [round(one.met_s - NOON.timestamp(), 3) for one in met] == [2.0]


def test_only_looks_in_the_zone_count_and_the_border_belongs_to_it() -> None:
    zone = [{"cameras": ["gate"], "polygon": [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [0.0, 1.0]]}]
    rules = camera_rules(a_rule(zones=zone))

    def met(foot: tuple[float, float]) -> int:
        return len(follow(rules, {}, looks("BBBB", foot=foot), Raised({}, {})))

    assert [met(foot) for foot in ((0.2, 0.8), (0.5, 0.8), (0.6, 0.8), (0.2, 0.4), (-1.0, -1.0))] == [1, 1, 0, 0, 0]


def test_a_zone_of_another_camera_is_no_zone_here_and_groups_stand_for_their_cameras() -> None:
    corner = [[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]]
    rule = a_rule(zones=[{"cameras": ["yards"], "polygon": corner}])
    groups = {"yards": ("gate", "ramp")}
    here = camera_rules(rule, camera="hall", groups=groups)
    there = camera_rules(rule, camera="ramp", groups=groups)
    assert len(follow(here, {}, looks("BBB"), Raised({}, {}))) == 1
    assert follow(there, {}, looks("BBB"), Raised({}, {})) == []


def test_a_rule_holds_only_on_its_cameras_and_on_schedule() -> None:
    assert camera_rules(a_rule(cameras=["ramp"]), camera="gate").watched == ()
    hours = [{"days": ["mon"], "since": "13:00", "until": "14:00"}]
    on = a_rule(schedule={"time_zone": "Europe/Berlin", "hours": hours})  # noon UTC is 13:00 in Berlin in winter
    off = a_rule(schedule={"time_zone": "UTC", "hours": hours})
    assert raised(on, "BBB") == [2.0]
    assert raised(off, "BBB") == []


def test_a_choice_breaches_by_what_does_not_comply_together() -> None:
    question = {
        "kind": "choice",
        "text": "What colour is the hard hat?",
        "answers": ["yellow", "white", "none"],
        "complying": ["yellow"],
    }
    rule = a_rule(question=question)
    said = {rule.question.asked.question_id: {"yellow": 0.1, "white": 0.4, "none": 0.45, "cannot tell": 0.05}}
    from dataclasses import replace

    changed = [replace(look, answers=said) for look in looks("BB")]
    assert len(follow(camera_rules(rule), {}, changed, Raised({}, {}))) == 1


def test_a_cooldown_of_the_camera_is_shared_by_everyone_in_front_of_it() -> None:
    from tests.builders_rules import Watching

    per_camera = Watching(a_rule(cooldown={"seconds": 60, "per": "camera"}))
    per_camera.enter(a_piece("a", "BBB"), a_piece("b", "BBB"), a_piece("c", "BBB"))
    per_camera.enter(a_piece("d", "BBB", begin_s=61))
    assert per_camera.met_after_s() == [2.0, 63.0]
