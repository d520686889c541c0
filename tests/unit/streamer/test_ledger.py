import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from streamer.bus.cameras import CameraTable, open_database
from streamer.bus.messages import Rejected, SegmentReady, TimeOrigin
from streamer.errors import LedgerError
from streamer.ledger import FileState, Ledger

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path)
    yield opened
    opened.close()


def segment(name: str, camera_id: str = "gate") -> SegmentReady:
    return SegmentReady(
        segment_id=name,
        camera_id=camera_id,
        uri=f"media:///media/{camera_id}/2026-05-04/{name}.mp4",
        started_at=NOON,
        time_origin=TimeOrigin.FILE,
        duration_s=10,
        fps=10,
        width_px=64,
        height_px=64,
    )


def test_one_content_of_one_camera_is_one_file_whatever_its_name(ledger: Ledger) -> None:
    first = ledger.enter_file("gate", "sha", "a.mp4")
    assert ledger.enter_file("gate", "sha", "b.mp4") == first
    assert ledger.enter_file("hall", "sha", "a.mp4").file_id != first.file_id
    assert [file.name for file in ledger.files()] == ["a.mp4", "a.mp4"]


def test_when_a_file_began_is_decided_once_and_kept_in_utc(ledger: Ledger) -> None:
    file_id = ledger.enter_file("gate", "sha", "a.mp4").file_id
    local = NOON.astimezone(timezone(timedelta(hours=2)))
    ledger.begin(file_id, duration_s=20, started_at=local, time_origin=TimeOrigin.CONTAINER)
    again = ledger.begin(file_id, duration_s=20, started_at=NOON + timedelta(days=1), time_origin=TimeOrigin.FILE)
    assert (again.started_at, again.time_origin, again.state) == (NOON, TimeOrigin.CONTAINER, FileState.CUTTING)


def test_progress_follows_the_segments_and_survives_a_restart(ledger: Ledger, tmp_path: Path) -> None:
    file_id = ledger.enter_file("gate", "sha", "a.mp4").file_id
    ledger.begin(file_id, duration_s=20, started_at=NOON, time_origin=TimeOrigin.FILE)
    ledger.enter_segment(file_id, 0, segment("s0"), partition=1, cut_s=10)
    ledger.enter_segment(file_id, 0, segment("s0"), partition=1, cut_s=10)
    ledger.close()
    reopened = Ledger.open(tmp_path)
    (file,) = reopened.files()
    assert (file.cut_s, file.next_index, file.state) == (10, 1, FileState.CUTTING)
    assert [entry.segment_id for entry in reopened.entries()] == ["s0"]
    assert reopened.entries(after=reopened.entries()[0].sequence) == []
    reopened.close()


def test_a_line_is_published_until_this_incarnation_acknowledged_it(ledger: Ledger) -> None:
    file_id = ledger.enter_file("gate", "sha", "a.mp4").file_id
    for index in range(3):
        ledger.enter_segment(file_id, index, segment(f"s{index}"), partition=2, cut_s=10)
    lines = ledger.unpublished_segments("one")
    assert [(line.message, line.partition) for line in lines] == [(segment(f"s{index}"), 2) for index in range(3)]
    ledger.mark_published(lines[:2], "one")
    assert [line.message.segment_id for line in ledger.unpublished_segments("one")] == ["s2"]
    assert len(ledger.unpublished_segments("two")) == 3
    ledger.forget_published(["s0"])
    assert [line.message.segment_id for line in ledger.unpublished_segments("one")] == ["s0", "s2"]


def test_a_refusal_is_kept_once_and_published_like_a_segment(ledger: Ledger) -> None:
    file_id = ledger.enter_file("gate", "sha", "a.mp4").file_id
    letter = Rejected(rejected_id="r", reason="it is no video", camera_id="gate", origin="a.mp4")
    ledger.reject(file_id, letter, partition=1)
    ledger.reject(file_id, letter, partition=1)
    (line,) = ledger.unpublished_rejects("one")
    assert line.message == letter
    ledger.mark_published([line], "one")
    assert ledger.unpublished_rejects("one") == []
    assert [file.state for file in ledger.files()] == [FileState.REJECTED]
    assert ledger.counts() == (0, 1)


