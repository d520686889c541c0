"""Rules over the API: read, checked, saved against the file that was seen; why a rule says what it says."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.rules import RuleBook
from consumers.alerts.rules_file import parse_rules
from consumers.errors import RulesError
from consumers.indexer.people import PeopleTable
from consumers.web.rules.rule_edit import with_rule, without_rule
from consumers.web.rules.rule_zones import with_rule_in_zone
from consumers.web.rules.status_edit import with_status
from consumers.web.rules.zone_edit import with_zone, without_zone
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from tests.builders_alerts import RULES_YAML, api_over
from tests.builders_web import HAT, VEST, CaptionSearch, Walk, enter_segment, panned_clip, sure

RULE = {"title": "Work clothes", "question": {"text": "Is this person wearing a hard hat?", "complying": ["yes"]}}


@pytest.fixture
def client(tmp_path: Path, table: PeopleTable) -> Iterator[TestClient]:
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    api = api_over(CaptionSearch(table), table, MediaStore(str(tmp_path / "media")), desk, tmp_path)
    yield TestClient(api, raise_server_exceptions=False)
    desk.close()


@pytest.fixture
def seen(tmp_path: Path, table: PeopleTable) -> Manifest:
    """Somebody without a hat."""
    clip = panned_clip(np.full((480, 640, 3), 90, np.uint8), tmp_path / "grey.mp4", seconds=1)
    box = (64.0, 48.0, 128.0, 240.0)
    walk = Walk([(0.4, box)], np.full((80, 40, 3), 120, np.uint8), "worker", sure(HAT, "no") | sure(VEST, "yes"))
    return enter_segment(MediaStore(str(tmp_path / "media")), table, clip, [walk], camera="gate")


def test_without_a_file_there_is_one_to_begin_with_and_saving_makes_it(client: TestClient, tmp_path: Path):
    rules = client.get("/api/v1/rules").json()
    assert (rules["rules"], rules["refusal"]) == ([], None)
    saved = client.put("/api/v1/rules", json={"text": RULES_YAML, "revision": rules["revision"]}).json()
    assert (tmp_path / "rules.yaml").read_text() == RULES_YAML
    assert [(one["rule"]["id"], one["status"]) for one in saved["rules"]] == [
        ("hard-hat", "in force"),
        ("vest", "draft"),
        ("gloves", "draft"),
    ]
    assert "was not measured on" in saved["rules"][2]["why_draft"]


def test_rules_that_do_not_fit_are_refused_with_their_line_and_change_nothing(client: TestClient, tmp_path: Path):
    revision = client.get("/api/v1/rules").json()["revision"]
    broken = {"text": "rules:\n  - id: vest\n    titel: x\n", "revision": revision}
    for answer in (client.put("/api/v1/rules", json=broken), client.post("/api/v1/rules/check", json=broken)):
        assert (answer.status_code, answer.json()["line"]) == (422, 3)
    assert not (tmp_path / "rules.yaml").exists()


def test_the_second_of_two_who_save_is_told_and_overwrites_nothing(client: TestClient, tmp_path: Path):
    revision = client.get("/api/v1/rules").json()["revision"]
    (tmp_path / "rules.yaml").write_text(RULES_YAML)
    late = client.put("/api/v1/rules", json={"text": "rules: []\n", "revision": revision})
    assert late.status_code == 409
    assert (tmp_path / "rules.yaml").read_text() == RULES_YAML


def test_every_rule_says_what_it_makes_of_somebody_and_why(client: TestClient, tmp_path: Path, seen: Manifest):
    (tmp_path / "rules.yaml").write_text(RULES_YAML)
    verdicts = client.get(f"/api/v1/people/{seen.people[0].person_id}/verdicts").json()
    assert [verdict["rule_id"] for verdict in verdicts] == ["hard-hat", "vest", "gloves"]
    assert all(verdict["because"] for verdict in verdicts)
    assert client.get("/api/v1/people/nobody/verdicts").status_code == 404


def test_an_answer_about_somebody_is_corrected(client: TestClient, seen: Manifest):
    path = f"/api/v1/people/{seen.people[0].person_id}/corrections"
    assert client.post(path, json={"question_id": VEST.question_id, "right_answer": "no"}).status_code == 204
    assert client.post(path, json={"question_id": VEST.question_id, "right_answer": "purple"}).status_code == 422
    assert client.post(path, json={"question_id": "nothing", "right_answer": "no"}).status_code == 404


def test_changing_a_status_leaves_every_other_character(tmp_path: Path):
    changed = with_status(RULES_YAML, "gloves", "draft", tmp_path)
    assert changed == RULES_YAML[::-1].replace("in force"[::-1], "draft"[::-1], 1)[::-1]
    assert with_status(with_status(RULES_YAML, "vest", "in force", tmp_path), "vest", "draft", tmp_path) == (
        RULES_YAML.replace("# tried since March\n", "# tried since March\n    status: draft\n")
    )
    with pytest.raises(RulesError, match="has no rule 'boots'"):
        with_status(RULES_YAML, "boots", "draft", tmp_path)


HATS = """\
  - id: hats
    title: Hats
    question: {text: 'Is this person wearing a hard hat?', complying: [yes]}  # everywhere
    zones:  # of the yard
      - door
