"""Cameras, zones, the system and dead letters over HTTP: what is said, who may change what, what is kept secret."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from consumers.access.access import Access
from consumers.access.gate import COOKIE
from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.people import PeopleTable
from consumers.web.api import create_api
from consumers.web.cameras.hearing import Heard
from streamer.bus.camera_file import CameraFile
from streamer.bus.camera_report import CameraCounts, Connection
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore
from streamer.bus.messages import Rejected
from streamer.bus.topics import SEGMENTS
from tests.builders_access import enter_users, session_of
from tests.builders_alerts import RULES_YAML, installation, rules_desk, watched
from tests.builders_bus import embedded_broker
from tests.builders_upkeep import a_camera, a_report
from tests.builders_web import HAT, CaptionSearch, Walk, enter_segment, sure
from tests.ports import free_port

SECRET = "s3cret-of-the-camera"


@dataclass
class Said:
    """Streamers that have said this."""

    last: Heard
    is_bus_there: bool = True

    def heard(self) -> tuple[Heard, ...]:
        return (self.last,)


@dataclass(frozen=True)
class House:
    client: TestClient
    access: Access
    folder: Path
    broker: str
    said: Said

    def by(self, name: str) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={session_of(self.access, name)}"}


@pytest.fixture
def house(tmp_path: Path, grey_clip: Path, table: PeopleTable, desk: DeskDatabase) -> Iterator[House]:
    """Two cameras that are live and in the file, a third that is only reported, and somebody seen by the first."""
    broker = f"127.0.0.1:{free_port()}"  # nobody listens there yet
    now, store = datetime.now(UTC), MediaStore(str(tmp_path / "media"))
    (tmp_path / "rules.yaml").write_text(RULES_YAML)
    crop = np.full((80, 40, 3), 120, np.uint8)
    walk = Walk([(0.1, (64.0, 48.0, 128.0, 240.0))], crop, "somebody in grey", sure(HAT, "no"))
    manifest = enter_segment(store, table, grey_clip, [walk], camera="gate", started_at=now)
    earlier = a_report(a_camera("gate", now=now, counts=CameraCounts(segments_s=10, segments_bytes=10**6)), now=now)
    counts = CameraCounts(segments_s=30, segments_bytes=11 * 10**6)
    gate = a_camera("gate", now=now, counts=counts, last_segment_uri=manifest.segment_uri)
    last = a_report(gate, a_camera("strange", now=now), now=now)
    (tmp_path / "cameras.yaml").write_text(
        json.dumps({"cameras": [{"camera": "gate", "url": f"rtsp://viewer:{SECRET}@10.0.0.7/gate?token={SECRET}"}]})
    )
    enter_users(desk)
    said = Said(Heard(last, earlier))
    api = create_api(
        CaptionSearch(table),
        table,
        store,
        desk,
        rules_desk(tmp_path, table, store, desk),
        watched(tmp_path, said),
        installation(tmp_path, broker),
    )
    yield House(TestClient(api), api.state.access, tmp_path, broker, said)
    api.state.access.close()


def test_cameras_are_told_with_their_rates_and_without_their_secrets(house: House):
    answer = house.client.get("/api/v1/cameras/watched", headers=house.by("viewer"))
    assert SECRET not in answer.text
    cameras = {camera["camera_id"]: camera for camera in answer.json()["cameras"]}
    assert list(cameras) == ["gate", "strange"]
    gate = cameras["gate"]
    assert (gate["state"], gate["level"], gate["people"]) == ("live", "good", 1)
    assert gate["url"] == "rtsp://10.0.0.7/gate?token=***"
    assert gate["stream"]["mbit_s"] == 4.0  # 10 MB in 20 s of footage
    assert (gate["is_in_file"], cameras["strange"]["is_in_file"]) == (True, False)


def test_the_light_tells_which_cameras_send_nothing_and_that_the_broker_is_away(house: House):
    def light() -> tuple[str, str]:
        status = house.client.get("/api/v1/status", headers=house.by("viewer")).json()
        return status["level"], status["reason"]

    def report(*names: str) -> None:
        now = datetime.now(UTC)
        lost = [a_camera(name, Connection.LOST, now=now, reason="nothing came for 10 s") for name in names]
        said = a_report(a_camera("gate", now=now), *lost, now=now)
        house.said.last = Heard(said, said)

    assert light() == ("good", "Up to date")
    report("ramp")
    level, reason = light()
    assert level == "down"
    assert reason.startswith("Camera ramp: ")
    assert "nothing came for 10 s" in reason
    report("ramp", "yard")
    assert light() == ("down", "2 cameras need looking after: ramp, yard")
    report()
    house.said.is_bus_there = False
    assert light() == ("down", "No new people: the broker does not answer")


def test_a_frame_is_for_whoever_may_play_and_is_noted(house: House):
    address = house.client.get("/api/v1/cameras/watched", headers=house.by("analyst")).json()["cameras"][0]["frame_url"]
    assert house.client.get(address, headers=house.by("viewer")).status_code == 403
    answer = house.client.get(f"{address}&small=true", headers=house.by("analyst"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.content[:2] == b"\xff\xd8"
    assert ("play", "newest frame of gate") in [(one.action, one.subject) for one in house.access.entries(9)]
    assert house.client.get("/api/v1/cameras/nowhere/frame.jpg", headers=house.by("analyst")).status_code == 404
    uri = house.said.last.last.cameras[0].last_segment_uri
    assert uri is not None
    MediaStore(str(house.folder / "media")).remove(uri)
    gone = house.client.get(f"{address}&small=true", headers=house.by("analyst"))
    assert gone.status_code == 404, "nor from memory, once it is erased"


def test_an_admin_adds_changes_and_removes_cameras_and_the_log_tells_without_secrets(house: House):
    client, admin, file = house.client, house.by("admin"), CameraFile(house.folder / "cameras.yaml")
    asked = {"url": "rtsp://10.0.0.8/roof", "username": "viewer", "password": SECRET}
    assert client.put("/api/v1/cameras/roof", json=asked, headers=house.by("officer")).status_code == 403
    assert client.put("/api/v1/cameras/roof", json=asked, headers=admin).status_code == 204
    assert file.of("roof").opening_url() == f"rtsp://viewer:{SECRET}@10.0.0.8/roof"
    assert client.put("/api/v1/cameras/roof", json={"is_enabled": False}, headers=admin).status_code == 204
    assert (file.of("roof").is_enabled, file.of("roof").password.get_secret_value()) == (False, SECRET)
    moved = client.put("/api/v1/cameras/roof", json={"url": "rtsp://10.0.0.9/roof"}, headers=admin)
    assert (moved.status_code, "anew" in moved.json()["detail"]) == (422, True)
    wrong = client.put("/api/v1/cameras/roof", json={"url": f"ftp://x:{SECRET}@y/"}, headers=admin)
    assert (wrong.status_code, SECRET in wrong.text) == (422, False)
    assert client.delete("/api/v1/cameras/roof", headers=admin).status_code == 204
    assert client.delete("/api/v1/cameras/roof", headers=admin).status_code == 404
    entries = house.access.entries(9, who="admin")
    assert [one.action for one in entries][:3] == ["camera removed", "camera changed", "camera added"]
    assert SECRET not in str(entries)


def test_a_zone_is_drawn_named_by_a_rule_and_only_then_held_fast(house: House):
    client, officer = house.client, house.by("officer")
    square = [[0.1, 0.1], [0.6, 0.1], [0.6, 0.9], [0.1, 0.9]]
    asked = {"cameras": ["gate"], "polygon": square}
    assert client.put("/api/v1/zones/door", json=asked, headers=house.by("analyst")).status_code == 403
    assert client.put("/api/v1/zones/door", json=asked, headers=officer).status_code == 204
    before = {
        one["rule"]["id"]: one["revision"] for one in client.get("/api/v1/rules", headers=officer).json()["rules"]
    }
    assert client.put("/api/v1/zones/door/rules/vest", json={"is_in": True}, headers=officer).status_code == 204
    rules = {one["rule"]["id"]: one for one in client.get("/api/v1/rules", headers=officer).json()["rules"]}
    assert rules["vest"]["rule"]["zones"] == [asked]
    assert rules["vest"]["revision"] != before["vest"]
    assert rules["hard-hat"]["revision"] == before["hard-hat"]
    assert client.get("/api/v1/zones", headers=officer).json() == [{"name": "door", **asked, "rules": ["vest"]}]
    assert client.delete("/api/v1/zones/door", headers=officer).status_code == 422
    assert client.put("/api/v1/zones/door/rules/vest", json={"is_in": False}, headers=officer).status_code == 204
    assert client.delete("/api/v1/zones/door", headers=officer).status_code == 204
    left = (house.folder / "rules.yaml").read_text()
    assert left.replace("    zones: []\n", "").replace("zones: {}\n", "") == RULES_YAML
    crossed = {"cameras": ["gate"], "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}
    assert "cross" in client.put("/api/v1/zones/bow", json=crossed, headers=officer).json()["detail"]


def test_what_is_wrong_comes_first_and_says_what_to_do(house: House):
    notes = house.folder / "metrics"
    notes.mkdir()
    silent = [{"targets": ["127.0.0.1:9"], "labels": {"job": "analyzer", "pid": "1"}}]
    (notes / "analyzer-1.json").write_text(json.dumps(silent))
    system = house.client.get("/api/v1/system", headers=house.by("viewer")).json()
    assert system["level"] == "down"
    first = system["findings"][0]
    assert (first["about"], first["level"]) == ("Analyzer", "down")
    assert "logs/analyzer.log" in first["to_do"]
    assert [(each["job"], each["state"]) for each in system["processes"]] == [("analyzer", "silent")]
    assert system["models"]["detector"].startswith("yolo11n")


def test_a_dead_letter_is_read_replayed_once_and_dropped(house: House, table: PeopleTable, tmp_path: Path):
    letters = []
    for number in range(2):
        rejected = Rejected(
            rejected_id=f"dead-letter-{number}",
            reason="its video cannot be read",
            camera_id="gate",
            segment_id=f"s{number}",
            source_topic=SEGMENTS.name,
            partition=0,
            offset=number,
            original_base64=base64.b64encode(b'{"not": "a segment"}').decode(),
        )
        table.reject(rejected, noticed_at=datetime.now(UTC) - timedelta(minutes=1))
        letters.append(f"/api/v1/dead-letters/{rejected.rejected_id}")
    client, admin = house.client, house.by("admin")
    assert client.get("/api/v1/dead-letters", headers=house.by("analyst")).status_code == 403
    listed = client.get("/api/v1/dead-letters", headers=house.by("officer")).json()
    assert [(each["rejected_id"], each["original"]) for each in listed] == [
        ("dead-letter-1", '{"not": "a segment"}'),
        ("dead-letter-0", '{"not": "a segment"}'),
    ]
    assert client.post(f"{letters[0]}/replay", json={}, headers=house.by("officer")).status_code == 403
    assert client.post(f"{letters[0]}/replay", json={}, headers=admin).status_code == 503  # no broker is there
    with embedded_broker(tmp_path, house.broker) as broker:
        bus = Bus(broker.address, partitions=1)
        bus.ensure_topics()
        replayed = client.post(f"{letters[0]}/replay", json={}, headers=admin)
        repeated = client.post(f"{letters[0]}/replay", json={}, headers=admin)
        bus.close()
    assert (replayed.status_code, replayed.json()["handled"]) == (200, "replayed")
    assert repeated.status_code == 409
    assert client.post(f"{letters[1]}/drop", headers=admin).json()["handled_by"] == "admin"
    assert client.get("/api/v1/dead-letters", headers=admin).json() == []
    assert [one.action for one in house.access.entries(2)] == ["drop dead letter", "replay dead letter"]
