"""The commands of whoever runs an installation: doctor, dead-letters, db, status, retention, against real servers."""

import base64
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AuditRecord
from consumers.analyzer.manifests import announcement
from consumers.errors import DeadLetterError
from consumers.indexer.dead_letters import DROPPED, REPLAYED, DeadLetters
from consumers.indexer.people import Links, PeopleReader, PeopleTable
from household import checks
from streamer.bus.client import Bus, Received
from streamer.bus.consumer import Unreadable
from streamer.bus.media import MediaStore, rejection_uri
from streamer.bus.messages import Rejected, SegmentReady
from streamer.bus.topics import PEOPLE, SEGMENTS
from tests.builders_bus import drain, embedded_broker
from tests.builders_consumers import a_manifest, a_segment, straight, walking
from tests.builders_rtsp import numbered_frames, rtsp_server, rtsp_server_or_skip, write_stream
from tests.installation import START, Installation, until
from tests.ports import free_ports
from tests.postgres import postgres_url

WITHIN_S = 240
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "home", [])


def said(home: Installation, *arguments: str) -> tuple[int, str]:
    """Exit status and words of a command."""
    run = home.run(*arguments, "--config", str(home.config))
    return run.returncode, run.stdout + run.stderr


def refused(number: int = 7, *, segment: SegmentReady | None = None, offset: int = 3) -> Rejected:
    """A segment that an analyzer could not read."""
    ready = segment or a_segment(f"s{number}", camera_id="gate")
    topic_bytes = SEGMENTS.encode(ready)
    return (
        Unreadable(SEGMENTS.name, 1, offset, "first", "its video cannot be read", topic_bytes)
        .rejected()
        .model_copy(update={"rejected_id": f"refused-{number}", "camera_id": "gate", "segment_id": ready.segment_id})
    )


def test_doctor_says_of_a_dead_broker_what_to_do(home: Installation) -> None:
    status, words = said(home, "doctor", "--quick")
    assert status == 1
    assert f"BAD  broker: nothing listens at {home.broker_address}\n     -> start it with `crewsight up`" in words
    assert "ok   media store: can be written and read" in words
    assert "ok   database people: not laid out yet" in words
    assert not (home.state / "people.sqlite3").exists()  # it looks, and makes nothing


def test_doctor_is_content_with_what_is_well_and_names_what_is_not(home: Installation) -> None:
    with embedded_broker(home.folder, home.broker_address):
        bus = Bus(home.broker_address, partitions=4)
        bus.ensure_topics()
        bus.close()
        status, words = said(home, "doctor")
        assert status == 0, words
        assert f"ok   broker: answers at {home.broker_address}" in words
        assert "ok   models: load in" in words
        PeopleTable(f"sqlite:///{home.state / 'people.sqlite3'}").close()
        with sqlite3.connect(home.state / "people.sqlite3") as database:
            database.execute("UPDATE alembic_version_people SET version_num = '9999'")
        (home.state / "metrics").mkdir(exist_ok=True)
        (port,) = free_ports(1)
        gone = [{"targets": [f"127.0.0.1:{port}"], "labels": {"job": "indexer"}}]
        (home.state / "metrics" / "indexer-1.json").write_text(json.dumps(gone))
        status, words = said(home, "doctor", "--quick")
    assert status == 1
    assert "BAD  database people: version 9999" in words
    assert f"BAD  indexer: does not answer at 127.0.0.1:{port}" in words


