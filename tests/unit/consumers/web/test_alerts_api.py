"""Alerts over the API, on a real desk: lists, one in full, changes by two officers at once, export, summary."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select

from consumers.access.gate import COOKIE
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.rules import Rule
from consumers.alerts.schema import AlertRecord, FeedbackRecord
from consumers.indexer.people import PeopleTable
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from tests.builders_access import enter_users, session_of
from tests.builders_alerts import HAT_RULE, VEST_RULE, api_over, enter_alert, enter_evidence
from tests.builders_web import HAT, NOON, REVISIONS, VEST, CaptionSearch, Walk, enter_segment, sure

BOX = (64.0, 48.0, 128.0, 240.0)
CROP = np.full((80, 40, 3), 120, np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(str(tmp_path / "media"))


@pytest.fixture
def api(store: MediaStore, table: PeopleTable, desk: DeskDatabase, tmp_path: Path) -> FastAPI:
    return api_over(CaptionSearch(table), table, store, desk, tmp_path)


@pytest.fixture
def client(api: FastAPI) -> TestClient:
    return TestClient(api, raise_server_exceptions=False)


def segment(store: MediaStore, table: PeopleTable, clip: Path, camera: str, started_at: datetime = NOON) -> Manifest:
    walk = Walk([(0.4, BOX), (1.4, BOX)], CROP, "worker", sure(HAT, "no", 0.91) | sure(VEST, "no", 0.8), best=1)
    return enter_segment(store, table, clip, [walk], camera=camera, started_at=started_at)


@pytest.fixture
def gate(store: MediaStore, table: PeopleTable, grey_clip: Path) -> Manifest:
    return segment(store, table, grey_clip, "gate")


@pytest.fixture
def hat_alert(desk: DeskDatabase, gate: Manifest) -> str:
    return enter_alert(desk, gate)


@pytest.fixture
def three(desk: DeskDatabase, store: MediaStore, table: PeopleTable, grey_clip: Path, hat_alert: str) -> list[str]:
    """High at the gate, medium at the yard, critical at the yard; raised in this order."""
    yard = segment(store, table, grey_clip, "yard", NOON + timedelta(hours=1))
    medium = enter_alert(desk, yard, rule=VEST_RULE)
    return [hat_alert, medium, enter_alert(desk, yard, rule=VEST_RULE, severity="critical", episode=2)]


def act(client: TestClient, alert_id: str, version: int, **told: object) -> dict[str, object]:
    answer = client.post(f"/api/v1/alerts/{alert_id}/acts", json={"version": version, "act": told})
    return {"status": answer.status_code, **answer.json()}


def ids(client: TestClient, **asked: object) -> list[str]:
    return [alert["alert_id"] for alert in client.get("/api/v1/alerts", params=asked).json()["alerts"]]


def test_a_desk_without_alerts_is_an_empty_page(client: TestClient):
    assert client.get("/api/v1/alerts").json() == {"alerts": [], "next": None}
    assert client.get("/api/v1/alerts/nothing").status_code == 404


def test_alerts_come_newest_or_worst_first_and_the_cursor_goes_on(client: TestClient, three: list[str]):
    high, medium, critical = three
    assert ids(client) == [critical, medium, high]
    assert ids(client, order="severity") == [critical, high, medium]
    for order, expected in (("newest", [critical, medium, high]), ("severity", [critical, high, medium])):
        walked, behind = [], None
        while True:
            asked = {"limit": 1, "order": order, **({"behind": behind} if behind else {})}
            page = client.get("/api/v1/alerts", params=asked).json()
            walked += [alert["alert_id"] for alert in page["alerts"]]
            if (behind := page["next"]) is None:
                break
        assert walked == expected


def test_filters_by_camera_rule_state_severity_and_time(client: TestClient, three: list[str]):
    high, medium, critical = three
    assert ids(client, camera="yard") == [critical, medium]
    assert ids(client, camera=["yard", "gate"], severity=["high", "medium"]) == [medium, high]
    assert ids(client, rule="hard-hat") == [high]
    assert ids(client, since=(NOON + timedelta(minutes=30)).isoformat()) == [critical, medium]
    assert ids(client, until=(NOON + timedelta(minutes=30)).isoformat()) == [high]
    act(client, high, 1, act="resolve")
    assert ids(client, state="open") == [critical, medium]
    assert ids(client, state=["resolved", "false_alarm"]) == [high]
    assert ids(client, assignee="nobody") == []


def test_one_alert_comes_with_its_question_answers_frame_history_and_model(client: TestClient, hat_alert: str):
    alert = client.get(f"/api/v1/alerts/{hat_alert}").json()
    assert alert["question"]["text"] == HAT.text
    assert (alert["question"]["complying"], alert["question"]["certainty"]) == (["yes"], 0.7)
    assert [answer["label"] for answer in alert["answers"]] == ["hard hat", "safety vest"]
    assert alert["box"] == {"left": 0.1, "top": 0.1, "width": 0.1, "height": 0.4}
    assert alert["revisions"]["answer"] == REVISIONS.answer
    assert [(line["who"], line["action"]) for line in alert["history"]] == [("alerter", "raised")]
    frame = client.get(alert["frame_url"])
    assert frame.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(frame.content)).size == (640, 480)


def test_a_frame_of_footage_that_is_gone_is_not_shown_from_memory(
    client: TestClient, store: MediaStore, gate: Manifest, hat_alert: str
):
    address = client.get(f"/api/v1/alerts/{hat_alert}").json()["frame_url"]
    assert client.get(address).status_code == 200
    store.remove(gate.segment_uri)
    assert client.get(address).status_code == 404


def test_when_the_footage_is_gone_the_copy_stands_in(
    client: TestClient, desk: DeskDatabase, store: MediaStore, gate: Manifest, hat_alert: str
):
    copy = f"media:///evidence/{hat_alert}/clip.mp4"
    store.write(copy, store.read(gate.segment_uri))
    enter_evidence(desk, hat_alert, "clip", copy)
    path = store.local_path(gate.segment_uri)
    assert path is not None
    path.unlink()
    alert = client.get(f"/api/v1/alerts/{hat_alert}").json()
    assert (alert["clip"]["url"], alert["clip"]["at_s"]) == (f"/media/evidence/{hat_alert}/clip.mp4", 5.0)
    assert client.get(alert["clip"]["url"], headers={"Range": "bytes=0-9"}).status_code == 206
    assert client.get(alert["frame_url"]).status_code == 200  # a clip shorter than ten seconds shows its last frame


def test_an_officers_way_through_an_alert_is_kept_line_by_line(client: TestClient, hat_alert: str):
    assert act(client, hat_alert, 1, act="acknowledge")["state"] == "acknowledged"
    assert act(client, hat_alert, 2, act="assign", to="this machine")["assignee"] == "this machine"
    assert act(client, hat_alert, 3, act="comment", comment="  went there ")["version"] == 4
    assert act(client, hat_alert, 4, act="snooze", minutes=15)["state"] == "snoozed"
    assert act(client, hat_alert, 5, act="resolve", comment="put it on")["state"] == "resolved"
    assert act(client, hat_alert, 6, act="reopen")["state"] == "open"
    history = client.get(f"/api/v1/alerts/{hat_alert}").json()["history"]
    assert [(line["action"], line["comment"], line["version"]) for line in history] == [
        ("raised", None, 1),
        ("acknowledged", None, 2),
        ("assigned", None, 3),
        ("commented", "went there", 4),
        ("snoozed", None, 5),
        ("resolved", "put it on", 6),
        ("reopened", None, 7),
    ]


def test_the_second_of_two_officers_is_told_and_overwrites_nothing(client: TestClient, hat_alert: str):
    assert act(client, hat_alert, 1, act="acknowledge")["status"] == 200
    late = act(client, hat_alert, 1, act="resolve")
    assert late["status"] == 409
    assert "Nothing was overwritten" in str(late["detail"])
    current = late["current"]
    assert isinstance(current, dict)
    assert (current["state"], current["version"]) == ("acknowledged", 2)


def test_a_false_alarm_says_what_is_right_and_becomes_feedback_until_it_is_reopened(
    client: TestClient, desk: DeskDatabase, hat_alert: str
):
    assert act(client, hat_alert, 1, act="false alarm", right_answer="purple")["status"] == 422
    assert act(client, hat_alert, 1, act="false alarm")["status"] == 422
    assert act(client, hat_alert, 1, act="false alarm", right_answer="yes")["state"] == "false_alarm"
    with desk.reading() as session:
        (feedback,) = session.scalars(select(FeedbackRecord))
    assert (feedback.kind, feedback.answer, feedback.by) == ("false alarm", "yes", "this machine")
    assert (feedback.question["text"], feedback.question["answers"]) == (HAT.text, ["yes", "no"])
    assert feedback.answer_revision == REVISIONS.answer
    act(client, hat_alert, 2, act="reopen")
    with desk.reading() as session:
        assert session.scalar(select(FeedbackRecord)) is None


def test_an_alert_of_a_rule_with_conditions_shows_each_and_takes_what_is_right_of_any(
    client: TestClient, desk: DeskDatabase, gate: Manifest
):
    bare = {"kind": "predicate", "text": VEST.text, "given": ["no"], "certainty": 0.75}
    rule = Rule.model_validate({**HAT_RULE.model_dump(), "id": "bare", "only_if": [bare]})
    name = enter_alert(desk, gate, rule=rule)
    alert = client.get(f"/api/v1/alerts/{name}").json()
    assert alert["question"]["text"] == HAT.text
    assert alert["only_if"] == [{**bare, "question_id": VEST.question_id, "answers": ["yes", "no"]}]
    assert [answer["label"] for answer in alert["answers"]] == ["hard hat", "safety vest"]
    refused = act(client, name, 1, act="false alarm", right_answer="yes", question_id="another")
    assert (refused["status"], "does not ask" in str(refused["detail"])) == (422, True)
    assert act(client, name, 1, act="false alarm", right_answer="purple", question_id=VEST.question_id)["status"] == 422
    told = act(client, name, 1, act="false alarm", right_answer="yes", question_id=VEST.question_id)
    assert told["state"] == "false_alarm"
    with desk.reading() as session:
        (feedback,) = session.scalars(select(FeedbackRecord))
    assert (feedback.question["question_id"], feedback.answer) == (VEST.question_id, "yes")
    line = client.get(f"/api/v1/alerts/{name}").json()["history"][-1]
    assert (line["right_answer"], line["details"]) == ("yes", {"question": VEST.text})


def test_an_alert_of_a_rule_without_conditions_names_none(client: TestClient, hat_alert: str):
    assert client.get(f"/api/v1/alerts/{hat_alert}").json()["only_if"] == []


@pytest.mark.parametrize(
    "told",
    [
        {"act": "acknowledge"},
        {"act": "assign", "to": "this machine"},
        {"act": "snooze", "minutes": 5},
        {"act": "false alarm", "right_answer": "yes"},
    ],
)
def test_what_is_closed_has_to_be_reopened_first(client: TestClient, hat_alert: str, told: dict[str, object]):
    act(client, hat_alert, 1, act="resolve")
    refused = act(client, hat_alert, 2, **told)
    assert (refused["status"], "resolved" in str(refused["detail"])) == (422, True)


@pytest.mark.parametrize(
    "told",
    [
        {"act": "dance"},
        {"act": "comment"},
        {"act": "comment", "comment": "   "},
        {"act": "snooze", "minutes": 0},
        {"act": "snooze", "minutes": 99_999},
        {"act": "assign", "to": "a stranger"},
        {"act": "reopen"},
        {"act": "resolve", "colour": "red"},
    ],
)
def test_an_act_that_makes_no_sense_is_refused_and_changes_nothing(
    client: TestClient, hat_alert: str, told: dict[str, object]
):
    assert act(client, hat_alert, 1, **told)["status"] == 422
    assert client.get(f"/api/v1/alerts/{hat_alert}").json()["version"] == 1


def test_a_snoozed_alert_comes_back_by_itself(client: TestClient, desk: DeskDatabase, hat_alert: str):
    act(client, hat_alert, 1, act="snooze", minutes=15)
    assert (ids(client, state="open"), ids(client, state="snoozed")) == ([], [hat_alert])
    with desk.writing() as session:
        record = session.scalar(select(AlertRecord))
        assert record is not None
        record.snoozed_until = datetime.now(UTC) - timedelta(seconds=1)
    assert (ids(client, state="open"), ids(client, state="snoozed")) == ([hat_alert], [])
    assert client.get(f"/api/v1/alerts/{hat_alert}").json()["state"] == "open"


def test_one_act_for_many_does_what_it_can_and_says_what_it_could_not(client: TestClient, three: list[str]):
    high, medium, critical = three
    act(client, medium, 1, act="acknowledge")
    seen = [{"alert_id": name, "version": 1} for name in (high, medium, critical, "nothing")]
    answer = client.post("/api/v1/alerts/acts", json={"alerts": seen, "act": {"act": "resolve"}}).json()
    assert {alert["alert_id"] for alert in answer["done"]} == {high, critical}
    refused = {one["alert_id"]: one for one in answer["refused"]}
    assert refused[medium]["current"]["state"] == "acknowledged"
    assert refused["nothing"]["current"] is None


def test_only_an_officer_acts_only_an_analyst_exports_and_both_are_logged(
    client: TestClient, api: FastAPI, desk: DeskDatabase, hat_alert: str
):
    enter_users(desk)
    cookies = {
        name: {"Cookie": f"{COOKIE}={session_of(api.state.access, name)}"} for name in ("viewer", "analyst", "officer")
    }
    change = {"version": 1, "act": {"act": "assign", "to": "officer"}}
    path = f"/api/v1/alerts/{hat_alert}/acts"
    assert client.get("/api/v1/alerts", headers=cookies["viewer"]).status_code == 200
    assert client.post(path, json=change).status_code == 401
    assert client.post(path, json=change, headers=cookies["analyst"]).status_code == 403
    assert client.post(path, json=change, headers=cookies["officer"]).json()["assignee"] == "officer"
    assert client.get("/api/v1/alerts.csv", headers=cookies["viewer"]).status_code == 403
    assert client.get("/api/v1/alerts.csv?camera=gate", headers=cookies["analyst"]).status_code == 200
    logged = {(e.who, e.action, e.subject) for e in api.state.access.entries(9)}
    assert {("officer", "alert assigned", hat_alert), ("analyst", "export", "alerts")} <= logged


def test_the_export_is_a_table_that_no_spreadsheet_runs(client: TestClient, desk: DeskDatabase, gate: Manifest):
    enter_alert(desk, gate, rule=VEST_RULE.model_copy(update={"title": '=cmd("x")'}))
    answer = client.get("/api/v1/alerts.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert (row["title"], row["camera_id"], row["state"]) == ('\'=cmd("x")', "gate", "open")


def test_the_summary_counts_hours_cameras_and_rules_and_says_how_fast_and_how_right(
    client: TestClient, desk: DeskDatabase, three: list[str]
):
    high, medium, _ = three
    act(client, high, 1, act="false alarm", right_answer="yes")
    act(client, medium, 1, act="resolve")
    with desk.writing() as session:
        for record in session.scalars(select(AlertRecord).where(AlertRecord.acknowledged_at.is_not(None))):
            record.acknowledged_at = record.raised_at + timedelta(seconds=30)
    asked = {"since": NOON.isoformat(), "until": (NOON + timedelta(hours=3)).isoformat()}
    summary = client.get("/api/v1/alerts/summary", params=asked).json()
    assert [hour["alerts"] for hour in summary["by_hour"]] == [1, 2, 0]
    assert summary["by_camera"] == [
        {"name": "yard", "alerts": 2, "false_alarms": 0},
        {"name": "gate", "alerts": 1, "false_alarms": 1},
    ]
    assert (summary["acknowledged"], summary["acknowledge_s_p50"], summary["false_alarm_rate"]) == (2, 30.0, 0.5)
    assert client.get("/api/v1/alerts/summary?time_zone=Mars").status_code == 422
    assert (
        client.get("/api/v1/alerts/summary", params={"since": asked["until"], "until": asked["since"]}).status_code
        == 422
    )


@pytest.mark.parametrize(
    "path", ["?limit=0", "?state=asleep", "?severity=awful", "?behind=x", "?since=yesterday", "?order=random"]
)
def test_a_list_that_nobody_can_mean_is_a_problem(client: TestClient, path: str):
    answer = client.get(f"/api/v1/alerts{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
