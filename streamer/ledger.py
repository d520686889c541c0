"""What the streamer has cut and published: the truth that outlives any broker.

A segment is entered once its video lies in the media store, and marked as published once a broker acknowledged it,
with that broker's incarnation beside it. Every method is one short transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine, func, select, union_all, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from operations.databases import bring_up
from streamer.bus.cameras import open_database
from streamer.bus.messages import Rejected, SegmentReady, TimeOrigin
from streamer.errors import LedgerError
from streamer.sources.found import shown_path
from streamer.tables import LEDGER, FileRow, HashRow, RejectRow, SegmentRow

Told = TypeVar("Told", SegmentReady, Rejected)
Line = TypeVar("Line", SegmentRow, RejectRow)

FILE_NAME = "ledger.sqlite3"
BATCH = 500


class FileState(StrEnum):
    """How far a file is."""

    WAITING = "waiting"
    CUTTING = "cutting"
    DONE = "done"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class FileProgress:
    """One file as the ledger knows it."""

    file_id: int
    camera_id: str
    name: str
    state: FileState
    duration_s: float | None
    cut_s: float
    next_index: int
    started_at: datetime | None
    time_origin: TimeOrigin | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class CutEntry:
    """One segment's line: enough to count what was analysed."""

    sequence: int
    segment_id: str
    file_id: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Unpublished(Generic[Told]):
    """A message to be published, and the line of the ledger it comes from."""

    sequence: int
    partition: int
    message: Told