def test_doctor_does_not_wait_for_good_for_a_model_server_that_is_away(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("CREWSIGHT_VLM__SERVER__URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(checks, "MODELS_S", 5.0)
    found = [finding for finding in checks.findings(home.config) if finding.about == "models"]
    assert [finding.said for finding in found] == [f"the model server http://127.0.0.1:{port} has not answered for 5 s"]


def test_doctor_tries_every_camera_that_is_watched(home: Installation) -> None:
    rtsp_server_or_skip()
    stream = write_stream(home.folder / "h264", numbered_frames(40), keyframe_every=10)
    (port,) = free_ports(1)
    with rtsp_server({"gate": stream}) as server:
        cameras = [
            {"camera": "gate", "url": server.url("gate")},
            {"camera": "yard", "url": f"rtsp://viewer:s3cret@127.0.0.1:{port}/1"},
            {"camera": "dock", "url": f"rtsp://127.0.0.1:{port}/2", "is_enabled": False},
        ]
        home.state.mkdir(exist_ok=True)
        (home.state / "cameras.yaml").write_text(yaml.safe_dump({"cameras": cameras}))
        _, words = said(home, "doctor")
    assert "ok   camera gate: h264, 192x108, 10 frames/s" in words
    assert "BAD  camera yard: connection refused\n     -> see its cable, address, user and password" in words
    assert "dock" not in words
    assert "s3cret" not in words
    (home.state / "cameras.yaml").write_text("cameras: 3")
    _, words = said(home, "doctor")
    assert "BAD  cameras: " in words
    assert "must hold one list" in words


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_databases_are_laid_out_brought_up_and_refused_when_newer(kind: str, tmp_path: Path) -> None:
    with postgres_url(tmp_path, kind == "postgresql") as url:
        home = Installation(tmp_path / "home", [], {"database": {"url": url}} if url else {})
        assert said(home, "db", "current")[0] == 0
        assert "not laid out" in said(home, "db", "current")[1]
        status, words = said(home, "db", "upgrade")
        assert status == 0, words
        assert [line.split()[0] for line in words.splitlines()] == ["people", "desk", "ledger"]
        status, words = said(home, "db", "current")
        assert (status, words.count(" current")) == (0, 3)
        execute(
            url or f"sqlite:///{home.state / 'people.sqlite3'}", "UPDATE alembic_version_people SET version_num = 'x'"
        )
        status, words = said(home, "db", "current")
        assert status == 1
        assert "newer" in words
        run = home.run("erase", "person", "nobody-at-all", "--yes", "--config", str(home.config))
        assert run.returncode == 1
        assert run.stderr.count("\n") == 1
        assert "has version x, and this program knows" in run.stderr


def test_a_database_for_which_nothing_is_installed_is_said_and_the_rest_looked_at(tmp_path: Path) -> None:
    home = Installation(tmp_path / "home", [], {"database": {"url": "nosuch://crewsight:s3cret@host/crewsight"}})
    for command in (("db", "current"), ("doctor", "--quick")):
        status, words = said(home, *command)
        assert status == 1
        assert "Can't load plugin: sqlalchemy.dialects:nosuch" in words
        assert "Traceback" not in words
        assert "s3cret" not in words
    assert "disk of state: " in words


def test_a_file_that_is_no_database_is_one_line(home: Installation) -> None:
    home.state.mkdir(parents=True)
    (home.state / "people.sqlite3").write_text("no database")
    run = home.run("db", "upgrade", "--config", str(home.config))
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "people.sqlite3: file is not a database" in run.stderr


def execute(url: str, statement: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def letters(home: Installation) -> Iterator[DeadLetters]:
    table = PeopleTable(f"sqlite:///{home.state / 'people.sqlite3'}")
    yield DeadLetters(table, MediaStore(str(home.state / "media")))
    table.close()


def noticed(home: Installation, *rejected: Rejected) -> None:
    table = PeopleTable(f"sqlite:///{home.state / 'people.sqlite3'}")
    for each in rejected:
        table.reject(each, noticed_at=NOW)
    table.close()


def test_a_replayed_letter_is_on_its_topic_once_as_it_was_and_is_not_replayed_twice(
    home: Installation, letters: DeadLetters
) -> None:
    segment = a_segment("s7", camera_id="gate")
    store, kept = MediaStore(str(home.state / "media")), rejection_uri("gate", "s7", "r1")
    store.write(kept, b"{}")
    store.write(rejection_uri("gate", "s77", "r1"), b"{}")  # another segment's
    noticed(home, refused(segment=segment))
    with embedded_broker(home.folder, home.broker_address):
        bus = Bus(home.broker_address, partitions=4)
        bus.ensure_topics()
        status, words = said(home, "dead-letters", "replay", "refused-7")
        assert (status, words) == (0, "refused-7 is back on segments, partition 1.\n")
        status, words = said(home, "dead-letters", "replay", "refused-7")
        assert status == 1
        assert "it was replayed on" in words
        consumer = bus.consumer([SEGMENTS], "look")
        (arrived,) = drain(consumer, 1, within_s=60) + consumer.poll(500)
        consumer.close()
        bus.close()
    assert isinstance(arrived, Received)
    assert (arrived.partition, arrived.message, arrived.original) == (1, segment, SEGMENTS.encode(segment))
    assert not store.exists(kept)  # the analyzer would have answered with it
    assert store.exists(rejection_uri("gate", "s77", "r1"))
    assert letters.get("refused-7").handled == REPLAYED
    with DeskDatabase(f"sqlite:///{home.state / 'desk.sqlite3'}").reading() as session:
        assert [row.action for row in session.query(AuditRecord)] == ["replay dead letter"]


def test_without_a_broker_a_letter_stays_open(home: Installation, letters: DeadLetters) -> None:
    noticed(home, refused())
    status, words = said(home, "dead-letters", "replay", "refused-7")
    assert status == 1
    assert home.broker_address in words
    assert letters.get("refused-7").handled is None


def test_a_letter_that_is_refused_once_more_is_open_again_and_a_repeat_changes_nothing(
    home: Installation, letters: DeadLetters
) -> None:
    noticed(home, refused(offset=3))
    letters.drop("refused-7", who="tester", at=NOW)
    noticed(home, refused(offset=3))  # delivered again from its old place
    assert letters.get("refused-7").handled == DROPPED
    noticed(home, refused(offset=9))
    assert letters.get("refused-7").handled is None


def test_listing_shows_what_is_open_and_show_tells_what_the_bytes_were(
    home: Installation, letters: DeadLetters
) -> None:
    noticed(home, refused(1), refused(2), Rejected(rejected_id="file-of-somebody", reason="no video", origin="/x.mp4"))
    assert said(home, "dead-letters", "drop", "refused-1") == (0, "refused-1 is dropped.\n")
    words = said(home, "dead-letters", "list")[1]
    assert [line.split()[0] for line in words.splitlines()] == ["refused-2", "file-of-somebody"]
    assert "segments/1/3  gate  its video cannot be read" in words
    listed = [json.loads(line) for line in said(home, "dead-letters", "list", "--all", "--json")[1].splitlines()]
    assert [each["handled"] for each in listed] == [DROPPED, None, None]
    shown = json.loads(said(home, "dead-letters", "show", "refused-2")[1])
    assert json.loads(shown["original"])["segment_id"] == "s2"
    with pytest.raises(DeadLetterError, match="several begin so"):
        letters.get("refused")
    with pytest.raises(DeadLetterError, match="never was a message"):
        letters.replay("file-of", Bus("127.0.0.1:1", partitions=1), who="tester", at=NOW)


@contextmanager
def process(home: Installation, name: str) -> Iterator[None]:
    with (home.folder / f"{name}.log").open("wb") as log:
        running = subprocess.Popen(
            [*START, name, "--config", str(home.config)], stdout=log, stderr=subprocess.STDOUT, cwd=home.folder
        )
    try:
        yield
    finally:
        running.kill()
        running.wait()


def test_what_was_refused_is_found_after_its_cause_is_mended_and_it_is_replayed(home: Installation) -> None:
    segment = a_segment("s1", camera_id="gate")
    manifest = a_manifest(segment, [walking(segment, 1, straight(0, 4, (10, 10, 60, 200), px_per_s=20))])
    with embedded_broker(home.folder, home.broker_address), process(home, "indexer"):
        bus = Bus(home.broker_address, partitions=4)
        bus.ensure_topics()
        publisher = bus.publisher()
        publisher.publish(PEOPLE, announcement(manifest), partition=2)  # its manifest is not in the store
        publisher.flush()

        def listed() -> Any:
            words = said(home, "dead-letters", "list", "--json")[1]
            return [json.loads(line) for line in words.splitlines() if line.startswith("{")]

        (letter,) = until(listed, WITHIN_S, "the refusal listed")
        assert "its manifest is not in the media store" in letter["reason"]
        MediaStore(str(home.state / "media")).write(
            announcement(manifest).manifest_uri, manifest.model_dump_json().encode()
        )
        assert said(home, "dead-letters", "replay", letter["rejected_id"])[0] == 0
        reader = PeopleReader(f"sqlite:///{home.state / 'people.sqlite3'}")
        until(lambda: [p.person_id for p in reader.newest()] == [manifest.people[0].person_id], WITHIN_S, "the person")
        reader.close()
        publisher.close()
        bus.close()
        status, words = said(home, "status", "--json")
        (indexer,) = json.loads(words)["processes"]
        assert (status, indexer["job"], indexer["fault"], indexer["dead_letters"]) == (0, "indexer", "", 1)
        assert "indexer" in said(home, "status", "--once")[1]
    assert said(home, "status", "--once")[0] == 1  # it does not answer any more


def test_retention_lets_go_of_what_is_over_its_days_and_a_dry_run_only_counts(tmp_path: Path) -> None:
    home = Installation(tmp_path / "home", [], {"search": {"keep_days": 30}})
    table = PeopleTable(f"sqlite:///{home.state / 'people.sqlite3'}")
    for name, days in (("old", 40), ("new", 2)):
        segment = a_segment(name, camera_id="gate", started_at=datetime.now(UTC) - timedelta(days=days))
        manifest = a_manifest(segment, [walking(segment, 1, straight(0, 4, (10, 10, 60, 200), px_per_s=20))])
        MediaStore(str(home.state / "media")).write(
            announcement(manifest).manifest_uri, manifest.model_dump_json().encode()
        )
        vector = {manifest.people[0].person_id: base64.b64decode(manifest.people[0].embedding_base64)}
        table.record(manifest, announcement(manifest).manifest_uri, Links({}, {}), vector)
    status, words = said(home, "retention", "run", "--dry-run")
    assert status == 0, words
    assert "1 people seen before" in words
    assert "the media of 1 segments, would go" in words
    assert table.counts().people == 2
    status, words = said(home, "retention", "run")
    assert status == 0, words
    assert [person.segment_id for person in table.newest()] == ["new"]
    assert "0 copies for alerts" in words
    table.close()
