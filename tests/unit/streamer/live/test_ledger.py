from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from streamer.bus.cameras import open_database
from streamer.bus.messages import SegmentReady
from streamer.live.gaps import LiveState
from streamer.live.ledger import LiveLedger
from tests.builders_cameras import NOW, a_live_ready


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[LiveLedger]:
    engine = open_database(path)
    yield LiveLedger(engine)
    engine.dispose()


def enter(
    ledger: LiveLedger, *numbers: int, camera: str = "gate", size_bytes: int = 100, is_stored: bool = True
) -> None:
    for number in numbers:
        ready = a_live_ready(number, camera)
        entered_at = NOW + timedelta(seconds=2 * number)
        ledger.enter(ready, partition=1, size_bytes=size_bytes, gap_since=None, now=entered_at)
        if is_stored:
            ledger.mark_stored(ready.segment_id)


def publish(
    ledger: LiveLedger, camera: str = "gate", at_most: int = 100, fps: float | None = None
) -> list[SegmentReady]:
    lines = [ledger.fix(line, sampling_fps_at_most=fps) for line in ledger.waiting(camera, at_most)]
    ledger.mark_published(lines)
    return [line.message for line in lines]


def test_an_empty_ledger_knows_nothing(ledger: LiveLedger) -> None:
    assert ledger.backlogs(NOW) == {}
    assert ledger.waiting("gate", 10) == []
    assert ledger.last_end("gate") is None
    assert ledger.note_analysed([]) == {}


def test_a_segment_waits_is_published_and_is_analysed(ledger: LiveLedger) -> None:
    enter(ledger, 0, 1, 2)
    enter(ledger, 0, camera="yard")
    assert [message.segment_id for message in publish(ledger, at_most=2)] == ["gate-0", "gate-1"]
    backlog = ledger.backlogs(NOW + timedelta(seconds=10))["gate"]
    assert (backlog.waiting, backlog.in_flight, backlog.duration_s, backlog.size_bytes) == (1, 2, 6.0, 300)
    assert backlog.oldest_s == 10
    assert ledger.note_analysed(["gate-0", "gate-1", "somebody else's"]) == {"gate": 2}
    assert ledger.note_analysed(["gate-0"]) == {}
    assert ledger.backlogs(NOW + timedelta(seconds=10))["gate"].oldest_s == 6
    assert ledger.last_end("gate") == NOW + timedelta(seconds=6)


def test_entering_twice_changes_nothing(ledger: LiveLedger) -> None:
    enter(ledger, 0, 0)
    assert len(ledger.waiting("gate", 10)) == 1


def test_a_message_never_changes_once_it_was_published(ledger: LiveLedger, path: Path) -> None:
    enter(ledger, 0)
    first = publish(ledger, fps=2.0)
    again = LiveLedger(open_database(path))
    again.put_in_line_again()
    assert publish(again, fps=None) == first
    assert first[0].sampling_fps_at_most == 2.0


def test_a_restart_keeps_what_was_analysed_and_the_name(ledger: LiveLedger, path: Path) -> None:
    enter(ledger, 0, 1)
    publish(ledger)
    ledger.note_analysed(["gate-0"])
    again = LiveLedger(open_database(path))
    again.put_in_line_again()
    assert again.streamer_id == ledger.streamer_id
    assert [line.message.segment_id for line in again.waiting("gate", 10)] == ["gate-1"]


def test_a_broker_without_memory_is_told_everything_and_one_that_was_met_nothing(ledger: LiveLedger) -> None:
    ledger.meet("first")
    enter(ledger, 0, 1)
    publish(ledger)
    ledger.note_analysed(["gate-0"])
    ledger.meet("first")
    assert ledger.waiting("gate", 10) == []
    ledger.meet("second")
    assert [line.message.segment_id for line in ledger.waiting("gate", 10)] == ["gate-1"]
    assert [line.message.segment_id for line in ledger.again(10)] == ["gate-0"]
    assert ledger.backlogs(NOW)["gate"].segments == 1  # what was analysed is nobody's backlog
    ledger.mark_published(ledger.again(10))
    assert ledger.again(10) == []


def test_a_result_that_comes_before_the_acknowledgement_is_kept(ledger: LiveLedger) -> None:
    enter(ledger, 0)
    lines = ledger.waiting("gate", 1)
    ledger.note_analysed(["gate-0"])
    ledger.mark_published(lines)
    assert ledger.states() == {LiveState.ANALYSED: 1}


def test_what_is_skipped_is_a_gap_and_the_next_segment_continues_nothing(ledger: LiveLedger) -> None:
    enter(ledger, 0)
    publish(ledger)
    enter(ledger, 1, 2, 3)
    skipped = ledger.skip_older(NOW + timedelta(seconds=5))
    assert [each.segment_id for each in skipped] == ["gate-1", "gate-2"]  # never what is on the bus
    (message,) = publish(ledger)
    assert (message.segment_id, message.previous_segment_id) == ("gate-3", None)
    assert (message.gap_before_s, message.gap_reason) == (4.0, "analysis was behind")
    (gap,) = ledger.gaps("gate", 5)
    assert (gap.since, gap.until) == (NOW + timedelta(seconds=2), NOW + timedelta(seconds=6))


def test_the_oldest_of_all_cameras_go_until_it_is_enough(ledger: LiveLedger) -> None:
    enter(ledger, 0)
    enter(ledger, 0, camera="yard")
    enter(ledger, 1, 2)
    assert [each.segment_id for each in ledger.skip_oldest(250)] == ["gate-0", "yard-0", "gate-1"]
    assert ledger.skip_oldest(0) == []


def test_gaps_are_kept_newest_first(ledger: LiveLedger) -> None:
    for number in (1, 5):
        ready = a_live_ready(number, links=False).model_copy(update={"gap_reason": f"reason {number}"})
        ledger.enter(ready, partition=0, size_bytes=1, gap_since=NOW, now=NOW)
    assert [gap.reason for gap in ledger.gaps("gate", 5)] == ["reason 5", "reason 1"]
    assert [gap.reason for gap in ledger.gaps("gate", 1)] == ["reason 5"]


def test_only_what_is_done_is_forgotten(ledger: LiveLedger) -> None:
    enter(ledger, 0, 1, 2)
    publish(ledger, at_most=2)
    ledger.note_analysed(["gate-0"])
    later = NOW + timedelta(days=1)
    ledger.forget(segments_before=later, gaps_before=later)
    assert ledger.states() == {LiveState.PUBLISHED: 1, LiveState.WAITING: 1}
