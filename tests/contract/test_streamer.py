"""The streamer against a real broker: what it publishes, and what a crash of either of them changes: nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from streamer.bus.broker import EmbeddedBroker
from streamer.bus.cameras import CameraTable
from streamer.bus.client import Bus, Received
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import Rejected, SegmentReady, TimeOrigin
from streamer.bus.topics import DEAD_LETTERS, SEGMENTS
from streamer.ledger import FileState, Ledger
from streamer.publishing import LedgerPublisher
from streamer.sources.file import FileSource
from streamer.sources.folder import FolderSource
from streamer.streaming import Feed, Streamer
from tests.builders_bus import drain, embedded_broker, kill, wait_until
from tests.builders_pictures import exif, half_red
from tests.builders_video import make_video, number_of, numbered_frame, numbers_in, remuxed

ROOT = Path(__file__).parents[2]


class Household:
    """A streamer's real parts in one folder."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.media = MediaStore(str(folder / "media"))

    def run(self, *feeds: Feed, is_stopping: Callable[[], bool] = lambda: False, once: bool = True) -> None:
        ledger, bus = Ledger.open(self.folder), Bus(self.address, partitions=3)
        publisher = LedgerPublisher(ledger, bus, self.media)
        cameras = CameraTable(ledger.engine, partitions=3)
        work_folder = self.folder / "cutting"
        try:
            Streamer(
                feeds, ledger=ledger, cameras=cameras, media=self.media, publisher=publisher, work_folder=work_folder
            ).run(once=once, is_stopping=is_stopping)
        finally:
            publisher.close()
            bus.close()
            ledger.close()

    def published(self, segments: int, rejects: int = 0) -> tuple[list[SegmentReady], list[Rejected]]:
        """Everything on the topics, which must be this many messages."""
        bus = Bus(self.address, partitions=3)
        consumer = bus.consumer([SEGMENTS, DEAD_LETTERS], f"look-{time.monotonic_ns()}")
        found = drain(consumer, segments + rejects) + consumer.poll(200)
        consumer.close()
        bus.close()
        messages = [item.message for item in found if isinstance(item, Received)]
        ready = [message for message in messages if isinstance(message, SegmentReady)]
        refused = [message for message in messages if isinstance(message, Rejected)]
        assert (len(ready), len(refused)) == (segments, rejects)
        return ready, refused

    def numbers(self, segments: list[SegmentReady]) -> list[int]:
        paths = [self.media.local_path(segment.uri) for segment in segments]
        return [number for path in paths if path is not None for number in numbers_in(path)]


@pytest.fixture
def household(tmp_path: Path, broker: EmbeddedBroker) -> Household:
    return Household(tmp_path / "state", broker.address)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    folder = tmp_path / "footage"
    folder.mkdir()
    return folder


def test_a_files_segments_are_published_in_order_on_one_partition(household: Household, footage: Path) -> None:
    source = make_video(footage / "a.mp4", frame_count=320, metadata={"creation_time": "2026-05-04T12:00:00Z"})
    household.run(Feed("gate", FileSource(source)))
    segments, _ = household.published(segments=3)
    assert household.numbers(segments) == list(range(320))
    assert [segment.previous_segment_id for segment in segments] == [None, *(s.segment_id for s in segments[:-1])]
    began = datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert [(segment.started_at - began).total_seconds() for segment in segments] == [0, 10, 20]
    assert {segment.time_origin for segment in segments} == {TimeOrigin.CONTAINER}
    assert all(segment.uri.startswith("media:///media/gate/2026-05-04/") for segment in segments)
    assert not list((household.folder / "cutting").glob("*"))


