"""Rules over the API: read, checked, saved against the file that was seen; why a rule says what it says."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import RulesError
from consumers.indexer.people import PeopleTable
from consumers.web.rules.status_edit import with_status
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from tests.builders_alerts import RULES_YAML, api_over
from tests.builders_web import HAT, VEST, CaptionSearch, Walk, enter_segment, panned_clip, sure


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
