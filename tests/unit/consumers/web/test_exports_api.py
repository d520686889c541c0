"""Exports over HTTP: the archive, its sums, what is missing, whose it is and what the log says."""

import hashlib
import io
import json
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from consumers.access.access import Access
from consumers.access.gate import COOKIE
from consumers.access.identity import Identity
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import ExportError, ExportsFullError, NoSuchExportError
from consumers.indexer.people import PeopleTable
from consumers.settings import PageSettings
from consumers.web.desk import Desk
from consumers.web.exports.direct import export_people
from consumers.web.exports.exports import MOST_WAITING, Exports
from consumers.web.exports.packing import Packer
from consumers.web.exports.record import SUMS, Export, PackedFile, PackedPerson
from consumers.web.exports.report import html_report
from consumers.web.exports.shapes import ExportAsked
from consumers.web.schemas import PersonDetailShape
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from tests.builders_access import enter_user, session_of
from tests.builders_alerts import api_over
from tests.builders_bus import wait_until
from tests.builders_web import HAT, NOON, CaptionSearch, Walk, enter_segment, sure

BOX = (64.0, 48.0, 128.0, 240.0)
CROP = np.full((80, 40, 3), 120, np.uint8)
DEADLINE_S = 30
ZONE = "Europe/Berlin"


@pytest.fixture
def gate(store: MediaStore, table: PeopleTable, grey_clip: Path) -> Manifest:
    walks = [
        Walk([(0.4, BOX), (1.4, BOX)], CROP, caption, sure(HAT, "no"), best=1)
        for caption in ("рабочий <in> an orange vest", "a person in blue")
    ]
    return enter_segment(store, table, grey_clip, walks, camera="gate / nord", started_at=NOON)


@pytest.fixture
def api(store: MediaStore, table: PeopleTable, desk: DeskDatabase, tmp_path: Path) -> Iterator[FastAPI]:
    api = api_over(CaptionSearch(table), table, store, desk, tmp_path)
    yield api
    api.state.exports.close()


@pytest.fixture
def client(api: FastAPI) -> TestClient:
    return TestClient(api, raise_server_exceptions=False)


def ready(client: TestClient, export_id: str) -> dict[str, object]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        stands = client.get(f"/api/v1/exports/{export_id}").json()
        if stands["state"] in ("ready", "failed"):
            return dict(stands)
    pytest.fail(f"the export was not done within {DEADLINE_S} s")


def exported(client: TestClient, person_ids: list[str], **more: str) -> dict[str, object]:
    answer = client.post("/api/v1/exports", json={"person_ids": person_ids, **more})
    assert answer.status_code == 202
    return ready(client, answer.json()["export_id"])


def unpacked(client: TestClient, stands: dict[str, object], folder: Path) -> list[str]:
    archive = client.get(str(stands["url"]))
    assert archive.headers["content-type"] == "application/zip"
    assert len(archive.content) == stands["size_bytes"]
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        packed.extractall(folder)
        return packed.namelist()


def people_of(manifest: Manifest) -> list[str]:
    return [person.person_id for person in manifest.people]


def test_an_archive_holds_clip_crops_records_and_reports_and_its_sums_hold(
    client: TestClient, gate: Manifest, store: MediaStore, tmp_path: Path
):
    stands = exported(client, people_of(gate), note="case 7", time_zone=ZONE)
    assert (stands["state"], stands["people"], stands["packed"], stands["missing"]) == ("ready", 2, 2, 0)
    names = unpacked(client, stands, tmp_path / "out")
    folders = [f"hits/{number:03d}-gate-nord-20260301T120000Z" for number in (1, 2)]
    clip = f"clips/{gate.segment_id}.mp4"
    expected = [clip, *(f"{folder}/{name}" for folder in folders for name in ("crop.jpg", "person.json"))]
    assert sorted(names) == sorted([*expected, "report.html", "report.pdf", SUMS])
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict", SUMS], cwd=tmp_path / "out", capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout.count(": OK")) == (0, len(names) - 1)
    assert hashlib.sha256((tmp_path / "out" / SUMS).read_bytes()).hexdigest() == stands["sums_sha256"]
    assert (tmp_path / "out" / clip).read_bytes() == store.read(gate.segment_uri)
    record = json.loads((tmp_path / "out" / folders[0] / "person.json").read_text())
    assert record["person"]["person_id"] == gate.people[0].person_id
    assert record["files"]["clip"]["sha256"] == hashlib.sha256(store.read(gate.segment_uri)).hexdigest()


