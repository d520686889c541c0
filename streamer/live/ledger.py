"""What is known of live footage: what waits, what is on the bus, what was analysed or skipped, and the gaps.

It shares the ledger's database. A segment's message may be changed until it is first published, then never: whoever
gets it again gets the same, so analysing it again gives the same result.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, Select, Update, case, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from streamer.bus.camera_report import GapSeen
from streamer.bus.cameras import make_tables
from streamer.bus.messages import SegmentReady
from streamer.errors import LedgerError
from streamer.live.backlog import CameraBacklog
from streamer.live.gaps import LiveState, Skipped, end_of, naive, note_gap, skipped, unlinked_from_skipped
from streamer.live.tables import LiveCameraRow, LiveGapRow, LiveIdentityRow, LiveSegmentRow, LiveTables

BATCH = 500
WAITING = (LiveState.UNSTORED, LiveState.WAITING)


@dataclass(frozen=True, slots=True)
class LiveLine:
    """One segment to be published."""

    sequence: int
    partition: int
    message: SegmentReady
    is_fixed: bool


class LiveLedger:
    """The tables of live footage behind an engine; may be used by several threads.

    Raises (every method): `LedgerError` naming the file and what SQLite said.
    """

    def __init__(self, engine: Engine) -> None:
        """Use `engine`; the tables are made when missing."""
        self._engine = engine
        make_tables(engine, LiveTables.metadata)
        with self._writing() as session:
            identity = session.get(LiveIdentityRow, 1)
            if identity is None:
                identity = LiveIdentityRow(key=1, streamer_id=uuid.uuid4().hex[:12])
                session.add(identity)
            self.streamer_id = identity.streamer_id
            self._incarnation = identity.incarnation

    def put_in_line_again(self) -> None:
        """At the start of a streamer: what was on the bus and has no result waits again, in case it was lost there."""
        with self._writing() as session:
            session.execute(_moved(LiveState.PUBLISHED, LiveState.WAITING))

    def enter(
        self, ready: SegmentReady, *, partition: int, size_bytes: int, gap_since: datetime | None, now: datetime
    ) -> None:
        """Enter a finished segment, which the media store has yet to take, and the gap before it.

        Repeats change nothing.
        """
        with self._writing() as session:
            if session.scalar(select(LiveSegmentRow.sequence).filter_by(segment_id=ready.segment_id)) is not None:
                return
            session.add(
                LiveSegmentRow(
                    segment_id=ready.segment_id,
                    camera_id=ready.camera_id,
                    partition=partition,
                    entered_at=naive(now),
                    duration_s=ready.duration_s,
                    size_bytes=size_bytes,
                    uri=ready.uri,
                    message=ready.model_dump_json(exclude_none=True),
                    state=LiveState.UNSTORED,
                )
            )
            session.merge(LiveCameraRow(camera_id=ready.camera_id, last_end=naive(end_of(ready))))
            if gap_since is not None:
                until = max(gap_since, ready.started_at)  # two clocks may have told them
                note_gap(session, ready.camera_id, gap_since, until, ready.gap_reason or "")

    def last_end(self, camera_id: str) -> datetime | None:
        """Where this camera's footage ended; None when it never had any."""
        with self._reading() as session:
            row = session.get(LiveCameraRow, camera_id)
            return row.last_end.replace(tzinfo=UTC) if row is not None else None

    def meet(self, incarnation: str) -> None:
        """Note which broker is there; one without our messages gets all of them again."""
        if incarnation == self._incarnation:
            return
        with self._writing() as session:
            session.get_one(LiveIdentityRow, 1).incarnation = incarnation
            session.execute(_moved(LiveState.PUBLISHED, LiveState.WAITING))
            session.execute(_moved(LiveState.ANALYSED, LiveState.AGAIN))
        self._incarnation = incarnation

    def backlogs(self, now: datetime) -> dict[str, CameraBacklog]:
        """What nobody has analysed yet, by camera."""
        is_waiting = case((LiveSegmentRow.state.in_(WAITING), 1), else_=0)
        is_unstored = case((LiveSegmentRow.state == LiveState.UNSTORED, 1), else_=0)
        query = (
            select(
                LiveSegmentRow.camera_id,
                func.sum(is_waiting),
                func.count(),
                func.sum(LiveSegmentRow.duration_s),
                func.sum(LiveSegmentRow.size_bytes),
                func.min(LiveSegmentRow.entered_at),
                func.sum(is_unstored),
            )
            .where(LiveSegmentRow.state.in_((*WAITING, LiveState.PUBLISHED)))
            .group_by(LiveSegmentRow.camera_id)
        )
        with self._reading() as session:
            return {
                camera: CameraBacklog(
                    waiting, count - waiting, seconds, size, max(0.0, (naive(now) - oldest).total_seconds()), unstored
                )
                for camera, waiting, count, seconds, size, oldest, unstored in session.execute(query)
            }

    def waiting(self, camera_id: str, at_most: int) -> list[LiveLine]:
        """The camera's first segments that may go onto the bus, in order: none overtakes one that is not stored."""
        return self._lines(LiveState.WAITING, at_most, camera_id)

    def unstored(self, at_most: int) -> list[SegmentReady]:
        """The first segments of all cameras that the media store does not have yet, in order."""
        return [line.message for line in self._lines(LiveState.UNSTORED, at_most)]

    def unstored_ids(self) -> set[str]:
        """All segments that the media store does not have yet."""
        with self._reading() as session:
            return set(session.scalars(select(LiveSegmentRow.segment_id).filter_by(state=LiveState.UNSTORED)))

    def mark_stored(self, segment_id: str) -> bool:
        """Note that the media store has the segment; false when it was given up meanwhile."""
        query = select(LiveSegmentRow).filter_by(segment_id=segment_id, state=LiveState.UNSTORED)
        with self._writing() as session:
            row = session.scalar(query)
            if row is not None:
                row.state = LiveState.WAITING
            return row is not None

    def again(self, at_most: int) -> list[LiveLine]:
        """The first analysed segments that the broker of now was not told of."""
        return self._lines(LiveState.AGAIN, at_most)

    def fix(self, line: LiveLine, *, sampling_fps_at_most: float | None) -> LiveLine:
        """The line as it is published for good: with its rate, and linked to nothing that was skipped."""
        if line.is_fixed:
            return line
        with self._writing() as session:
            ready = unlinked_from_skipped(session, line.message)
            ready = ready.model_copy(update={"sampling_fps_at_most": sampling_fps_at_most})
            row = session.get_one(LiveSegmentRow, line.sequence)
            row.message, row.is_fixed = ready.model_dump_json(exclude_none=True), True
        return LiveLine(line.sequence, line.partition, ready, is_fixed=True)

    def mark_published(self, lines: Sequence[LiveLine]) -> None:
        """Note that the broker acknowledged these lines; a result that came meanwhile stays known."""
        sequences = [line.sequence for line in lines]
        with self._writing() as session:
            chosen = LiveSegmentRow.sequence.in_(sequences)
            session.execute(_moved(LiveState.WAITING, LiveState.PUBLISHED).where(chosen))
            session.execute(_moved(LiveState.AGAIN, LiveState.ANALYSED).where(chosen))

    def note_analysed(self, segment_ids: Iterable[str]) -> dict[str, int]:
        """Note that these have a result, whoever they belong to; how many of each camera were news."""
        wanted = list(segment_ids)
        found: dict[str, int] = {}
        unseen = (LiveState.WAITING, LiveState.PUBLISHED)
        with self._writing() as session:
            for start in range(0, len(wanted), BATCH):
                chosen = LiveSegmentRow.segment_id.in_(wanted[start : start + BATCH]), LiveSegmentRow.state.in_(unseen)
                counted = select(LiveSegmentRow.camera_id, func.count()).where(*chosen).group_by("camera_id")
                for camera, count in session.execute(counted).all():
                    found[camera] = found.get(camera, 0) + count
                session.execute(update(LiveSegmentRow).where(*chosen).values(state=LiveState.ANALYSED))
        return found

    def shift(self, by_s: float) -> None:
        """Our clock was set by so much: nothing has been here any longer for that."""
        shifted = func.strftime("%Y-%m-%d %H:%M:%f000", LiveSegmentRow.entered_at, f"{by_s:+.3f} seconds")
        with self._writing() as session:
            session.execute(update(LiveSegmentRow).values(entered_at=shifted))

    def skip_older(self, before: datetime) -> list[Skipped]:
        """Give up the segments, not yet on the bus, that were entered before an instant."""
        query = _waiting_rows().where(LiveSegmentRow.entered_at < naive(before))
        with self._writing() as session:
            return skipped(session, list(session.scalars(query)))

    def skip_oldest(self, size_bytes: int, *, only_unstored: bool = False) -> list[Skipped]:
        """Give up the oldest segments, not yet on the bus, until they are `size_bytes` together."""
        query = _waiting_rows()
        query = query.where(LiveSegmentRow.state == LiveState.UNSTORED) if only_unstored else query
        chosen: list[LiveSegmentRow] = []
        with self._writing() as session:
            for row in session.scalars(query).yield_per(BATCH):
                if size_bytes <= 0:
                    break
                size_bytes -= row.size_bytes
                chosen.append(row)
            return skipped(session, chosen)

    def skipped_uris(self) -> list[str]:
        """Where the video of everything that was given up lay; it may be gone already."""
        query = select(LiveSegmentRow.uri).where(LiveSegmentRow.state == LiveState.SKIPPED)
        with self._reading() as session:
            return list(session.scalars(query.order_by(LiveSegmentRow.sequence)))

    def forget(self, *, segments_before: datetime, gaps_before: datetime) -> None:
        """Drop lines of what was analysed or skipped before an instant, and gaps that ended before another."""
        done = (LiveState.ANALYSED, LiveState.SKIPPED)
        with self._writing() as session:
            session.execute(
                delete(LiveSegmentRow).where(
                    LiveSegmentRow.state.in_(done), LiveSegmentRow.entered_at < naive(segments_before)
                )
            )
            session.execute(delete(LiveGapRow).where(LiveGapRow.until < naive(gaps_before)))

    def gaps(self, camera_id: str, at_most: int) -> tuple[GapSeen, ...]:
        """The camera's last gaps, newest first."""
        query = select(LiveGapRow).filter_by(camera_id=camera_id).order_by(LiveGapRow.gap_id.desc()).limit(at_most)
        with self._reading() as session:
            return tuple(
                GapSeen(since=row.since.replace(tzinfo=UTC), until=row.until.replace(tzinfo=UTC), reason=row.reason)
                for row in session.scalars(query)
            )

    def states(self) -> dict[LiveState, int]:
        """How many segments are how far."""
        query = select(LiveSegmentRow.state, func.count()).group_by(LiveSegmentRow.state)
        with self._reading() as session:
            return {LiveState(state): count for state, count in session.execute(query)}

    def _lines(self, state: LiveState, at_most: int, camera_id: str | None = None) -> list[LiveLine]:
        query = select(LiveSegmentRow).where(LiveSegmentRow.state == state)
        if camera_id is not None:
            other = aliased(LiveSegmentRow)
            is_unstored = other.camera_id == camera_id, other.state == LiveState.UNSTORED
            first = select(func.min(other.sequence)).where(*is_unstored).scalar_subquery()
            is_before = LiveSegmentRow.sequence < func.coalesce(first, LiveSegmentRow.sequence + 1)
            query = query.where(LiveSegmentRow.camera_id == camera_id, is_before)
        with self._reading() as session:
            return [
                LiveLine(row.sequence, row.partition, SegmentReady.model_validate_json(row.message), row.is_fixed)
                for row in session.scalars(query.order_by(LiveSegmentRow.sequence).limit(at_most))
            ]

    def close(self) -> None:
        """Give the engine's connections back; whoever goes on opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with Session(self._engine) as session:
                yield session
        except SQLAlchemyError as error:
            path = Path(self._engine.url.database or "")
            raise LedgerError(path, str(getattr(error, "orig", None) or error)) from error

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._reading() as session, session.begin():
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")  # two threads write: neither may read, then wait
            yield session


def _moved(before: LiveState, after: LiveState) -> Update:
    return update(LiveSegmentRow).where(LiveSegmentRow.state == before).values(state=after)


def _waiting_rows() -> Select[LiveSegmentRow]:
    """Those that were never on the bus, oldest first: whoever was there may be under way."""
    is_untold = LiveSegmentRow.state.in_(WAITING), LiveSegmentRow.is_fixed.is_(False)
    return select(LiveSegmentRow).where(*is_untold).order_by(LiveSegmentRow.sequence)
