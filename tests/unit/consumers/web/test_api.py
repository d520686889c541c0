"""The API over a real person table and a real media store, local and not."""

from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import SearchUnavailableError
from consumers.indexer.people import PeopleTable
from consumers.search.client import IndexStatus
from consumers.search.hits import AlsoSeen, FoundPeople
from consumers.search.query import SearchQuery
from model.questions import CANNOT_TELL
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from tests.builders_alerts import api_over
from tests.builders_web import HAT, NOON, VEST, CaptionSearch, Walk, enter_segment, sure

BOX = (64.0, 48.0, 128.0, 240.0)
CROP = np.full((80, 40, 3), 120, np.uint8)


class SearchThatIsDown:
    """Answers nothing, as when the indexer is not running."""

    def find(self, query: SearchQuery) -> FoundPeople:
        raise SearchUnavailableError("http://127.0.0.1:1", "connection refused")

    def elsewhere(self, person_id: str, k: int) -> tuple[AlsoSeen, ...]:
        raise SearchUnavailableError("http://127.0.0.1:1", "connection refused")

    def status(self) -> IndexStatus:
        raise SearchUnavailableError("http://127.0.0.1:1", "connection refused")


def walk(caption: str, *, hat: str = "yes") -> Walk:
    return Walk([(0.4, BOX), (1.4, BOX)], CROP, caption, sure(HAT, hat) | sure(VEST, "no"), best=1)


@pytest.fixture
def gate(store: MediaStore, table: PeopleTable, grey_clip: Path) -> Manifest:
    walks = [walk("worker in an orange vest"), walk("a person in blue")]
    return enter_segment(store, table, grey_clip, walks, camera="gate")


@pytest.fixture
def yard(store: MediaStore, table: PeopleTable, grey_clip: Path, gate: Manifest) -> Manifest:
    walks = [walk("somebody small", hat=CANNOT_TELL)]
    return enter_segment(store, table, grey_clip, walks, camera="yard", started_at=NOON + timedelta(seconds=30))


def client_of(api: FastAPI) -> TestClient:
    return TestClient(api, raise_server_exceptions=False)


@pytest.fixture
def client(store: MediaStore, table: PeopleTable, desk: DeskDatabase, tmp_path: Path) -> TestClient:
    return client_of(api_over(CaptionSearch(table), table, store, desk, tmp_path))


def captions(answer: httpx.Response) -> list[str]:
    return [person["caption"] for person in answer.json()["people"]]


def test_an_empty_table_is_an_empty_page(client: TestClient):
    assert client.get("/api/v1/people").json() == {"people": [], "before": None, "after": None}


@pytest.mark.usefixtures("yard")
def test_people_come_newest_first_and_the_cursor_pages_back(client: TestClient):
    first = client.get("/api/v1/people", params={"limit": 2})
    assert captions(first) == ["somebody small", "a person in blue"]
    rest = client.get("/api/v1/people", params={"limit": 2, "before": first.json()["before"]})
    assert captions(rest) == ["worker in an orange vest"]
    assert rest.json()["before"] is None


def test_the_cursor_tells_who_came_since(client: TestClient, gate: Manifest, request: pytest.FixtureRequest):
    after = client.get("/api/v1/people").json()["after"]
    assert captions(client.get("/api/v1/people", params={"after": after})) == []
    request.getfixturevalue("yard")
    since = client.get("/api/v1/people", params={"after": after})
    assert captions(since) == ["somebody small"]
    assert since.json()["after"] > after


@pytest.mark.usefixtures("yard")
def test_people_of_one_camera(client: TestClient):
    assert captions(client.get("/api/v1/people", params={"camera": "yard"})) == ["somebody small"]
    assert captions(client.get("/api/v1/people", params={"camera": "roof"})) == []


def test_one_person_comes_with_answers_provenance_and_the_way_they_took(client: TestClient, gate: Manifest):
    person = client.get(f"/api/v1/people/{gate.people[0].person_id}").json()
    hat = person["answers"][0]
    assert (hat["label"], hat["answer"], round(sum(hat["probabilities"].values()), 6)) == ("hard hat", "yes", 1.0)
    assert person["revisions"]["caption"] == gate.revisions.caption
    assert person["path"][0] == {"at_s": 0.4, "left": 0.1, "top": 0.1, "width": 0.1, "height": 0.4}
    assert person["clip"]["at_s"] == 1.4
    assert [sighting["person_id"] for sighting in person["chain"]] == [gate.people[0].person_id]


@pytest.mark.usefixtures("yard")
def test_cannot_tell_says_why(client: TestClient):
    answers = client.get("/api/v1/people").json()["people"][0]["answers"]
    assert [(answer["answer"], answer["reason"]) for answer in answers] == [(CANNOT_TELL, "too small"), ("no", None)]


def test_a_person_whose_manifest_is_gone_still_has_the_box_of_the_best_look(
    table: PeopleTable, desk: DeskDatabase, gate: Manifest, tmp_path: Path
):
    elsewhere = client_of(
        api_over(CaptionSearch(table), table, MediaStore(str(tmp_path / "elsewhere")), desk, tmp_path)
    )
    path = elsewhere.get(f"/api/v1/people/{gate.people[0].person_id}").json()["path"]
    assert [step["at_s"] for step in path] == [1.4]