def test_the_report_tells_who_when_what_and_how_to_verify(client: TestClient, gate: Manifest, tmp_path: Path):
    unpacked(client, exported(client, people_of(gate), note="case <7>", time_zone=ZONE), tmp_path)
    told = (tmp_path / "report.html").read_text()
    assert "Рабочий &lt;in&gt; an orange vest" in told
    assert "2026-03-01 13:00:00 CET" in told
    assert "case &lt;7&gt;" in told
    assert f"sha256sum -c {SUMS}" in told
    assert "no 94%" in told
    assert hashlib.sha256((tmp_path / f"clips/{gate.segment_id}.mp4").read_bytes()).hexdigest() in told
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_a_report_tells_the_times_of_a_zone_that_goes_by_no_name(
    client: TestClient, api: FastAPI, gate: Manifest, tmp_path: Path
):
    with (files("tzdata.zoneinfo.America") / "Los_Angeles").open("rb") as file:
        zone = ZoneInfo.from_file(file, key="PST")  # which is no name of a zone; the abbreviation of half a year
    who, asked = Identity("this machine", Role.ADMIN, "machine"), ExportAsked(person_ids=tuple(people_of(gate)))
    begun = api.state.exports.begin(asked, who, zone=zone)
    unpacked(client, ready(client, begun.export_id), tmp_path)
    assert "2026-03-01 04:00:00 PST" in (tmp_path / "report.html").read_text()


def test_what_is_not_there_any_more_is_said_and_the_rest_is_packed(
    client: TestClient, gate: Manifest, store: MediaStore, tmp_path: Path
):
    store.remove(gate.segment_uri)
    store.remove(gate.people[0].looks[0].crop_uri)
    stands = exported(client, [*people_of(gate), "nobody"])
    assert (stands["state"], stands["missing"]) == ("ready", 4)
    names = unpacked(client, stands, tmp_path)
    assert [name for name in names if name.endswith((".mp4", ".jpg"))] == [
        name for name in names if name.startswith("hits/002") and name.endswith("crop.jpg")
    ]
    told = (tmp_path / "report.html").read_text()
    assert told.count("The clip is not there any more") == 2
    assert "(erased, or never known): nobody" in told


