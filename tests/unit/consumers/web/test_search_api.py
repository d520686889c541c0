"""Searching over the API: everything that can be asked, what is refused and why, saved searches and guards."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.rules import Rule
from consumers.alerts.rules_file import read_rules
from streamer.bus.media import MediaStore
from tests.builders_access import enter_users
from tests.builders_alerts import api_over
from tests.builders_search import COLOUR, HAT, Searched, Seen, later
from tests.builders_web import panned_clip

GROUPS = "camera_groups:\n  outside: [yard, ramp]\nrules: []\n"


@dataclass
class Site:
    client: TestClient
    searched: Searched
    desk: DeskDatabase
    rules: Path
    ids: list[str]
    media: MediaStore

    def find(self, **asked: Any) -> Any:
        answer = self.client.post("/api/v1/search", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def captions(self, **asked: Any) -> list[str]:
        return [hit["person"]["caption"] for hit in self.find(**asked)["hits"]]

    def refusal(self, status: int = 422, **asked: Any) -> str:
        answer = self.client.post("/api/v1/search", json=asked)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return str(answer.json()["detail"])

    def token(self, role: Role) -> dict[str, str]:
        access = self.client.app.state.access  # type: ignore[attr-defined]
        return {"Authorization": f"Bearer {access.add_token(role.value, 'test', role, by='test')}"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A worker in a hat at the gate, one without in the yard, a minute apart."""
    searched = Searched(tmp_path)
    ids = searched.enter(
        Seen("a hard hat", "worker in a hat", hat="yes", colour="yellow"),
        Seen("vest", "worker with a ladder", camera="yard", at=later(60), hat="no", colour="none"),
    )
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    (tmp_path / "rules.yaml").write_text(GROUPS)
    media = MediaStore(str(tmp_path / "media"))
    with searched.served() as (client, _):
        api = api_over(client, searched.table, media, desk, tmp_path)
        yield Site(TestClient(api), searched, desk, tmp_path / "rules.yaml", ids, media)
        api.state.access.close()
    desk.close()
    searched.table.close()


def png(pixels: Any) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_words_examples_and_nothing_can_be_asked_for(site: Site) -> None:
    assert site.captions(words="ladder", by="description") == ["worker with a ladder"]
    assert site.captions(words="a hard hat", by="picture", k=1) == ["worker in a hat"]
    assert site.captions(like=site.ids[1], k=1) == ["worker with a ladder"]
    assert len(site.captions(picture=png(np.full((90, 40, 3), 99, np.uint8)))) == 2
    assert site.captions() == ["worker with a ladder", "worker in a hat"]


def test_every_hit_says_why(site: Site) -> None:
    found = site.find(words="ladder zebra")
    assert "zebra" in found["unknown_words"]
    why = {hit["person"]["caption"]: hit["why"] for hit in found["hits"]}
    assert why["worker with a ladder"]["matched_words"] == ["ladder"]
    assert why["worker in a hat"]["matched_words"] == []
    assert -1 <= why["worker in a hat"]["similarity"] <= 1
    assert why["worker in a hat"]["embedding_space"] == site.searched.tower.embedding_space