def test_a_file_without_a_clock_began_when_it_was_last_written_less_its_length(
    household: Household, footage: Path
) -> None:
    source = make_video(footage / "a.mp4", frame_count=50)
    os.utime(source, (1_800_000_000, 1_800_000_000))
    os.utime(source, (1_700_000_005, 1_700_000_005))
    household.run(Feed("gate", FileSource(source)))
    (segment,), _ = household.published(segments=1)
    assert (segment.started_at.timestamp(), segment.time_origin) == (1_700_000_000, TimeOrigin.FILE)


def test_the_same_content_twice_or_under_another_name_is_published_once(household: Household, footage: Path) -> None:
    source = make_video(footage / "a.mp4", frame_count=50)
    (footage / "b.mp4").write_bytes(source.read_bytes())
    feeds = lambda: [Feed("gate", FolderSource(footage, rest_s=0, only_present=True))]  # noqa: E731
    household.run(*feeds())
    (segment,), _ = household.published(segments=1)
    household.media.write(manifest_uri("gate", segment.segment_id, "r1"), b"{}")
    (footage / "c.mp4").write_bytes(source.read_bytes())
    household.run(*feeds())
    household.published(segments=1)


def test_each_refused_file_is_one_dead_letter_and_the_next_goes_through(household: Household, footage: Path) -> None:
    (footage / "1-empty.mp4").write_bytes(b"")
    (footage / "2-text.mp4").write_text("this is no video")
    (footage / "3-again.mp4").write_text("this is no video")
    make_video(footage / "4-good.mp4", frame_count=30)
    for _ in range(2):
        household.run(Feed("gate", FolderSource(footage, rest_s=0, only_present=True)))
    # The segment has no manifest, so a restart puts it in line again; a refusal that arrived stays told.
    segments, letters = household.published(segments=2, rejects=2)
    assert segments[0] == segments[1]
    assert {(Path(letter.origin or "").name, letter.reason.split(":")[0]) for letter in letters} == {
        ("1-empty.mp4", "the file is empty"),
        ("2-text.mp4", "it is no video"),
    }
    assert {(letter.camera_id, letter.source_topic) for letter in letters} == {("gate", None)}


def test_files_whose_names_are_no_utf8_are_taken_and_refused_like_others(household: Household, footage: Path) -> None:
    make_video(footage / os.fsdecode(b"caf\xe9.mp4"), frame_count=30)
    (footage / os.fsdecode(b"n\xf6.mp4")).write_text("this is no video")
    household.run(Feed("gate", FolderSource(footage, rest_s=0, only_present=True)))
    _, (letter,) = household.published(segments=1, rejects=1)
    assert Path(letter.origin or "").name == r"n\udcf6.mp4"


def test_a_restart_publishes_again_what_nobody_analysed_and_only_that(household: Household, footage: Path) -> None:
    source = make_video(footage / "a.mp4", frame_count=320)
    household.run(Feed("gate", FileSource(source)))
    first, _ = household.published(segments=3)
    for segment in first[:2]:
        household.media.write(manifest_uri("gate", segment.segment_id, "r1"), b"{}")
    household.run(Feed("gate", FileSource(source)))
    assert household.published(segments=4)[0] == [*first, first[2]]


def test_a_broker_that_lost_its_memory_gets_everything_again_while_the_streamer_runs(
    household: Household, footage: Path, tmp_path: Path, broker: EmbeddedBroker
) -> None:
    make_video(footage / "a.mp4", frame_count=320)
    (footage / "rubbish.mp4").write_text("this is no video")
    ended: list[bool] = []
    rounds: list[str] = []

    def is_stopping() -> bool:
        """Called by the streamer once a round: crash the broker when all is published, and stop some time later."""
        ledger = Ledger.open(household.folder)
        files = ledger.files()
        is_cut = len(files) == 2 and all(file.state in (FileState.DONE, FileState.REJECTED) for file in files)
        is_told = is_cut and not ledger.unpublished_segments(broker_names[-1])
        ledger.close()
        if is_told and not rounds:
            kill(broker)
            second.start()
            named = Bus(broker.address, partitions=3)
            broker_names.append(named.ensure_topics(is_newborn=True))
            named.close()
            rounds.append("killed")
            return False
        return bool(is_told and rounds)

    first_bus = Bus(broker.address, partitions=3)
    broker_names = [first_bus.ensure_topics()]
    first_bus.close()
    second = EmbeddedBroker(broker.address, tmp_path / "second.log")
    try:
        household.run(
            Feed("gate", FolderSource(footage, rest_s=0)), once=False, is_stopping=lambda: bool(ended) or is_stopping()
        )
        segments, letters = household.published(segments=3, rejects=1)
        assert household.numbers(segments) == list(range(320))
        assert Path(letters[0].origin or "").name == "rubbish.mp4"
    finally:
        second.stop()