class Ledger:
    """The ledger in the database behind an engine; several processes may read while one writes.

    Raises (every method): `LedgerError` naming the file and what SQLite said.
    """

    def __init__(self, engine: Engine) -> None:
        """Use `engine`; the tables are made when missing, and brought up to the version of this program."""
        self.engine = engine
        bring_up(engine, LEDGER)

    @classmethod
    def open(cls, state_folder: Path) -> "Ledger":
        """The ledger of `state_folder`.

        Raises:
            LedgerError: the folder cannot be written, or the file is no database.
        """
        path = state_folder / FILE_NAME
        try:
            return cls(open_database(path))
        except (OSError, SQLAlchemyError) as error:
            raise LedgerError(path, str(getattr(error, "orig", None) or error)) from error

    def enter_file(self, camera_id: str, content_key: str, name: str) -> FileProgress:
        """The line of this content; a new one, named `name`, when it was never seen."""
        with self._writing() as session:
            row = session.scalar(select(FileRow).filter_by(camera_id=camera_id, content_key=content_key))
            if row is None:
                row = FileRow(camera_id=camera_id, content_key=content_key, name=name, cut_s=0.0, next_index=0)
                row.state = FileState.WAITING
                session.add(row)
                session.flush()
            return _progress(row)

    def begin(self, file_id: int, *, duration_s: float, started_at: datetime, time_origin: TimeOrigin) -> FileProgress:
        """Note that cutting has begun; when the file began is decided the first time and kept."""
        with self._writing() as session:
            row = session.get_one(FileRow, file_id)
            row.state, row.duration_s = FileState.CUTTING, duration_s
            if row.started_at is None:
                row.started_at, row.time_origin = _naive(started_at), time_origin
            return _progress(row)

    def enter_segment(self, file_id: int, index: int, segment: SegmentReady, *, partition: int, cut_s: float) -> None:
        """Enter the segment of piece `index`: the file is cut up to `cut_s`. Repeats change nothing."""
        with self._writing() as session:
            row = session.get_one(FileRow, file_id)
            row.cut_s, row.next_index = max(row.cut_s, cut_s), max(row.next_index, index + 1)
            if session.scalar(select(SegmentRow.sequence).filter_by(segment_id=segment.segment_id)) is None:
                session.add(
                    SegmentRow(
                        segment_id=segment.segment_id,
                        file_id=file_id,
                        camera_id=segment.camera_id,
                        partition=partition,
                        duration_s=segment.duration_s,
                        message=segment.model_dump_json(),
                    )
                )

    def finish(self, file_id: int, *, reason: str | None = None) -> None:
        """Note that the file is cut to its end; `reason` says why that came early."""
        with self._writing() as session:
            row = session.get_one(FileRow, file_id)
            row.state, row.reason = FileState.DONE, reason

    def reject(self, file_id: int, rejected: Rejected, *, partition: int) -> None:
        """Note that the file is refused; repeats change nothing."""
        with self._writing() as session:
            row = session.get_one(FileRow, file_id)
            row.state, row.reason = FileState.REJECTED, rejected.reason
            if session.scalar(select(RejectRow.sequence).filter_by(rejected_id=rejected.rejected_id)) is None:
                session.add(
                    RejectRow(rejected_id=rejected.rejected_id, partition=partition, message=rejected.model_dump_json())
                )

    def known_hash(self, path: Path, size_bytes: int, mtime_ns: int) -> str | None:
        """The content hash noted for `path`, if size and time are as they were then."""
        with self._reading() as session:
            row = session.get(HashRow, shown_path(path))
            is_same = row is not None and (row.size_bytes, row.mtime_ns) == (size_bytes, mtime_ns)
            return row.content_sha256 if row is not None and is_same else None

    def note_hash(self, path: Path, size_bytes: int, mtime_ns: int, content_sha256: str) -> None:
        """Note a content hash, so that a restart need not read every file again."""
        row = HashRow(path=shown_path(path), size_bytes=size_bytes, mtime_ns=mtime_ns, content_sha256=content_sha256)
        with self._writing() as session:
            session.merge(row)

    def files(self) -> list[FileProgress]:
        """Every file, in the order it was first seen."""
        with self._reading() as session:
            return [_progress(row) for row in session.scalars(select(FileRow).order_by(FileRow.file_id))]

    def entries(self, *, after: int = 0) -> list[CutEntry]:
        """The segments entered after line `after`, in order."""
        columns = (SegmentRow.sequence, SegmentRow.segment_id, SegmentRow.file_id, SegmentRow.duration_s)
        with self._reading() as session:
            found = session.execute(select(*columns).where(SegmentRow.sequence > after).order_by(SegmentRow.sequence))
            return [CutEntry(*row) for row in found]

    def cameras(self) -> list[str]:
        """The cameras that have segments."""
        with self._reading() as session:
            return list(session.scalars(select(SegmentRow.camera_id).distinct().order_by(SegmentRow.camera_id)))

    def unpublished_segments(self, incarnation: str, *, at_most: int = BATCH) -> list[Unpublished[SegmentReady]]:
        """The first segments that no broker of this incarnation has acknowledged."""
        return [
            Unpublished(row.sequence, row.partition, SegmentReady.model_validate_json(row.message))
            for row in self._unpublished(SegmentRow, incarnation, at_most)
        ]

    def unpublished_rejects(self, incarnation: str, *, at_most: int = BATCH) -> list[Unpublished[Rejected]]:
        """The first refusals that no broker of this incarnation has acknowledged."""
        return [
            Unpublished(row.sequence, row.partition, Rejected.model_validate_json(row.message))
            for row in self._unpublished(RejectRow, incarnation, at_most)
        ]

    def mark_published(self, lines: Sequence[Unpublished[Any]], incarnation: str) -> None:
        """Note that a broker of this incarnation acknowledged these lines, all of one kind."""
        if not lines:
            return
        table = SegmentRow if isinstance(lines[0].message, SegmentReady) else RejectRow
        sequences = [line.sequence for line in lines]
        with self._writing() as session:
            session.execute(update(table).where(table.sequence.in_(sequences)).values(incarnation=incarnation))

    def forget_published(self, segment_ids: Iterable[str]) -> None:
        """Note that these segments are to be published again."""
        wanted = list(segment_ids)
        with self._writing() as session:
            for start in range(0, len(wanted), BATCH):
                chosen = wanted[start : start + BATCH]
                session.execute(update(SegmentRow).where(SegmentRow.segment_id.in_(chosen)).values(incarnation=None))

    def segment_ids(self, camera_id: str) -> list[str]:
        """The ids of a camera's segments, in the order they were cut."""
        with self._reading() as session:
            query = select(SegmentRow.segment_id).filter_by(camera_id=camera_id).order_by(SegmentRow.sequence)
            return list(session.scalars(query))

    def counts(self) -> tuple[int, int]:
        """How many segments and refusals there are."""
        with self._reading() as session:
            segments = session.scalar(select(func.count()).select_from(SegmentRow)) or 0
            return segments, session.scalar(select(func.count()).select_from(RejectRow)) or 0

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with Session(self.engine) as session:
                yield session
        except SQLAlchemyError as error:
            raise LedgerError(
                Path(self.engine.url.database or ""), str(getattr(error, "orig", None) or error)
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._reading() as session, session.begin():
            yield session

    def _unpublished(self, table: type[Line], incarnation: str, at_most: int) -> Sequence[Line]:
        # Asked so, SQLite finds each of the three by index; for `!=`, or for all three in one, it reads every line.
        is_another = (table.incarnation.is_(None), table.incarnation < incarnation, table.incarnation > incarnation)
        unknown_there = union_all(*(select(table.sequence).where(one) for one in is_another))
        query = select(table).where(table.sequence.in_(unknown_there)).order_by(table.sequence).limit(at_most)
        with self._reading() as session:
            return session.scalars(query).all()


def _progress(row: FileRow) -> FileProgress:
    return FileProgress(
        file_id=row.file_id,
        camera_id=row.camera_id,
        name=row.name,
        state=FileState(row.state),
        duration_s=row.duration_s,
        cut_s=row.cut_s,
        next_index=row.next_index,
        started_at=row.started_at.replace(tzinfo=UTC) if row.started_at else None,
        time_origin=TimeOrigin(row.time_origin) if row.time_origin else None,
        reason=row.reason,
    )


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)  # SQLite keeps no zone; everything in the ledger is UTC
