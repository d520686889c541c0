"""People over the borders of segments: whatever order the segments come in, each is raised once."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.alerts.chains import KEPT_PIECES, LIVES_FOR
from consumers.alerts.evidence import alert_id, best_look, numbers_of
from consumers.alerts.remembering import dump_chain, load_chain
from tests.builders_rules import Watching, a_piece, a_rule


def test_a_breach_that_crosses_the_border_is_counted_through() -> None:
    watching = Watching(a_rule())
    watching.link("b", "a")
    watching.enter(a_piece("a", "CCCCCCCCCB"))
    assert watching.decided == []
    watching.enter(a_piece("b", "B", begin_s=10))
    assert watching.met_after_s() == [11.0]
    assert watching.decided[0].chain_id == "a"


def test_a_lost_track_found_again_is_the_same_person_and_another_one_is_not() -> None:
    same, other = Watching(a_rule()), Watching(a_rule())
    same.link("b", "a")
    for watching in (same, other):
        watching.enter(a_piece("a", "BBB"))
        watching.enter(a_piece("b", "BBB", begin_s=10))
    assert len(same.decided) == 1
    assert len(other.decided) == 2


def test_of_three_workers_only_the_one_without_a_vest_is_raised() -> None:
    watching = Watching(a_rule())
    watching.enter(a_piece("a", "CCCCCCCC"), a_piece("b", "BBBBBBBB"), a_piece("c", "CCCC?CCC"))
    assert [one.source.person_id for one in watching.decided] == ["b"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_middle_piece_may_come_whenever_it_likes(order: tuple[int, ...]) -> None:
    watching = Watching(a_rule())
    watching.link("b", "a")
    watching.link("c", "b")
    pieces = [
        a_piece("a", "CCCCCCCCCB"),
        a_piece("b", "BCCCCCCCCC", begin_s=10),
        a_piece("c", "CCCCCCCCCC", begin_s=20),
    ]
    for number in order:
        watching.enter(pieces[number])
    assert watching.met_after_s() == [11.0]
    assert list(watching.memory.chains) == ["a"]


TIMELINES = st.lists(st.text(alphabet="BBC?u", min_size=1, max_size=6), min_size=1, max_size=KEPT_PIECES)


@settings(max_examples=150, deadline=None)
@given(timelines=TIMELINES, data=st.data())
def test_no_order_of_arrival_loses_an_alert_or_doubles_one(timelines: list[str], data: st.DataObject) -> None:
    """Pieces whose link has not come yet are two people to anybody: such a gap may cost an alert more, never less."""
    rule = a_rule(
        persistence={"share": 0.7, "seconds": 2, "cannot_tell_at_most": 1}, cooldown={"seconds": 3600, "per": "person"}
    )
    pieces = [a_piece(f"p{i}", line, begin_s=10 * i) for i, line in enumerate(timelines)]
    counts, joined = [], 0
    for order in (range(len(pieces)), data.draw(st.permutations(range(len(pieces))))):
        watching = Watching(rule)
        for later, earlier in itertools.pairwise(reversed(range(len(pieces)))):
            watching.link(f"p{later}", f"p{earlier}")
        for number in order:
            joined += len(watching.enter(pieces[number]).renamed)
        counts.append(len(watching.decided))
        assert len({alert_id(one) for one in watching.decided}) == len(watching.decided)
        assert len(watching.memory.chains) == 1
    assert counts[0] <= counts[1] <= counts[0] + joined


def test_chains_expire_so_memory_is_bounded_by_who_is_in_view() -> None:
    watching = Watching(a_rule())
    gone: list[str] = []
    for number in range(200):
        if number:
            watching.link(f"stays{number}", f"stays{number - 1}")
        entered = watching.enter(
            a_piece(f"stays{number}", "BC" * 5, begin_s=10 * number),
            a_piece(f"passes{number}", "B", begin_s=10 * number),
        )
        gone += entered.gone
    assert len(watching.memory.chains) <= LIVES_FOR + 1
    assert len(watching.memory.chains["stays0"].pieces) == KEPT_PIECES
    assert len(gone) >= 190


def test_a_chain_survives_being_written_down_in_the_middle_of_an_episode() -> None:
    watching = Watching(a_rule())
    watching.link("b", "a")
    watching.enter(a_piece("a", "CB"))
    chain = watching.memory.chains["a"]
    again = load_chain("a", json.loads(json.dumps(dump_chain(chain))))
    assert again == chain


def test_an_alert_is_called_by_rule_person_and_episode_and_shows_what_led_to_it() -> None:
    rule = a_rule(cooldown={"seconds": 0, "per": "person"})
    watching = Watching(rule)
    watching.enter(a_piece("p", "C?BBCCCBB"))
    first, second = watching.decided
    assert (first.episode, second.episode) == (1, 2)
    assert alert_id(first) != alert_id(second)
    numbers = numbers_of(first)
    assert (numbers["share"], numbers["seconds"], numbers["breach_looks"]) == (1.0, 2.0, 2)
    assert [look["verdict"] for look in numbers["looks"]] == ["breach", "breach"]
    assert best_look(first)[1].crop_uri == "media:///crops/gate/0-2.jpg"