def test_a_new_broker_gets_the_lines_from_the_first_on_though_the_last_was_owed_to_the_old_one(
    household: Household, footage: Path, tmp_path: Path, broker: EmbeddedBroker
) -> None:
    household.run(Feed("gate", FileSource(make_video(footage / "a.mp4", frame_count=320))))
    ledger, bus = Ledger.open(household.folder), Bus(broker.address, partitions=3)
    publisher = LedgerPublisher(ledger, bus, household.media)
    publisher.start()
    publisher.publish()
    names = ledger.segment_ids("gate")
    ledger.forget_published(names[-1:])
    kill(broker)
    assert not publisher.publish()
    with embedded_broker(tmp_path, broker.address):
        bus.ensure_topics(is_newborn=True)
        wait_until(publisher.publish)
        segments, _ = household.published(segments=3)
    publisher.close()
    bus.close()
    ledger.close()
    assert [segment.segment_id for segment in segments] == names


def test_as_if_live_segments_come_at_the_videos_own_pace(household: Household, footage: Path) -> None:
    source = make_video(footage / "a.mp4", frame_count=45)
    began = datetime.now(UTC)
    household.run(Feed("gate", FileSource(source), pace="live"))
    took_s = (datetime.now(UTC) - began).total_seconds()
    segments, _ = household.published(segments=2)
    assert household.numbers(segments) == list(range(45))
    assert {segment.time_origin for segment in segments} == {TimeOrigin.CLOCK}
    assert abs((segments[0].started_at - began).total_seconds()) < 2
    assert [round(segment.duration_s, 1) for segment in segments] == [2.0, 2.5]
    assert took_s >= 4.5


