"""Rules with conditions: what one look says of several answers at once, and what a timeline of them raises."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.alerts.deciding import Raised, States, follow
from consumers.alerts.judging import Verdict, joined, judged_by_all
from consumers.alerts.rule_questions import Condition
from consumers.alerts.rules import Rule
from model.questions import CANNOT_TELL
from tests.builders_rules import HAT, HATLESS, VEST, a_rule, camera_rules, looks, raised

BOTH = a_rule(only_if=[HATLESS])  # nobody with neither vest nor hard hat
COLOUR = {
    "kind": "choice",
    "text": "What colour is the hard hat?",
    "answers": ["yellow", "white", "red", "none"],
    "given": ["red", "white"],
}
LETTERS = {
    "B": Verdict.BREACH,
    "C": Verdict.COMPLIES,
    "?": Verdict.CANNOT_TELL,
    "u": Verdict.UNSURE,
    "-": Verdict.NOT_ASKED,
}


@pytest.mark.parametrize(
    ("vest", "hat", "together"),
    [
        ("B", "B", "B"),
        ("B", "C", "C"),
        ("B", "?", "?"),
        ("B", "u", "u"),
        ("B", "-", "-"),
        ("C", "B", "C"),
        ("C", "C", "C"),
        ("C", "?", "C"),
        ("C", "u", "C"),
        ("C", "-", "C"),
        ("?", "B", "?"),
        ("?", "C", "C"),
        ("u", "B", "u"),
        ("u", "C", "C"),
        ("u", "-", "u"),
        ("-", "B", "-"),
        ("-", "C", "C"),
        ("-", "?", "?"),
        ("-", "-", "-"),
    ],
)
def test_a_breach_takes_every_answer_and_one_that_is_certainly_not_given_settles_it(
    vest: str, hat: str, together: str
) -> None:
    (look,) = looks(vest, hats=hat)
    assert judged_by_all(BOTH.clauses, look.answers) is LETTERS[together]


def test_a_condition_of_a_choice_holds_by_any_of_its_answers_together() -> None:
    rule = a_rule(only_if=[COLOUR])
    (look,) = looks("B")
    said: Mapping[str, Mapping[str, float]] = {
        **look.answers,
        rule.only_if[0].question_id: {"yellow": 0.05, "white": 0.4, "red": 0.5, "none": 0.05, CANNOT_TELL: 0.0},
    }
    assert judged_by_all(rule.clauses, said) is Verdict.BREACH
    assert judged_by_all(a_rule(only_if=[{**COLOUR, "given": ["red"]}]).clauses, said) is Verdict.UNSURE
    assert judged_by_all(a_rule(only_if=[{**COLOUR, "given": ["yellow"]}]).clauses, said) is Verdict.COMPLIES


def test_a_condition_has_the_certainty_of_its_rule_unless_it_names_one() -> None:
    (look,) = looks("B", hats="B")  # both at 0.9
    surer = [{**HATLESS, "certainty": 0.95}]
    assert judged_by_all(a_rule(only_if=surer).clauses, look.answers) is Verdict.UNSURE
    assert judged_by_all(a_rule(only_if=surer, certainty=0.95).clauses, look.answers) is Verdict.UNSURE
    assert judged_by_all(a_rule(only_if=[HATLESS], certainty=0.85).clauses, look.answers) is Verdict.BREACH


SHARES = st.tuples(*[st.floats(0, 1)] * 3).map(lambda parts: [part / (sum(parts) or 1) for part in parts])
CERTAINTIES = st.floats(0.51, 1)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    number = draw(st.integers(1, 4))
    stated = {"text": f"Is this person wearing item {number}?", "given": [draw(st.sampled_from(["yes", "no"]))]}
    return Condition.model_validate({**stated, "certainty": draw(st.none() | CERTAINTIES)})


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_one_more_condition_never_makes_a_breach_nor_unmakes_compliance(data: st.DataObject) -> None:
    some = data.draw(st.lists(conditions(), max_size=3, unique_by=lambda one: one.text))
    more = data.draw(conditions().filter(lambda one: one.text not in {other.text for other in some}))
    certainty = data.draw(CERTAINTIES)
    asked = [VEST, *(one.asked for one in (*some, more))]
    is_asked = data.draw(st.lists(st.booleans(), min_size=len(asked), max_size=len(asked)))
    answers = {
        question.question_id: dict(zip((*question.answers, CANNOT_TELL), data.draw(SHARES), strict=True))
        for question, was in zip(asked, is_asked, strict=True)
        if was
    }

    def said(*only_if: Condition) -> Verdict:
        return judged_by_all(a_rule(only_if=only_if, certainty=certainty).clauses, answers)

    before, after = said(*some), said(*some, more)
    assert (after is not Verdict.BREACH) or (before is Verdict.BREACH)
    assert (before is not Verdict.COMPLIES) or (after is Verdict.COMPLIES)
    assert said(more, *reversed(some)) is after, "nor does their order matter"


TIMELINES = st.lists(st.tuples(*[st.sampled_from("BC?u-")] * 2), max_size=14)


@settings(max_examples=400, deadline=None)
@given(TIMELINES, st.sampled_from([0.0, 0.5, 0.7]), st.sampled_from([1, 2, 4]), st.sampled_from([0, 3]))
def test_a_rule_with_conditions_counts_what_is_said_together_as_any_rule_counts(
    said: list[tuple[str, str]], share: float, seconds: int, quiet_s: int
) -> None:
    how = {"persistence": {"share": share, "seconds": seconds, "gap_s": 3}, "cooldown": {"seconds": quiet_s}}
    letter_of = {verdict: letter for letter, verdict in LETTERS.items()}
    vests, hats = ("".join(letters) for letters in zip(*said, strict=True)) if said else ("", "")
    together = "".join(letter_of[joined([LETTERS[vest], LETTERS[hat]])] for vest, hat in said)
    assert raised(a_rule(only_if=[HATLESS], **how), vests, hats) == raised(a_rule(**how), together)


@pytest.mark.parametrize(
    ("vests", "hats", "met_s", "why"),
    [
        ("BBBB", "BBBB", [2.0], "both are missing"),
        ("BBBB", "CCCC", [], "the hat is there"),
        ("CCCC", "BBBB", [], "the vest is there"),
        ("BBBB", "----", [], "nobody asked about the hat"),
        ("BBBB", "??uu", [], "nobody can tell of the hat"),
        ("BBBBBB", "CCCCBB", [6.0], "the hat came off"),
        ("BCBCBC", "CBCBCB", [], "never both at once"),
    ],
)
def test_only_both_at_once_raise_an_alert(vests: str, hats: str, met_s: list[float], why: str) -> None:
    assert raised(BOTH, vests, hats) == met_s, why


def test_a_condition_that_certainly_fails_settles_a_look_that_could_not_tell() -> None:
    lasting = {"share": 0.6, "seconds": 4}
    vests, hats = "BBuuuuuBB", "BBCBBBBBB"
    assert raised(a_rule(persistence=lasting), vests) == [], "too many looks could not tell"
    assert raised(a_rule(persistence=lasting, only_if=[HATLESS]), vests, hats) == [9.0], "one of them is settled"


def test_rules_with_and_without_conditions_stand_side_by_side() -> None:
    plain, other = a_rule(), a_rule("hatless", question={"text": HAT.text, "complying": ["yes"]})
    together = a_rule("both", only_if=[HATLESS])
    states: States = {}
    seen = looks("BBBB", hats="CBBB")
    met = follow(camera_rules(plain, together, other), states, seen, Raised({}, {}))
    after = {one.rule.id: round(one.met_s - seen[0].at_s, 3) for one in met}
    assert after == {"vest": 2.0, "both": 3.0, "hatless": 3.0}
    assert camera_rules(together).questions == {VEST.question_id, HAT.question_id}


def test_zones_and_schedules_hold_for_rules_with_conditions_too() -> None:
    zone = [{"cameras": ["gate"], "polygon": [[0.0, 0.0], [0.4, 0.0], [0.4, 1.0], [0.0, 1.0]]}]
    hours = {"time_zone": "UTC", "hours": [{"since": "01:00", "until": "02:00"}]}
    assert raised(a_rule(only_if=[HATLESS], zones=zone), "BBBB", "BBBB") == []
    assert raised(a_rule(only_if=[HATLESS], schedule=hours), "BBBB", "BBBB") == []


def test_an_answer_that_complies_twice_over_is_not_twice_as_probable() -> None:
    (look,) = looks("u")  # yes 0.45, no 0.5
    twice = a_rule(question={"text": VEST.text, "complying": ["yes", "yes"]})
    assert judged_by_all(twice.clauses, look.answers) is Verdict.UNSURE
    breaking = [replace(one, answers={VEST.question_id: {"yes": 0.4, "no": 0.6}}) for one in looks("BBB")]
    loose = Rule.model_validate({**twice.model_dump(), "certainty": 0.6})
    assert len(follow(camera_rules(loose), {}, breaking, Raised({}, {}))) == 1


def test_every_pair_of_verdicts_is_told_the_same_in_either_order() -> None:
    for one, other in itertools.product(LETTERS.values(), repeat=2):
        assert joined([one, other]) is joined([other, one])
        assert joined([one, one]) is one
