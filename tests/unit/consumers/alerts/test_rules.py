"""The rules file: what fits, what is refused and in which line, and what happens while it is edited."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.alerts.example import EXAMPLE, example_rules
from consumers.alerts.measured import EMBEDDED, MeasuredModel, MeasuredModels, measured_models
from consumers.alerts.rule_questions import Part
from consumers.alerts.rules import Rule, RuleBook, rules_schema
from consumers.alerts.rules_file import RulesWatch, parse_rules, read_rules
from consumers.alerts.standing import RulesInForce, standing_of
from consumers.errors import RulesError
from model.questions import Question
from tests.builders_rules import HAT, HATLESS, MEASURED, VEST, a_rule

VALID = """\
rules:
  - id: vest
    title: Vest
    question:
      text: Is this person wearing a safety vest?
      complying: [yes]
    schedule:
      time_zone: Europe/Berlin
      hours: [{days: [mon], since: 06:00, until: 18:00}]
    status: in force
"""
PATH = Path("rules.yaml")
COLOUR_TEXT = "What colour is the hard hat?"


def test_yes_and_no_are_answers_and_times_are_times() -> None:
    (rule,) = parse_rules(VALID, PATH).rules
    assert rule.question.complying == ("yes",)
    assert rule.schedule is not None
    assert rule.schedule.hours[0].until == "18:00"
    assert rule.question.asked == VEST


@pytest.mark.parametrize(
    ("wrong", "right", "line", "reason"),
    [
        ("titel: Vest", "title: Vest", 3, "unknown key"),
        ("complying: [maybe]", "complying: [yes]", 4, "not among the answers"),
        ("complying: [cannot tell]", "complying: [yes]", 4, "neither complies nor breaches"),
        ("complying: [yes, no]", "complying: [yes]", 4, "nothing can be a breach"),
        ("Is this person angry?", "Is this person wearing a safety vest?", 5, "never inferred"),
        ("Is this woman wearing a vest?", "Is this person wearing a safety vest?", 5, "never inferred"),
        ("Europe/Nowhere", "Europe/Berlin", 8, "no time zone"),
        ("until: 24:30", "until: 18:00", 9, "got '24:30'"),
        ("status: sometimes", "status: in force", 10, "'draft' or 'in force'"),
        ("id: [", "id: vest", 4, "no YAML"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(wrong: str, right: str, line: int, reason: str) -> None:
    with pytest.raises(RulesError) as refusal:
        parse_rules(VALID.replace(right, wrong), PATH)
    assert refusal.value.line == line, str(refusal.value)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    ["a: &x [1]\nb: *x", "rules: []\nrules: []", "!!python/object:os.system x", "[" * 5000, "? [a]\n: b", "- 1", "\0"],
)
def test_what_yaml_allows_and_rules_do_not_need_is_refused(content: str) -> None:
    with pytest.raises(RulesError):
        parse_rules(content, PATH)


def test_a_text_in_place_of_rules_is_not_told_whole() -> None:
    with pytest.raises(RulesError) as refused:
        parse_rules("minutes of the meeting " * 100, PATH)
    assert "got 'minutes of the" in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_key_with_a_line_break_is_refused_in_one_line() -> None:
    with pytest.raises(RulesError) as refused:
        parse_rules('rules: [{id: vest, "odd\\nkey": 1}]', PATH)
    assert r"'odd\nkey': unknown key" in str(refused.value)
    assert "\n" not in str(refused.value)


@settings(max_examples=250, deadline=None)
@given(st.binary(max_size=300))
@example(rb'rules: [{id: a, title: "\U00110000"}]')
@example(rb'rules: [{id: a, title: "\UFFFFFFFF"}]')
@example(rb'rules: [{id: a, title: "\uD800"}]')
@example(b"%YAML " + 5000 * b"1" + b".2")
def test_any_bytes_are_rules_or_refused(content: bytes) -> None:
    _rules_or_refused(content)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_a_rule_with_anything_in_one_place_is_a_rule_or_refused(data: st.DataObject) -> None:
    whole = read_rules(EXAMPLE).model_dump(
        mode="json", exclude_defaults=True
    )  # YAML 1.1 would read its times as numbers
    assert _rules_or_refused(yaml.safe_dump(whole).encode())
    node = data.draw(st.sampled_from(whole["rules"]))
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(PLAIN)
            break
        node = node[key]
    _rules_or_refused(yaml.safe_dump(whole).encode())


def _rules_or_refused(content: bytes) -> tuple[Rule, ...]:
    try:
        book, refusal = parse_rules(content, PATH), ""
    except RulesError as error:
        book, refusal = RuleBook(), str(error)
    assert "\n" not in refusal
    standing_of(book, MEASURED)
    return book.rules


def test_a_broken_edit_leaves_the_rules_before_in_force_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    rules = RulesInForce(RulesWatch(path), MEASURED)
    assert rules.look().rules == ()
    path.write_text(VALID)
    good = rules.look()
    assert [rule.id for rule in good.in_force] == ["vest"]
    assert rules.look() is good, "nothing has changed"
    path.write_text(VALID.replace("[yes]", "[perhaps]"))
    broken = rules.look()
    assert broken.in_force == good.in_force
    assert broken.refusal is not None
    assert broken.refusal.line == 4
    path.write_text(VALID.replace("id: vest", "id: vests"))
    mended = rules.look()
    assert (mended.refusal, [rule.id for rule in mended.in_force]) == (None, ["vests"])
    path.unlink()
    assert [rule.id for rule in rules.look().in_force] == ["vests"]


def test_a_rule_nobody_measured_is_a_draft_and_says_which_model_could_tell() -> None:
    mask = a_rule("mask", question={"text": "Is this person wearing a face mask?", "complying": ["yes"]})
    other = MeasuredModel("/models/masks", (mask.question.asked,))
    (alone,) = standing_of(RuleBook(rules=(mask,)), MEASURED).rules
    (beside,) = standing_of(RuleBook(rules=(mask,)), MeasuredModels(MEASURED.answering, (other,))).rules
    assert alone.status == beside.status == "draft"
    assert "nor was any other model" in str(alone.why_draft)
    assert "/models/masks was" in str(beside.why_draft)


def test_what_decides_makes_another_revision_and_what_is_only_said_does_not() -> None:
    rule = a_rule()
    assert rule.revision == a_rule(title="Other words", severity="low", channels=["mail"], status="draft").revision
    assert rule.revision != a_rule(certainty=0.8).revision
    assert rule.revision != a_rule("vest2").revision


CONDITIONAL = (
    VALID
    + """\
    only_if:
      - text: Is this person wearing a hard hat?
        given: [no]
      - kind: choice
        text: What colour is the hard hat?
        answers: [yellow, red, none]
        given: [none]
        certainty: 0.9
