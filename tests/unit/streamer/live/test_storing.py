"""The way of finished live footage from this machine's disk into the media store."""

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from streamer.bus.cameras import open_database
from streamer.bus.client import Bus
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore
from streamer.live.backlog import Limits
from streamer.live.gaps import LiveState
from streamer.live.ledger import LiveLedger
from streamer.live.publishing import KEEP_FREE_BYTES, LivePublisher
from streamer.live.spool import Spool
from streamer.live.state import LiveSegment
from streamer.live.storing import Storer
from tests.builders_bus import wait_until
from tests.builders_cameras import NOW, a_live_ready

LIMITS = Limits(in_flight=8, thin_after_s=30, skip_after_s=1800, quota_bytes=10**9)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(tmp_path / "ledger.sqlite3")
    yield made
    made.dispose()


def segment(number: int, camera: str = "gate") -> LiveSegment:
    return LiveSegment(
        a_live_ready(number, camera), size_bytes=100, gap_since=None if number else NOW, is_encoded=False
    )


class Footage:
    """A spool, a ledger and a media store whose folder a file stands in the way of, until it `is_there`."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self.ledger, self.spool = LiveLedger(engine), Spool(folder / "spool")
        self.media = MediaStore(str(folder / "media"))
        (folder / "media").write_text("a file where a folder is wanted")
        self.storer = Storer(self.ledger, self.spool, self.media)

    def is_there(self) -> None:
        (self.folder / "media").unlink()

    def keep(self, *numbers: int, camera: str = "gate") -> None:
        for number in numbers:
            video = self.folder / "cut.mp4"
            video.write_bytes(b"x" * 100)
            self.spool.keep(segment(number, camera), video)

    def enter(self, *numbers: int, camera: str = "gate") -> None:
        self.keep(*numbers, camera=camera)
        for number in numbers:
            ready = segment(number, camera).ready
            self.ledger.enter(ready, partition=0, size_bytes=100, gap_since=None, now=NOW + timedelta(seconds=number))
            self.spool.entered(ready.segment_id)
            self.storer.wake()

    def kept(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "spool").iterdir())

    def stored(self, camera: str = "gate") -> list[str]:
        # Not rglob: a folder may go while it is looked through.
        walked = os.walk(self.folder / "media" / "media" / camera)
        return sorted(Path(name).stem for _, _, names in walked for name in names if name.endswith(".mp4"))

    def publisher(self, free_bytes: int) -> LivePublisher:
        publisher = Bus("127.0.0.1:1", partitions=1).publisher()
        return LivePublisher(self.ledger, self.storer, publisher, LIMITS, thinned_fps=2, free_bytes=lambda: free_bytes)


@pytest.fixture
def footage(tmp_path: Path, engine: Engine) -> Iterator[Footage]:
    made = Footage(tmp_path, engine)
    yield made
    made.storer.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("storing")]


def test_an_empty_spool_holds_nothing_and_has_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.unentered() == []
    spool.clean(set())
    spool.drop("gate-0")
    assert spool.free_bytes() > 0


def test_what_was_kept_and_not_entered_is_found_whole_by_the_next_streamer(footage: Footage) -> None:
    footage.keep(2, 0, 1)
    footage.spool.entered("gate-1")
    assert footage.spool.unentered() == [segment(0), segment(2)]
    footage.spool.clean({"gate-0", "gate-2"})
    assert footage.kept() == ["gate-0.mp4", "gate-2.mp4"]


def test_a_segment_whose_facts_were_torn_is_left_out_and_cleaned_away(footage: Footage) -> None:
    footage.keep(0, 1)
    (footage.folder / "spool" / "gate-0.json").write_text('{"ready": {"segm')
    assert footage.spool.unentered() == [segment(1)]
    footage.spool.clean({"gate-1"})
    assert footage.kept() == ["gate-1.mp4"]


def test_a_disk_that_does_not_take_a_segment_is_one_clear_error(footage: Footage) -> None:
    (footage.folder / "spool").write_text("a file where a folder is wanted")
    with pytest.raises(MediaStoreError, match="spool"):
        footage.keep(0)


def test_footage_waits_while_the_store_takes_nothing_and_is_stored_once_it_does(
    footage: Footage,
) -> None:
    footage.enter(0, 1, 2)
    footage.enter(0, camera="yard")
    footage.storer.start()
    wait_until(lambda: footage.storer.fault is not None)
    assert footage.ledger.waiting("gate", 10) == []
    assert footage.ledger.backlogs(NOW)["gate"].unstored == 3
    assert len(footage.kept()) == 4
    footage.is_there()
    wait_until(lambda: footage.ledger.states() == {LiveState.WAITING: 4})
    wait_until(lambda: footage.storer.fault is None)
    assert [line.message.segment_id for line in footage.ledger.waiting("gate", 10)] == ["gate-0", "gate-1", "gate-2"]
    assert footage.ledger.backlogs(NOW)["gate"].unstored == 0
    assert (footage.stored(), footage.stored("yard"), footage.kept()) == (
        ["gate-0", "gate-1", "gate-2"],
        ["yard-0"],
        [],
    )
    last = footage.storer.last_stored("yard")
    assert last is not None
    assert last.segment_id == "yard-0"


def test_no_segment_overtakes_one_of_its_camera_that_is_not_stored_yet(footage: Footage) -> None:
    footage.enter(0, 1, 2)
    footage.enter(0, camera="yard")
    for name in ("gate-0", "gate-2", "yard-0"):
        assert footage.ledger.mark_stored(name)
    assert [line.message.segment_id for line in footage.ledger.waiting("gate", 10)] == ["gate-0"]
    assert [line.message.segment_id for line in footage.ledger.waiting("yard", 10)] == ["yard-0"]


def test_what_was_moved_into_the_store_before_a_kill_is_not_missed(footage: Footage) -> None:
    footage.is_there()
    footage.enter(0)
    footage.media.adopt(segment(0).ready.uri, footage.spool.path("gate-0"))  # and then the lights go out
    footage.storer.start()
    wait_until(lambda: footage.ledger.states() == {LiveState.WAITING: 1})
    assert footage.stored() == ["gate-0"]


def test_what_is_given_up_while_the_store_is_away_never_gets_there(footage: Footage) -> None:
    footage.enter(0, 1)
    footage.storer.start()
    wait_until(lambda: footage.storer.fault is not None)
    skipped = footage.ledger.skip_oldest(100)
    footage.storer.give_up(skipped)
    assert [(each.segment_id, each.is_stored) for each in skipped] == [("gate-0", False)]
    assert footage.kept() == ["gate-1.mp4"]
    footage.is_there()
    wait_until(lambda: footage.stored() == ["gate-1"])
    assert footage.ledger.gaps("gate", 1)[0].reason == "the media store was away"
    line = footage.ledger.fix(footage.ledger.waiting("gate", 1)[0], sampling_fps_at_most=None)
    assert (line.message.previous_segment_id, line.message.gap_reason) == (None, "the media store was away")


def test_a_segment_that_is_given_up_on_its_way_is_taken_out_again(footage: Footage) -> None:
    footage.is_there()
    footage.enter(0)
    (skipped,) = footage.ledger.skip_oldest(1)
    footage.media.adopt(skipped.uri, footage.spool.path("gate-0"))
    assert not footage.ledger.mark_stored("gate-0")
    footage.storer.start()
    wait_until(lambda: footage.stored() == [])


def test_a_fault_ends_with_what_could_be_refused(footage: Footage) -> None:
    footage.enter(0)
    footage.storer.start()
    wait_until(lambda: footage.storer.fault is not None)
    footage.storer.give_up(footage.ledger.skip_oldest(1))
    wait_until(lambda: footage.storer.fault is None)


def test_a_disk_that_fills_while_the_store_is_away_costs_the_oldest_footage_and_not_the_ledger(
    footage: Footage,
) -> None:
    footage.enter(0, 1, 2, 3)
    publisher = footage.publisher(free_bytes=KEEP_FREE_BYTES - 150)
    publisher.relieve(NOW)
    assert publisher.skipped_over_quota["gate"] == 0  # the store may well take them in a moment
    footage.storer.start()
    wait_until(lambda: footage.storer.fault is not None)
    publisher.relieve(NOW)
    assert (publisher.skipped_over_quota["gate"], publisher.skipped_s["gate"]) == (2, 4.0)
    assert footage.kept() == ["gate-2.mp4", "gate-3.mp4"]
    publisher.close()