def test_a_hash_is_known_as_long_as_the_file_is_unchanged(ledger: Ledger) -> None:
    path = Path("a.mp4")
    assert ledger.known_hash(path, 10, 20) is None
    ledger.note_hash(path, 10, 20, "sha")
    assert ledger.known_hash(path, 10, 20) == "sha"
    assert ledger.known_hash(path, 11, 20) is None
    ledger.note_hash(path, 11, 20, "other")
    assert ledger.known_hash(path, 11, 20) == "other"


def test_a_reader_sees_the_ledger_while_it_is_written(ledger: Ledger, tmp_path: Path) -> None:
    ledger.enter_file("gate", "sha", "a.mp4")
    writer = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert len(ledger.files()) == 1
    writer.execute("ROLLBACK")
    writer.close()


def test_a_ledger_that_cannot_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="cannot use the ledger"):
        Ledger.open(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LedgerError, match="cannot use the ledger"):
        Ledger.open(tmp_path / "file")


def test_cameras_spread_over_the_partitions_and_stay_there(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "ledger.sqlite3")
    table = CameraTable(engine, partitions=3)
    chosen = {f"cam{index}": table.partition_of(f"cam{index}") for index in range(7)}
    assert sorted(chosen.values()) == [0, 0, 0, 1, 1, 2, 2]
    again = CameraTable(engine, partitions=3)
    assert {name: again.partition_of(name) for name in reversed(chosen)} == chosen
    engine.dispose()


def test_a_camera_whose_partition_is_gone_gets_another(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "ledger.sqlite3")
    wide = CameraTable(engine, partitions=3)
    chosen = [wide.partition_of(name) for name in ("a", "b", "c")]
    narrow = CameraTable(engine, partitions=2)
    assert chosen == [0, 1, 2]
    assert [narrow.partition_of(name) for name in ("a", "b", "c")] == [0, 1, 0]
    engine.dispose()


def test_many_processes_may_meet_an_empty_state_folder_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from streamer.bus.cameras import CameraTable\n"
        "from streamer.ledger import Ledger\n"
        "ledger = Ledger.open(Path(sys.argv[1]))\n"
        "sys.stdout.write(str(CameraTable(ledger.engine, partitions=4).partition_of(sys.argv[2])))\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), f"cam{index}"], cwd=ROOT, stdout=subprocess.PIPE)
        for index in range(4)
    ]
    chosen = sorted(process.communicate(timeout=60)[0] for process in started)
    assert chosen == [b"0", b"1", b"2", b"3"]


def test_what_is_published_costs_nothing_to_look_past(ledger: Ledger) -> None:
    file_id = ledger.enter_file("gate", "sha", "a.mp4").file_id
    lines = ((f"s{n}", file_id, segment(f"s{n}").model_dump_json()) for n in range(5000))
    with closing(sqlite3.connect(ledger.engine.url.database or "")) as database, database:
        database.executemany(
            "INSERT INTO segments (segment_id, file_id, camera_id, partition, duration_s, message, incarnation)"
            " VALUES (?, ?, 'gate', 0, 10, ?, 'mild-fox')",
            lines,
        )
    ledger.forget_published(["s2500", "s4000"])
    instructions: list[int] = []
    with ledger.engine.connect() as connection:
        sqlite = connection.connection.driver_connection
        assert isinstance(sqlite, sqlite3.Connection)
        sqlite.set_progress_handler(lambda: instructions.append(100), 100)
    found = [line.message.segment_id for line in ledger.unpublished_segments("mild-fox")]
    assert found == ["s2500", "s4000"]
    assert sum(instructions) < 1000  # of SQLite's; it takes several for a line that it reads
    assert len(ledger.unpublished_segments("other-fox", at_most=10)) == 10
    assert sum(instructions) > 1000