"""
VESTS = """\
  - id: vests
    question:
      text: Is this person wearing a safety vest?
      complying:
        - yes
    title: |
      Vests
"""
DOOR = """\
  door:
    cameras: [ramp]
    polygon: [[0, 0], [1, 0], [1, 1]]
"""
TRACK = """\
  track:
    polygon: [[0, 0], [1, 0], [1, 1]]
    cameras:
      - ramp  # up to the fence
"""
COMMENTED = f"""\
rules:  # all of ours: agreed in March
{HATS}  # Vests are for visitors too.
{VESTS}# Drawn in May.
zones:  # by hand: all of them
  # The door to the ramp.
{DOOR}  # Nobody stands here.
{TRACK}# The end.
"""


def test_taking_a_rule_or_a_zone_out_takes_its_own_lines_and_no_comment():
    for rule_id, lines in (("hats", HATS), ("vests", VESTS)):
        assert without_rule(COMMENTED, rule_id) == COMMENTED.replace(lines, "")
    for zone, lines in (("door", DOOR), ("track", TRACK)):
        assert without_zone(COMMENTED, zone) == COMMENTED.replace(lines, "")


def test_the_last_rule_and_the_last_zone_leave_a_file_that_fits_and_the_comments_stay(tmp_path: Path):
    text = without_rule(without_rule(COMMENTED, "vests"), "hats")
    assert text.startswith(
        "rules: []  # all of ours: agreed in March\n  # Vests are for visitors too.\n# Drawn in May."
    )
    text = without_zone(without_zone(text, "track"), "door")
    assert parse_rules(text, tmp_path) == RuleBook()
    comments = [line.partition("#")[2] for line in COMMENTED.splitlines() if "#" in line]
    of_entries = (" everywhere", " of the yard", " up to the fence")
    assert [line.partition("#")[2] for line in text.splitlines() if "#" in line] == [
        comment for comment in comments if comment not in of_entries
    ]
    again = with_zone(with_rule(text, {"id": "hats", **RULE}), "door", ["ramp"], [(0, 0), (1, 0), (1, 1)])
    assert again.startswith("rules:  # all of ours: agreed in March\n  - id: hats\n")
    assert "\nzones:  # by hand: all of them\n  door:\n" in again
    book = parse_rules(again, tmp_path)
    assert ([rule.id for rule in book.rules], list(book.zones)) == (["hats"], ["door"])


def test_a_rule_that_holds_in_no_zone_any_more_keeps_the_comment_beside_its_zones(tmp_path: Path):
    text = with_rule_in_zone(COMMENTED, "hats", "door", tmp_path, is_in=False)
    assert text == COMMENTED.replace("zones:  # of the yard\n      - door\n", "zones: []  # of the yard\n")


def test_a_rule_is_added_in_front_of_the_comment_of_what_follows(tmp_path: Path):
    text = with_rule(COMMENTED, {"id": "boots", **RULE})
    before, _, after = text.partition("  - id: boots\n")
    assert before.endswith(VESTS)
    assert "\n# Drawn in May.\nzones:" in after
    assert [rule.id for rule in parse_rules(text, tmp_path).rules] == ["hats", "vests", "boots"]


@pytest.mark.parametrize("word", ["08", "1e5", "yes", "null", "22:00", "2026-11-24", "0o7", ".5", "5.", "it's", "a: b"])
def test_whatever_word_is_written_into_a_rule_is_read_again(word: str, tmp_path: Path):
    text = with_rule("rules: []\n", {"id": "boots", **RULE, "title": word})
    assert [rule.title for rule in parse_rules(text, tmp_path).rules] == [word]
