from pathlib import Path

import pytest
from pydantic import SecretStr

from consumers.alerts.build import measured_by
from consumers.alerts.measured import measured_models
from consumers.alerts.rules import IN_FORCE
from consumers.alerts.rules_file import parse_rules
from consumers.alerts.standing import standing_of
from consumers.errors import PackError
from consumers.packs.packs import coverage, drafts, packaged, read_pack, read_packs
from consumers.questions import question_set, questions_of
from consumers.settings import AlerterSettings, Server, Vlm
from model.folders import DECISIONS, checkpoint_folder

EMBEDDED = measured_models("embedded")


def test_three_packs_come_with_the_package_and_can_be_asked_together() -> None:
    assert packaged() == ["media", "retail", "safety"]
    asked = [question.asked for pack in read_packs(packaged()) for question in pack.questions]
    assert {question.question_id for question in questions_of(question_set(asked))} == {q.question_id for q in asked}
    assert [pack.name for pack in read_packs(["retail", "safety", "retail"])] == ["retail", "safety"]


def test_whoever_chooses_a_pack_is_told_how_much_of_it_the_model_can_answer() -> None:
    assert coverage(read_pack("safety"), EMBEDDED) == (
        "Question pack safety: 5 of 9 questions can be answered by embedded; the rest are answered cannot tell "
        "(not trained). `crewsight questions show safety` says which, and what could answer."
    )
    assert coverage(read_pack("retail"), EMBEDDED).startswith("Question pack retail: 0 of 5")


@pytest.mark.parametrize("name", packaged())
def test_no_draft_of_a_pack_comes_into_force_on_a_question_that_was_not_measured(name: str) -> None:
    written = drafts(read_pack(name))
    standing = standing_of(parse_rules(written, Path("rules.yaml")), EMBEDDED)
    assert standing.in_force == ()
    forced = standing_of(
        parse_rules(written.replace("status: draft", "status: in force"), Path("rules.yaml")), EMBEDDED
    )
    measured = {question.question_id for question in EMBEDDED.answering.questions}
    assert {rule.question.asked.question_id for rule in forced.in_force} <= measured
    assert len(forced.in_force) == (3 if name == "safety" else 0)
    assert all(one.why_draft for one in forced.rules if one.status != IN_FORCE)


def test_a_served_model_is_relied_on_for_what_its_own_sheet_lists_and_nothing_else() -> None:
    def settings(sheet: Path | None) -> AlerterSettings:
        server = Server(url="http://gpu:8000", api_key=SecretStr("x"), decision_sheet=sheet)
        return AlerterSettings(vlm=Vlm(server=server))

    blind = measured_by(settings(None))
    assert coverage(read_pack("safety"), blind).startswith(
        "Question pack safety: 0 of 9 questions can be answered by humanvlm; the rest are not measured."
    )
    measured = measured_by(settings(checkpoint_folder("embedded") / DECISIONS))
    assert coverage(read_pack("safety"), measured).startswith("Question pack safety: 5 of 9")


def test_a_pack_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "gym.yaml"
    path.write_text("name: gym\ntitle: Our gym\nquestions:\n  - text: Is this person lifting?\n    complying: [no]\n")
    pack = read_pack(str(path))
    assert (pack.name, pack.questions[0].complying, pack.questions[0].asked.answers) == ("gym", ("no",), ("yes", "no"))


HEAD = "name: own\ntitle: Ours\nquestions:\n"


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (HEAD + "  - text: Is this person angry?", 4, "never inferred"),
        (HEAD + "  - {kind: choice, text: Which one, answers: [a]}", 4, "two or more"),
        (HEAD + "  - {kind: choice, text: Which one, answers: [a, a]}", 4, "two or more"),
        (HEAD + "  - {kind: choice, text: Which one, answers: [a, cannot tell]}", 4, "leave it out"),
        (HEAD + "  - {text: Is it so, complying: [maybe]}", 4, "'maybe' complies but is not among"),
        (HEAD + "  - {txt: Is it so}", 4, "unknown key"),
        ("name: own\ntitle: Ours\nquestions: []", 3, "at least 1"),
        ("name: [", None, "is no YAML"),
    ],
)
def test_a_pack_that_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, content: str, line: int | None, reason: str
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content)
    with pytest.raises(PackError) as caught:
        read_pack(str(path))
    assert reason in caught.value.reason
    assert line is None or caught.value.line == line
    assert str(caught.value).startswith(f"question pack {path}")


def test_a_pack_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(PackError, match="there are media, retail, safety"):
        read_pack("gardening")