def _settings_file(folder: Path, address: str, sources: list[dict[str, str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "crewsight.yaml"
    settings = {
        "state": {"folder": str(folder / "state")},
        "bus": {"bootstrap_servers": address, "partitions": 3},
        "sources": sources,
    }
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


def _start(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "import streamer.cli; streamer.cli.app()", "streamer", "--once"]
    return subprocess.Popen([*command, "--config", str(config)], cwd=ROOT)


@pytest.fixture(scope="module")
def long_footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy seconds that have to be encoded anew, so that there is time to crash in."""
    options = {"preset": "ultrafast", "x264-params": "scenecut=0:keyint=1000"}
    path = tmp_path_factory.mktemp("long") / "a.mp4"
    return make_video(path, frame_count=700, keyframe_every=1000, options=options, size_wh=(768, 432))


def test_kill_9_at_any_moment_changes_no_id_and_loses_no_frame(
    tmp_path: Path, long_footage: Path, broker: EmbeddedBroker
) -> None:
    calm_config = _settings_file(tmp_path / "calm", broker.address, [{"camera": "gate", "file": str(long_footage)}])
    calm = _start(calm_config)
    assert calm.wait(120) == 0
    expected = _entries(tmp_path / "calm" / "state")
    rough = tmp_path / "rough"
    config = _settings_file(rough, broker.address, [{"camera": "gate", "file": str(long_footage)}])
    for wanted in (0, 1, 3, 4, 6):
        process = _start(config)
        try:
            wait_until(lambda wanted=wanted: len(_entries(rough / "state")) >= wanted and _is_cutting(rough / "state"))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert _start(config).wait(120) == 0
    assert _entries(rough / "state") == expected
    store = MediaStore(str(rough / "state" / "media"))
    ledger = Ledger.open(rough / "state")
    uris = [line.message.uri for line in ledger.unpublished_segments("nobody")]
    assert ledger.unpublished_segments(_incarnation(broker)) == []
    ledger.close()
    paths = [store.local_path(uri) for uri in uris]
    assert [number for path in paths if path is not None for number in numbers_in(path)] == list(range(700))
    assert len(list((rough / "state" / "media").rglob("*.mp4"))) == len(expected)


def test_kill_9_amid_a_folder_of_pictures_loses_none_and_doubles_none(
    tmp_path: Path, footage: Path, broker: EmbeddedBroker
) -> None:
    for number in range(60):
        numbered = Image.fromarray(numbered_frame(number, width=1920, height=1080))
        numbered.save(footage / f"{number:02d}.png")
    config = _settings_file(tmp_path, broker.address, [{"camera": "library", "folder": str(footage)}])
    for wanted in (1, 15, 30, 45):
        process = _start(config)
        try:
            wait_until(lambda wanted=wanted: len(_entries(tmp_path / "state")) >= wanted)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert _start(config).wait(120) == 0
    stored = sorted((tmp_path / "state" / "media").rglob("*.jpg"))
    assert len(stored) == len(_entries(tmp_path / "state")) == 60
    assert sorted(_number_in(path) for path in stored) == list(range(60))


def _number_in(picture: Path) -> int:
    with Image.open(picture) as opened:
        return number_of(np.asarray(opened))


def _entries(state_folder: Path) -> list[str]:
    if not (state_folder / "ledger.sqlite3").exists():
        return []
    ledger = Ledger.open(state_folder)
    try:
        return [entry.segment_id for entry in ledger.entries()]
    finally:
        ledger.close()


def _is_cutting(state_folder: Path) -> bool:
    return (state_folder / "cutting").exists() and any((state_folder / "cutting").iterdir())


def _incarnation(broker: EmbeddedBroker) -> str:
    bus = Bus(broker.address, partitions=3)
    try:
        return bus.incarnation()
    finally:
        bus.close()


def test_sigterm_ends_a_watching_streamer_within_five_seconds(
    tmp_path: Path, footage: Path, broker: EmbeddedBroker
) -> None:
    config = _settings_file(tmp_path / "home", broker.address, [{"camera": "gate", "folder": str(footage)}])
    command = [sys.executable, "-c", "import streamer.cli; streamer.cli.app()", "streamer", "--config", str(config)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until(lambda: (tmp_path / "home" / "state" / "ledger.sqlite3").exists())
        time_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - time_s < 5
    finally:
        process.kill()
        process.wait()


def test_sigterm_ends_a_streamer_within_five_seconds_in_the_middle_of_encoding(
    tmp_path: Path, long_footage: Path, broker: EmbeddedBroker
) -> None:
    config = _settings_file(tmp_path / "home", broker.address, [{"camera": "gate", "file": str(long_footage)}])
    process = _start(config)
    try:
        wait_until(lambda: _is_cutting(tmp_path / "home" / "state"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
    ledger = Ledger.open(tmp_path / "home" / "state")
    assert [file.state for file in ledger.files()] == [FileState.CUTTING]
    ledger.close()


def test_a_file_that_goes_away_before_it_is_cut_is_cut_when_it_comes_back(household: Household, footage: Path) -> None:
    source = make_video(footage / "a.mp4", frame_count=50)
    content = source.read_bytes()
    feed = Feed("gate", FileSource(source, only_present=True))
    feed.waiting.extend(feed.source.look(0))
    source.unlink()
    household.run(feed)
    source.write_bytes(content)
    household.run(Feed("gate", FileSource(source)))
    household.published(segments=1)


def test_files_that_wait_while_their_share_is_away_for_a_moment_are_cut_when_it_is_back(
    household: Household, footage: Path
) -> None:
    for number in range(4):
        make_video(footage / f"{number}.mp4", frame_count=320 + number)
    away = footage.with_name("away")
    turns_away: list[int] = []

    def is_stopping() -> bool:
        """Called by the streamer once a round: take the share away once one file is being cut, and bring it back."""
        ledger = Ledger.open(household.folder)
        files = ledger.files()
        ledger.close()
        if files and files[0].next_index == 1 and not turns_away:
            footage.rename(away)
            turns_away.append(0)
        elif away.exists():
            turns_away.append(0)
            if len(turns_away) > 20:
                away.rename(footage)
        return len(files) == 4 and all(file.state is FileState.DONE for file in files)

    deadline_s = time.monotonic() + 60
    feed = Feed("gate", FolderSource(footage, rest_s=0))
    household.run(feed, once=False, is_stopping=lambda: time.monotonic() > deadline_s or is_stopping())
    segments, _ = household.published(segments=12)
    assert sorted(household.numbers(segments)) == sorted(n for number in range(4) for n in range(320 + number))


def test_a_file_that_cannot_be_cut_to_its_end_is_refused_and_the_next_goes_through(
    household: Household, footage: Path
) -> None:
    options = {"preset": "ultrafast", "tune": "zerolatency"}
    whole = make_video(footage.parent / "whole.mp4", frame_count=230, options=options)
    source = remuxed(whole, footage / "1.mkv")
    make_video(footage / "2.mp4", frame_count=30)

    def is_stopping() -> bool:
        """Called by the streamer while it cuts: make it another file, which repeats a time, once it is planned."""
        ledger = Ledger.open(household.folder)
        is_planned = any(file.state is FileState.CUTTING for file in ledger.files())
        ledger.close()
        if is_planned and not replaced:
            replaced.append(remuxed(whole, source, ms_of=lambda ms: ms - 100 if ms == 15900 else ms))
        return False

    replaced: list[Path] = []
    feed = Feed("gate", FolderSource(footage, rest_s=0, only_present=True))
    household.run(feed, is_stopping=is_stopping)
    segments, (refused,) = household.published(segments=2, rejects=1)
    assert household.numbers(segments) == [*range(100), *range(30)]
    assert (refused.origin, refused.reason) == (str(source), "cutting broke off: invalid argument")
    household.run(Feed("gate", FolderSource(footage, rest_s=0, only_present=True)))


def test_a_file_that_takes_long_to_read_holds_up_neither_the_end_nor_other_feeds(
    household: Household, footage: Path
) -> None:
    huge = footage / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(100 << 30)  # of nothing: it takes no room, and a minute to read
    small = make_video(footage / "small.mp4", frame_count=30)

    def is_through() -> bool:
        """Called by the streamer once a round."""
        ledger = Ledger.open(household.folder)
        files = ledger.files()
        ledger.close()
        return any(file.state is FileState.DONE for file in files)

    began_s = time.monotonic()
    feeds = Feed("yard", FileSource(huge)), Feed("gate", FileSource(small))
    household.run(*feeds, once=False, is_stopping=is_through)
    assert time.monotonic() - began_s < 15
    household.published(segments=1)


def test_footage_waits_for_a_media_store_that_takes_nothing(household: Household, footage: Path) -> None:
    make_video(footage / "1.mp4", frame_count=230)
    half_red().save(footage / "2.jpg")
    refuses = household.folder / "media"
    household.folder.mkdir()
    refuses.write_text("no folder")
    turns: list[int] = []

    def is_stopping() -> bool:
        """Called by the streamer once a round: let the store take something once it has refused for a while."""
        turns.append(0)
        if len(turns) == 20:
            refuses.unlink()
        ledger = Ledger.open(household.folder)
        files = ledger.files()
        ledger.close()
        return len(files) == 2 and all(file.state is FileState.DONE for file in files)

    deadline_s = time.monotonic() + 60
    feed = Feed("gate", FolderSource(footage, rest_s=0))
    household.run(feed, once=False, is_stopping=lambda: time.monotonic() > deadline_s or is_stopping())
    household.published(segments=3)


def test_a_media_store_that_takes_nothing_ends_a_run_that_is_to_end(household: Household, footage: Path) -> None:
    make_video(footage / "1.mp4", frame_count=30)
    household.folder.mkdir()
    (household.folder / "media").write_text("no folder")
    with pytest.raises(MediaStoreError):
        household.run(Feed("gate", FolderSource(footage, rest_s=0, only_present=True)))


def test_recordings_that_pause_repeat_a_time_or_were_joined_are_published_whole(
    household: Household, footage: Path
) -> None:
    options = {"preset": "ultrafast", "tune": "zerolatency"}
    make_video(footage / "1.mp4", frame_count=100, options=options, times=[*range(50), *range(250, 300)])
    whole = make_video(footage.parent / "whole.mp4", frame_count=100, options=options)
    remuxed(whole, footage / "2.mkv", ms_of=lambda ms: ms - 100 if ms == 5000 else ms)
    part = remuxed(whole, footage.parent / "part.ts", mpegts_flags="initial_discontinuity").read_bytes()
    (footage / "3.ts").write_bytes(part + part)
    for number in (1, 2, 3):
        os.utime(next(footage.glob(f"{number}.*")), (number, number))
    household.run(Feed("gate", FolderSource(footage, rest_s=0, only_present=True)))
    segments, _ = household.published(segments=6)
    assert household.numbers(segments) == list(range(100)) * 4


def test_a_folder_of_pictures_is_published_once_a_picture_whatever_is_copied_or_changed(
    household: Household, footage: Path
) -> None:
    half_red().save(footage / "a.jpg", exif=exif(taken="2026:05:04 12:00:00", offset="+02:00"))
    half_red((80, 50)).save(footage / "b.png", exif=exif(taken="2026:05:04 12:00:00"))
    half_red((90, 60)).save(footage / "c.webp")
    os.utime(footage / "c.webp", (1_700_000_000, 1_700_000_000))
    (footage / "copy.jpg").write_bytes((footage / "a.jpg").read_bytes())
    (footage / "broken.jpg").write_bytes(b"no picture")
    before = {path: path.read_bytes() for path in footage.iterdir()}
    feeds = lambda: [  # noqa: E731
        Feed("library", FolderSource(footage, rest_s=0, only_present=True), zone=ZoneInfo("Asia/Tokyo"))
    ]
    household.run(*feeds())
    segments, (refused,) = household.published(segments=3, rejects=1)
    assert {(str(segment.started_at), segment.time_origin) for segment in segments} == {
        ("2026-05-04 10:00:00+00:00", TimeOrigin.EXIF),
        ("2026-05-04 03:00:00+00:00", TimeOrigin.EXIF_ZONE),
        ("2023-11-14 22:13:20+00:00", TimeOrigin.FILE),
    }
    assert all(household.media.exists(segment.uri) and segment.uri.endswith(".jpg") for segment in segments)
    assert (refused.origin, refused.reason) == (
        str(footage / "broken.jpg"),
        "it is no picture, or its beginning is broken",
    )
    assert {path: path.read_bytes() for path in footage.iterdir()} == before

    half_red((100, 60)).save(footage / "b.png")
    half_red((110, 60)).save(footage / "new.tif")
    household.run(*feeds())
    segments, _ = household.published(segments=3 + 5, rejects=1)  # those that nobody has analysed are told again
    assert sorted({segment.segment_id: segment.width_px for segment in segments}.values()) == [60, 80, 90, 100, 110]