"""
)


def test_conditions_are_typed_questions_with_the_answers_that_must_be_given() -> None:
    (rule,) = parse_rules(CONDITIONAL, PATH).rules
    assert [one.asked for one in rule.only_if] == [HAT, Question("choice", COLOUR_TEXT, ("yellow", "red", "none"))]
    assert [(c.complying, c.breaching, c.certainty) for c in rule.clauses] == [
        (("yes",), ("no",), 0.7),
        (("yes",), ("no",), 0.7),
        (("yellow", "red"), ("none",), 0.9),
    ]
    assert Rule.model_validate(rule.model_dump(mode="json")) == rule


@pytest.mark.parametrize(
    ("wrong", "right", "line", "reason"),
    [
        ("given: [maybe]", "given: [no]", 12, "not among the answers"),
        ("given: [cannot tell]", "given: [no]", 12, "name answers that tell something"),
        ("given: [yes, no]", "given: [no]", 12, "it is no condition"),
        ("given: [none, none]", "given: [none]", 14, "given twice"),
        ("complying: [no]", "given: [no]", 13, "unknown key"),
        ("answers: [red]", "answers: [yellow, red, none]", 14, "at least two"),
        ("certainty: 0.4", "certainty: 0.9", 18, "greater than 0.5"),
        ("Is this person angry?", "Is this person wearing a hard hat?", 12, "never inferred"),
        ("text: Is this person wearing a safety vest?", "text: Is this person wearing a hard hat?", 2, "asked twice"),
    ],
)
def test_a_condition_that_does_not_fit_is_refused_with_its_line(wrong: str, right: str, line: int, reason: str) -> None:
    with pytest.raises(RulesError) as refusal:
        parse_rules(CONDITIONAL.replace(right, wrong), PATH)
    assert reason in str(refusal.value)
    assert refusal.value.line == line, str(refusal.value)


def test_a_rule_is_a_draft_until_every_question_of_it_was_measured() -> None:
    measured = MeasuredModels(MeasuredModel("embedded", (VEST,)))
    (partly,) = standing_of(RuleBook(rules=(a_rule(only_if=[HATLESS]),)), measured).rules
    assert partly.status == "draft"
    assert "not measured on “Is this person wearing a hard hat?”" in str(partly.why_draft)
    assert "safety vest" not in str(partly.why_draft)
    (neither,) = standing_of(RuleBook(rules=(a_rule(only_if=[HATLESS]),)), MeasuredModels(MeasuredModel("x", ()))).rules
    assert all(words in str(neither.why_draft) for words in ("safety vest", "hard hat"))


def test_what_conditions_ask_is_asked_of_the_model_once() -> None:
    rules = (a_rule(only_if=[HATLESS]), a_rule("hat", question={"text": HAT.text, "complying": ["yes"]}), a_rule("x"))
    assert standing_of(RuleBook(rules=rules), MEASURED).questions == (VEST, HAT)


def test_conditions_decide_so_they_are_part_of_the_revision() -> None:
    rule = a_rule(only_if=[HATLESS])
    assert len({rule.revision, a_rule().revision, a_rule(only_if=[{**HATLESS, "certainty": 0.9}]).revision}) == 3
    assert rule.revision == a_rule(only_if=[HATLESS], title="Other words").revision


def test_a_rule_without_conditions_is_named_and_written_as_before_there_were_any() -> None:
    """Else every desk that there is would count anew, and raise again what it has raised."""
    before = {
        "vest": "e2ce73893ca9",
        "hard-hat": "0c9ce95f21aa",
        "visitors-in-white": "34a0dfefdf06",
        "mask-at-the-mixer": "5607efab4cd0",
    }
    rules = {rule.id: rule for rule in read_rules(EXAMPLE).rules}
    assert {name: rules[name].revision for name in before} == before
    assert all("only_if" not in rules[name].model_dump(mode="json") for name in before)


def test_the_example_fits_the_embedded_model_and_is_copied_once(tmp_path: Path) -> None:
    standing = standing_of(read_rules(EXAMPLE), measured_models(EMBEDDED))
    assert [rule.id for rule in standing.in_force] == ["vest"]
    path = example_rules(tmp_path)
    path.write_text("rules: []")
    assert example_rules(tmp_path).read_text() == "rules: []"


def test_every_field_of_the_schema_is_described() -> None:
    schema = json.loads(json.dumps(rules_schema()))
    assert {"Rule", "Condition", "Persistence", "Schedule", "Zone"} <= set(schema["$defs"])
    parts = [Part]
    for part in parts:
        parts.extend(part.__subclasses__())
    undescribed = [
        f"{part.__name__}.{name}"
        for part in parts
        for name, field in part.model_fields.items()
        if not field.description and not _documents_itself(field.annotation)
    ]
    assert undescribed == []


def _documents_itself(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part) and bool(kind.__doc__)