def test_the_log_says_who_exported_and_took_whom_with_the_digest(
    client: TestClient, api: FastAPI, gate: Manifest, tmp_path: Path
):
    stands = exported(client, people_of(gate), note="case 7")
    unpacked(client, stands, tmp_path)
    lines = [(line.action, line.subject, line.details) for line in api.state.access.entries(10)]
    assert lines == [
        ("download", stands["export_id"], {"sums_sha256": stands["sums_sha256"]}),
        ("exported", stands["export_id"], {"sums_sha256": stands["sums_sha256"]}),
        ("export", stands["export_id"], {"people": people_of(gate), "note": "case 7"}),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"person_ids": []}, 422),
        ({"person_ids": ["x"] * 201}, 422),
        ({"person_ids": ["x"], "time_zone": "Nowhere/Else"}, 422),
        ({"person_ids": ["x"], "colour": "red"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_problem(client: TestClient, body: dict[str, object], status: int):
    answer = client.post("/api/v1/exports", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_export_of_nobody_is_none_and_an_unknown_one_is_not_found(client: TestClient):
    assert exported(client, ["nobody"])["missing"] == 1
    for path in ("/api/v1/exports/0", "/api/v1/exports/0/archive.zip"):
        assert client.get(path).status_code == 404


def test_viewers_export_nothing_and_nobody_sees_the_export_of_somebody_else(
    client: TestClient, desk: DeskDatabase, api: FastAPI, gate: Manifest
):
    cookies = {}
    for name, role in (("vera", Role.VIEWER), ("anna", Role.ANALYST), ("otto", Role.OFFICER), ("root", Role.ADMIN)):
        enter_user(desk, name, role)
        cookies[name] = {"cookie": f"{COOKIE}={session_of(api.state.access, name)}"}
    body = {"person_ids": people_of(gate)}
    assert client.post("/api/v1/exports", json=body, headers=cookies["vera"]).status_code == 403
    export_id = client.post("/api/v1/exports", json=body, headers=cookies["anna"]).json()["export_id"]
    seen = {name: client.get(f"/api/v1/exports/{export_id}", headers=cookies[name]).status_code for name in cookies}
    assert seen == {"vera": 403, "anna": 200, "otto": 404, "root": 200}


def test_too_many_waiting_exports_are_refused_and_archives_go_after_an_hour(
    store: MediaStore, table: PeopleTable, desk: DeskDatabase, gate: Manifest
):
    clock, may_begin = [NOON], threading.Event()
    access = Access(desk)
    page_desk = Desk(CaptionSearch(table), table, store, access)

    def known(person_id: str) -> PersonDetailShape | None:
        assert may_begin.wait(DEADLINE_S)
        return page_desk.person(person_id)

    exports = Exports(known, store, access, site_name="North Yard", now=lambda: clock[0])
    who, asked = Identity("this machine", Role.ADMIN, "machine"), ExportAsked(person_ids=tuple(people_of(gate)))
    begun = [exports.begin(asked, who) for _ in range(MOST_WAITING)]
    try:
        with pytest.raises(ExportsFullError):
            exports.begin(asked, who)
        may_begin.set()
        deadline = time.monotonic() + DEADLINE_S
        while exports.get(begun[-1].export_id, who).state != "ready":
            assert time.monotonic() < deadline
        archive = exports.archive(begun[0].export_id, who)
        assert archive is not None
        assert archive.exists()
        clock[0] += timedelta(hours=1, seconds=1)
        with pytest.raises(NoSuchExportError):
            exports.get(begun[0].export_id, who)
        assert not archive.exists()
    finally:
        exports.close()
    assert not archive.parent.exists()


def test_an_archive_goes_after_an_hour_though_nobody_asks_for_anything(
    store: MediaStore, table: PeopleTable, desk: DeskDatabase, gate: Manifest
):
    clock, access = [NOON], Access(desk)
    known = Desk(CaptionSearch(table), table, store, access).person
    exports = Exports(known, store, access, site_name="North Yard", now=lambda: clock[0], look_every_s=0.01)
    who = Identity("this machine", Role.ADMIN, "machine")
    try:
        begun = exports.begin(ExportAsked(person_ids=tuple(people_of(gate))), who)
        wait_until(lambda: exports.get(begun.export_id, who).state == "ready", within_s=DEADLINE_S)
        archive = exports.archive(begun.export_id, who)
        assert archive is not None
        assert archive.exists()
        clock[0] += timedelta(hours=1, seconds=1)
        wait_until(lambda: not archive.exists(), within_s=DEADLINE_S)
    finally:
        exports.close()


def test_an_archive_that_grows_too_large_is_refused_in_one_line(
    store: MediaStore, table: PeopleTable, gate: Manifest, tmp_path: Path, desk: DeskDatabase
):
    page_desk = Desk(CaptionSearch(table), table, store, Access(desk))
    person = page_desk.person(gate.people[0].person_id)
    assert person is not None
    export = Export("North Yard", "anna", NOON, UTC, "", (), ())
    with pytest.raises(ExportError, match="larger than"):
        Packer(tmp_path / "a.zip", store, NOON, most_bytes=1000).pack(export, [person])
    with pytest.raises(ExportError, match="cannot be written"):
        Packer(tmp_path / "nowhere" / "a.zip", store, NOON).pack(export, [person])


def test_the_command_line_packs_straight_into_a_file_and_never_over_one(
    tmp_path: Path, grey_clip: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CREWSIGHT_STATE__FOLDER", str(tmp_path))
    monkeypatch.setenv("CREWSIGHT_PAGE__TIME_ZONE", "America/Los_Angeles")
    settings = PageSettings.read(None)
    table, store = PeopleTable(settings.database_url), MediaStore(settings.media_url)
    walk = Walk([(0.4, BOX), (1.4, BOX)], CROP, "a person in blue", sure(HAT, "no"), best=1)
    gate = enter_segment(store, table, grey_clip, [walk], camera="gate", started_at=NOON)
    table.close()
    path = tmp_path / "people.zip"
    packed = export_people(settings, [*people_of(gate), "nobody"], path, who="command line (anna)")
    assert (packed.missing, packed.size_bytes) == (1, path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        assert hashlib.sha256(archive.read(SUMS)).hexdigest() == packed.sums_sha256
        assert "2026-03-01 04:00:00 PST" in archive.read("report.html").decode()
    with pytest.raises(ExportError, match="there already"):
        export_people(settings, people_of(gate), path, who="command line (anna)")
    access = Access(DeskDatabase(settings.desk_url))
    assert [line.action for line in access.entries(10)] == ["exported", "export"]
    access.close()


def test_a_picture_is_shown_as_one_with_the_time_it_was_taken(
    store: MediaStore, table: PeopleTable, gate: Manifest, desk: DeskDatabase
):
    person = Desk(CaptionSearch(table), table, store, Access(desk)).person(gate.people[0].person_id)
    assert person is not None
    taken = person.clip.model_copy(update={"url": "/media/media/gate/2026-03-01/ab12.jpg"})
    person = person.model_copy(update={"clip": taken, "time_origin": "exif"})
    file = PackedFile("clips/ab12.jpg", 3, "ab" * 32)
    packed = PackedPerson(1, person, file, None, file)
    told = html_report(Export("North Yard", "anna", NOON, UTC, "", (packed,), ()))
    assert '<img src="clips/ab12.jpg"' in told
    assert "<dt>Taken</dt><dd>2026-03-01 12:00:00 UTC</dd>" in told
    assert "In the clip" not in told