def test_filters_take_groups_words_of_questions_and_times_of_a_zone(site: Site) -> None:
    assert site.captions(filter={"cameras": ["outside"]}) == ["worker with a ladder"]
    assert site.captions(filter={"cameras": ["gate", "outside"]}) == ["worker with a ladder", "worker in a hat"]
    assert site.captions(filter={"answers": [{"question": "hat", "answer": "no"}]}) == ["worker with a ladder"]
    assert site.captions(filter={"answers": [{"question": "hard hat", "answer": "no", "at_least": 0.95}]}) == []
    assert site.captions(filter={"answers": [{"question": "hat colour", "answer": "yellow"}]}) == ["worker in a hat"]
    assert site.captions(filter={"described": ["Ladder"]}) == ["worker with a ladder"]
    berlin = {"since": "2026-03-01T13:00:30", "time_zone": "Europe/Berlin"}
    assert site.captions(filter=berlin) == ["worker with a ladder"]
    assert site.captions(filter={"until": "2026-03-01T12:00:30Z"}) == ["worker in a hat"]
    assert site.captions(filter={"detected_at_least": 0.99}) == []


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"words": "hat", "like": "x"}, "one at a time"),
        ({"picture": "no base64!"}, "base64"),
        ({"picture": base64.b64encode(b"rubbish").decode()}, "no JPEG or PNG"),
        ({"after": "rubbish"}, "cursor"),
        ({"k": 0}, "k"),
        ({"colour": "red"}, "colour"),
        ({"filter": {"since": "2026-03-01T13:00"}}, "offset"),
        ({"filter": {"since": "2026-03-01T13:00", "time_zone": "Mars/Base"}}, "Mars"),
        ({"filter": {"since": "2026-03-02T00:00Z", "until": "2026-03-01T00:00Z"}}, "ends before"),
        ({"filter": {"answers": [{"question": "shoes", "answer": "yes"}]}}, "hard hat"),
        ({"filter": {"answers": [{"question": "hat", "answer": "perhaps"}]}}, "perhaps"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(site: Site, asked: Any, why: str) -> None:
    assert why in site.refusal(**asked)


def test_what_is_larger_than_any_picture_is_not_even_read(site: Site) -> None:
    answer = site.client.post("/api/v1/search", content=b" " * (17 << 20), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_box_on_a_frame_is_searched_with(site: Site, tmp_path: Path) -> None:
    person = site.searched.table.person(site.ids[0])
    assert person is not None
    clip = panned_clip(np.full((480, 640, 3), 90, np.uint8), tmp_path / "clip.mp4", seconds=1)
    site.media.write(person.segment_uri, clip.read_bytes())
    box = {"left": 0.2, "top": 0.2, "width": 0.3, "height": 0.5}
    assert len(site.captions(frame={"segment_id": person.segment_id, "at_s": 0.5, "box": box})) == 2
    nowhere = {"left": 0.999, "top": 0.2, "width": 0.3, "height": 0.5}
    assert "box" in site.refusal(frame={"segment_id": person.segment_id, "at_s": 0.5, "box": nowhere})
    assert "segment none" in site.refusal(404, frame={"segment_id": "none", "at_s": 0.5, "box": box})
    assert "second" in site.refusal(404, frame={"segment_id": "s2", "at_s": 0.5, "box": box})


def test_the_old_way_of_asking_still_answers_and_pages(site: Site) -> None:
    first = site.client.get("/api/v1/search", params={"q": "a hard hat", "k": 1}).json()
    assert first["query"] == "a hard hat"
    assert first["hits"][0]["score"] == pytest.approx(1, abs=0.01)
    second = site.client.get("/api/v1/search", params={"q": "a hard hat", "k": 1, "after": first["next"]}).json()
    assert second["next"] is None
    assert second["hits"][0]["person"]["camera_id"] == "yard"
    yard = site.client.get("/api/v1/search", params={"q": "a hard hat", "camera": "outside"}).json()
    assert [hit["person"]["camera_id"] for hit in yard["hits"]] == ["yard"]


def test_the_old_way_of_asking_refuses_a_camera_that_nobody_can_have_called_so(site: Site) -> None:
    answer = site.client.get("/api/v1/search", params={"q": "worker", "camera": "a" * 301})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith("camera: ")


def test_elsewhere_is_likely_at_best(site: Site) -> None:
    (again,) = site.searched.enter(Seen("a hard hat", "again", camera="yard", at=later(600)))
    answer = site.client.get(f"/api/v1/people/{site.ids[0]}/elsewhere").json()
    assert next((one["person"]["person_id"], one["level"]) for one in answer["found"]) == (again, "likely")
    assert "not that the person is the same" in answer["claim"]
    assert site.client.get("/api/v1/people/nobody/elsewhere").status_code == 404


def test_who_searched_for_what_is_in_the_log(site: Site) -> None:
    site.captions(words="ladder", filter={"cameras": ["outside"]})
    (entry, *_) = site.client.app.state.access.entries(5)  # type: ignore[attr-defined]
    assert (entry.action, entry.subject) == ("search", "ladder")
    assert entry.details == {"cameras": ["ramp", "yard"]}


def test_searches_are_kept_per_user_unless_shared(site: Site) -> None:
    enter_users(site.desk)
    analyst, officer, admin = (site.token(role) for role in (Role.ANALYST, Role.OFFICER, Role.ADMIN))
    asked = {"name": "ladders", "search": {"words": "ladder", "filter": {"cameras": ["outside"]}}}
    saved = site.client.post("/api/v1/searches", json=asked, headers=analyst)
    assert saved.status_code == 201
    place = f"/api/v1/searches/{saved.json()['id']}"
    assert site.client.post("/api/v1/searches", json=asked, headers=analyst).status_code == 422
    assert site.client.get("/api/v1/searches", headers=officer).json() == []
    assert site.client.get(place, headers=officer).status_code == 404
    changed = site.client.patch(place, json={"name": "all ladders", "is_shared": True}, headers=analyst).json()
    assert (changed["name"], changed["is_shared"]) == ("all ladders", True)
    assert [one["name"] for one in site.client.get("/api/v1/searches", headers=officer).json()] == ["all ladders"]
    assert site.client.patch(place, json={"name": "mine"}, headers=officer).status_code == 403
    assert site.client.delete(place, headers=officer).status_code == 403
    assert site.client.delete(place, headers=admin).status_code == 204
    assert site.client.get(place, headers=analyst).status_code == 404
    actions = [entry.action for entry in site.client.app.state.access.entries(50)]  # type: ignore[attr-defined]
    assert actions[:3] == ["search deleted", "search changed", "search saved"]


def save(site: Site, **search: Any) -> str:
    answer = site.client.post("/api/v1/searches", json={"name": f"{search}"[:99], "search": search})
    assert answer.status_code == 201, answer.text
    return f"/api/v1/searches/{answer.json()['id']}"


def test_a_saved_search_stands_guard_as_a_rule_of_severity_info(site: Site) -> None:
    filter = {"cameras": ["outside"], "answers": [{"question": "hat", "answer": "no", "at_least": 0.8}]}
    place = save(site, filter=filter)
    schedule = {"time_zone": "Europe/Berlin", "hours": [{"since": "22:00", "until": "06:00"}]}
    guarded = site.client.put(f"{place}/guard", json={"schedule": schedule}).json()
    assert guarded["guard"] == {"rule_id": "search-1", "status": "in force", "why_draft": None}
    (rule,) = read_rules(site.rules).rules
    assert isinstance(rule, Rule)
    assert (rule.severity, rule.certainty, rule.cameras) == ("info", 0.8, ("outside",))
    assert rule.question.asked.question_id == HAT.question_id
    assert rule.question.breaching == ("no",)
    assert rule.schedule is not None
    assert site.client.delete(f"{place}/guard").json()["guard"] is None
    assert read_rules(site.rules).rules == ()
    assert read_rules(site.rules).camera_groups == {"outside": ("yard", "ramp")}


def test_a_search_with_a_number_for_a_name_or_a_camera_stands_guard_too(site: Site) -> None:
    filter = {"cameras": ["08"], "answers": [{"question": "hat", "answer": "no"}]}
    saved = site.client.post("/api/v1/searches", json={"name": "1e5", "search": {"filter": filter}}).json()
    answer = site.client.put(f"/api/v1/searches/{saved['id']}/guard", json={})
    assert answer.status_code == 200, answer.text
    (rule,) = read_rules(site.rules).rules
    assert (rule.title, rule.cameras) == ("1e5", ("08",))


@pytest.mark.parametrize(
    ("search", "answer"),
    [("no hard hat", "no"), ("worker without a hat", "no"), ("hard hat", "yes"), ("yellow hat", "yellow")],
)
def test_words_that_name_an_answer_stand_guard_for_it(site: Site, search: str, answer: str) -> None:
    site.client.put(f"{save(site, words=search)}/guard", json={})
    (rule,) = read_rules(site.rules).rules
    assert rule.question.breaching == (answer,)


def test_several_answers_of_a_search_become_one_rule_that_needs_them_all(site: Site) -> None:
    answers = [
        {"question": "hat", "answer": "yes"},
        {"question": "hat colour", "answer": "white", "at_least": 0.9},
    ]
    place = save(site, filter={"answers": answers})
    site.client.put(f"{place}/guard", json={})
    (rule,) = read_rules(site.rules).rules
    assert (rule.question.asked, rule.question.breaching, rule.certainty) == (HAT, ("yes",), 0.7)
    (condition,) = rule.only_if
    assert (condition.asked, condition.given, condition.certainty) == (COLOUR, ("white",), 0.9)
    assert site.client.get("/api/v1/rules").json()["rules"][0]["rule"]["only_if"][0]["given"] == ["white"]


@pytest.mark.parametrize(
    ("words", "answers", "wanted"),
    [
        ("a person in a yellow hat without a hat", [], ["yellow", "no"]),
        ("yellow hat", [{"question": "hat", "answer": "yes"}], ["yes", "yellow"]),
        ("worker", [{"question": "hat", "answer": "no"}], ["no"]),
        ("no hard hat", [{"question": "hat", "answer": "no", "at_least": 0.8}], ["no"]),
        ("no hard hat", [{"question": "hat", "answer": "no", "at_least": 0.6}], ["no"]),
    ],
)
def test_words_and_filter_are_watched_for_together(site: Site, words: str, answers: Any, wanted: list[str]) -> None:
    site.client.put(f"{save(site, words=words, filter={'answers': answers})}/guard", json={})
    (rule,) = read_rules(site.rules).rules
    assert [answer for clause in rule.clauses for answer in clause.breaching] == wanted
    assert rule.certainty == (answers[0].get("at_least", 0.7) if answers else 0.7)


def test_words_beside_a_filter_that_name_no_answer_are_not_left_out(site: Site) -> None:
    asked = {"words": "carrying a ladder", "filter": {"answers": [{"question": "hat", "answer": "no"}]}}
    guard = site.client.put(f"{save(site, **asked)}/guard", json={}).json()["guard"]
    (rule,) = read_rules(site.rules).rules
    assert [one.text for one in rule.only_if] == ["Is this person carrying a ladder?"]
    assert guard["status"] == "draft"
    assert "not measured on “Is this person carrying a ladder?”" in guard["why_draft"]


def test_words_that_no_model_was_measured_on_stay_a_draft_that_says_why(site: Site) -> None:
    guard = site.client.put(f"{save(site, words='carrying a ladder')}/guard", json={}).json()["guard"]
    assert guard["status"] == "draft"
    assert "not measured on “Is this person carrying a ladder?”" in guard["why_draft"]


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ({}, "nothing to watch for"),
        ({"like": "x"}, "not likeness"),
        ({"words": "hat", "filter": {"since": "2026-03-01T00:00Z"}}, "looks ahead"),
        ({"words": "hat", "filter": {"described": ["red"]}}, "caption"),
        ({"words": "an angry man"}, "never inferred"),
        ({"words": "hard hat", "filter": {"answers": [{"question": "hat", "answer": "no"}]}}, "never hold together"),
        ({"words": "yellow hat and white hat"}, "“What colour is the hard hat?” has one answer at a time"),
        ({"filter": {"answers": [{"question": "hat colour", "answer": one} for one in ("white", "none")]}}, "save one"),
        ({"filter": {"answers": [{"question": "hat", "answer": "cannot tell"}]}}, "cannot tell is none"),
    ],
)
def test_what_no_answer_tells_cannot_stand_guard(site: Site, search: Any, why: str) -> None:
    answer = site.client.put(f"{save(site, **search)}/guard", json={})
    assert answer.status_code == 422
    assert why.lower() in answer.json()["detail"].lower()
    assert site.rules.read_text() == GROUPS


def test_a_search_that_stands_guard_takes_its_rule_with_it(site: Site) -> None:
    place = save(site, words="no hard hat")
    site.client.put(f"{place}/guard", json={})
    assert site.client.delete(place).status_code == 204
    assert read_rules(site.rules).rules == ()


def test_questions_are_told_with_their_labels(site: Site) -> None:
    labels = {one["label"]: one["answers"] for one in site.client.get("/api/v1/questions").json()}
    assert labels["hard hat"] == ["yes", "no"]
