"""Gaps in the ledger of live footage: what never came, and what was given up unseen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamer.bus.messages import SegmentReady
from streamer.live.tables import LiveGapRow, LiveSegmentRow

SAME_GAP_S = 1.0  # times of neighbours may be apart by as much as the clocks that told them
SKIPPED_REASON = "analysis was behind"
UNSTORED_REASON = "the media store was away"


class LiveState(StrEnum):
    """How far a live segment is."""

    UNSTORED = "unstored"  # waits as well, on this machine's disk
    WAITING = "waiting"
    PUBLISHED = "published"
    ANALYSED = "analysed"
    AGAIN = "again"  # analysed, and to be told to a broker that lost its memory
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Skipped:
    """One segment that was given up unseen."""

    segment_id: str
    camera_id: str
    uri: str
    duration_s: float
    is_stored: bool  # whether the media store has it


def skipped(session: Session, rows: Sequence[LiveSegmentRow]) -> list[Skipped]:
    """Give `rows` up, each a gap."""
    given_up: list[Skipped] = []
    for row in rows:
        is_stored = row.state != LiveState.UNSTORED
        row.state = LiveState.SKIPPED
        ready = SegmentReady.model_validate_json(row.message)
        reason = SKIPPED_REASON if is_stored else UNSTORED_REASON
        note_gap(session, row.camera_id, ready.started_at, end_of(ready), reason)
        given_up.append(Skipped(row.segment_id, row.camera_id, row.uri, row.duration_s, is_stored))
    return given_up


def unlinked_from_skipped(session: Session, ready: SegmentReady) -> SegmentReady:
    """The message, which continues nothing if what it continues was skipped."""
    since, previous_id = None, ready.previous_segment_id
    while previous_id is not None:
        row = session.scalar(select(LiveSegmentRow).filter_by(segment_id=previous_id, state=LiveState.SKIPPED))
        if row is None:
            break
        before = SegmentReady.model_validate_json(row.message)
        since, previous_id = before.started_at, before.previous_segment_id
    if since is None:
        return ready
    gap_s = max(0.0, (ready.started_at - since).total_seconds())
    is_of_it = (
        LiveGapRow.camera_id == ready.camera_id,
        LiveGapRow.since <= naive(since),
        LiveGapRow.until > naive(since),
    )
    reason = session.scalar(select(LiveGapRow.reason).where(*is_of_it).order_by(LiveGapRow.gap_id.desc()).limit(1))
    update = {"previous_segment_id": None, "gap_before_s": gap_s, "gap_reason": reason or SKIPPED_REASON}
    return ready.model_copy(update=update)


def note_gap(session: Session, camera_id: str, since: datetime, until: datetime, reason: str) -> None:
    """Enter a gap, or prolong the one that ends where it begins for the same reason."""
    newest = select(LiveGapRow).filter_by(camera_id=camera_id).order_by(LiveGapRow.gap_id.desc()).limit(1)
    last = session.scalar(newest)
    is_same = last is not None and last.reason == reason
    if last is not None and is_same and abs((last.until - naive(since)).total_seconds()) < SAME_GAP_S:
        last.until = naive(until)
    else:
        session.add(LiveGapRow(camera_id=camera_id, since=naive(since), until=naive(until), reason=reason))
        session.flush()


def end_of(ready: SegmentReady) -> datetime:
    """When the last frame of a segment ends."""
    return ready.started_at + timedelta(seconds=ready.duration_s)


def naive(instant: datetime) -> datetime:
    """An instant as SQLite keeps it."""
    return instant.astimezone(UTC).replace(tzinfo=None)  # SQLite keeps no zone; everything in the ledger is UTC