def test_tracks_of_one_chain_know_each_other(
    client: TestClient, store: MediaStore, table: PeopleTable, grey_clip: Path, gate: Manifest
):
    later = enter_segment(
        store,
        table,
        grey_clip,
        [walk("worker in an orange vest")],
        camera="gate",
        started_at=NOON + timedelta(seconds=2),
        follows=gate,
        links={0: 0},
    )
    chain = client.get(f"/api/v1/people/{later.people[0].person_id}").json()["chain"]
    assert [sighting["person_id"] for sighting in chain] == [gate.people[0].person_id, later.people[0].person_id]


@pytest.mark.usefixtures("yard")
def test_search_gives_the_nearest_first_and_flags_words_nobody_knows(client: TestClient):
    found = client.get("/api/v1/search", params={"q": "orange forklift", "k": 2}).json()
    best = found["hits"][0]
    assert (best["person"]["caption"], best["score"]) == ("worker in an orange vest", 0.5)
    assert len(found["hits"]) == 2
    assert found["unknown_words"] == ["forklift"]


@pytest.mark.usefixtures("yard")
def test_cameras_and_status_count_what_came(client: TestClient):
    assert [(c["camera_id"], c["people"]) for c in client.get("/api/v1/cameras").json()] == [("gate", 2), ("yard", 1)]
    status = client.get("/api/v1/status").json()
    assert (status["level"], status["people"], status["segments"]) == ("good", 3, 2)
    assert client.get("/api/v1/health").json() == {"status": "ok"}


def test_without_the_indexer_search_is_a_problem_and_the_status_says_so(
    store: MediaStore, table: PeopleTable, desk: DeskDatabase, tmp_path: Path
):
    client = client_of(api_over(SearchThatIsDown(), table, store, desk, tmp_path))
    answer = client.get("/api/v1/search", params={"q": "vest"})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "no search at http://127.0.0.1:1" in answer.json()["detail"]
    status = client.get("/api/v1/status").json()
    assert (status["level"], status["search_answers"]) == ("down", False)


def test_a_database_that_is_none_is_a_problem(
    store: MediaStore, table: PeopleTable, desk: DeskDatabase, tmp_path: Path
):
    client = client_of(api_over(SearchThatIsDown(), table, store, desk, tmp_path))
    table.close()
    for file in tmp_path.glob("people.sqlite3*"):
        file.unlink()
    (tmp_path / "people.sqlite3").write_bytes(b"this is no database" * 100)
    answer = client.get("/api/v1/people")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert client.get("/api/v1/status").json()["reason"] == "The list of people cannot be read"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/people/nobody", 404),
        ("/api/v1/people?limit=0", 422),
        ("/api/v1/people?limit=9999", 422),
        ("/api/v1/search?q=", 422),
        ("/api/v1/search", 422),
        ("/api/v1/search?q=vest&k=0", 422),
        ("/api/v1/nothing", 404),
    ],
)
def test_every_error_has_one_shape(client: TestClient, path: str, status: int):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    assert answer.json()["status"] == status


def test_a_clip_is_served_in_ranges(client: TestClient, gate: Manifest, grey_clip: Path):
    url, content = clip_url(client, gate), grey_clip.read_bytes()
    whole = client.get(url)
    assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "video/mp4", content)
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(url, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(content)}"
    assert client.get(url, headers={"Range": "bytes=-50"}).content == content[-50:]
    assert client.get(url, headers={"Range": f"bytes={len(content) - 7}-"}).content == content[-7:]


def test_a_range_outside_the_clip_cannot_be_had(client: TestClient, gate: Manifest, grey_clip: Path):
    size = grey_clip.stat().st_size
    answer = client.get(clip_url(client, gate), headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_head_tells_the_size_and_sends_nothing(client: TestClient, gate: Manifest, grey_clip: Path):
    answer = client.head(clip_url(client, gate))
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == grey_clip.stat().st_size


def test_a_crop_is_a_jpeg(client: TestClient, gate: Manifest):
    url = client.get(f"/api/v1/people/{gate.people[0].person_id}").json()["crop"]["url"]
    answer = client.get(url)
    assert (answer.status_code, answer.headers["content-type"], answer.content[:2]) == (200, "image/jpeg", b"\xff\xd8")


@pytest.mark.parametrize(
    "path",
    [
        "media/gate/none.mp4",
        "crops/../../people.sqlite3",
        "media/%2e%2e/%2e%2e/people.sqlite3",
        "media/..%2f..%2fx.mp4",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "media/%2fetc%2fpasswd.mp4",
        "people.sqlite3",
        "crops",
        "",
        "media/a%00.mp4",
        "crops/..%5c..%5cx.jpg",
    ],
)
@pytest.mark.usefixtures("gate")
def test_nothing_but_crops_and_clips_is_served(client: TestClient, path: str):
    assert client.get(f"/media/{path}").status_code == 404


def test_a_manifest_is_not_served(client: TestClient, gate: Manifest):
    name = f"results/gate/{gate.segment_id}.{gate.analysis_revision}.json"
    assert client.get(f"/media/{name}").status_code == 404


def test_the_openapi_document_names_every_endpoint(client: TestClient):
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    names = (
        "people",
        "people/{person_id}",
        "search",
        "cameras",
        "status",
        "health",
        "alerts",
        "alerts/{alert_id}",
        "rules",
    )
    assert {f"/api/v1/{name}" for name in names} <= set(paths)


def clip_url(client: TestClient, manifest: Manifest) -> str:
    url = client.get(f"/api/v1/people/{manifest.people[0].person_id}").json()["clip"]["url"]
    assert isinstance(url, str)
    return url
