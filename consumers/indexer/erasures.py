"""Who is to be erased: wishes that outlive every crash, and the rows and tombstones that answer them.

A wish is one row, written by whoever asks. The indexer takes it up, at its start too: in one transaction it sets the
tombstones, deletes the rows and writes down what is left to do; then the index, media and evidence follow, each step
harmless when it is repeated; then the wish is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from consumers.indexer.dead_letters import refused_segment
from consumers.indexer.erased_paths import path_of_box
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import (
    EmbeddingRecord,
    ErasedFootage,
    ErasureRecord,
    PersonRecord,
    RejectionRecord,
    SegmentRecord,
)
from consumers.indexer.tombstones import keep_paths, set_tombstones
from streamer.bus.messages import Rejected, SegmentReady


class Wish(BaseModel):
    """What is to be erased: people by their ids, or everything a camera saw in a stretch of time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person_ids: tuple[str, ...] = ()
    camera_id: str | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    is_by_place: bool = False  # the ids are of tracks found where somebody was who is erased already

    @property
    def is_footage(self) -> bool:
        """Whether whole segments are to go, not people in them."""
        return self.camera_id is not None


class Work(BaseModel):
    """What is left to do after the rows are gone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    keys: tuple[int, ...] = ()
    person_ids: tuple[str, ...] = ()
    crops: tuple[str, ...] = ()  # one of each of them
    segments: dict[str, tuple[str, ...]] = {}  # URI of a video -> URIs of all its manifests


class Report(BaseModel):
    """What was erased, and what was not."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    people: int = 0
    vectors: int = 0
    crops: int = 0
    manifests: int = 0
    clips: tuple[str, ...] = ()
    shared_clips: tuple[str, ...] = ()  # remain, as they show others too
    evidence: int = 0
    elsewhere: int = 0  # tracks of other analyses in the same place: the next erasure's
    held: tuple[str, ...] = ()  # alerts whose evidence remains, as it is under legal hold
    waits_for: str = ""  # what could not be reached yet; it is tried again


@dataclass(frozen=True, slots=True)
class Erasure:
    """A wish as it stands."""

    id: int
    wish: Wish
    work: Work | None
    done_at: datetime | None
    report: Report | None


class Erasures:
    """The wishes in the people database; safe to share between threads.

    Raises (every method): `PeopleTableError`.
    """

    def __init__(self, table: PeopleTable) -> None:
        """Those of the database of `table`."""
        self._table = table

    def request(self, wish: Wish, *, at: datetime) -> int:
        """Write a wish down, durably; returns its number."""
        with self._table.writing() as session:
            row = ErasureRecord(requested_at=at, wish=wish.model_dump(mode="json"))
            session.add(row)
            session.flush()
            return row.id

    def get(self, number: int) -> Erasure | None:
        """A wish by its number."""
        return next(iter(self._found(select(ErasureRecord).where(ErasureRecord.id == number))), None)

    def pending(self) -> list[Erasure]:
        """Wishes that are not done, in order."""
        return self._found(select(ErasureRecord).where(ErasureRecord.done_at.is_(None)).order_by(ErasureRecord.id))

    def begin(self, erasure: Erasure, *, at: datetime) -> Work:
        """Set tombstones and delete rows, in one transaction; returns what is left to do."""
        if erasure.work is not None:
            return erasure.work
        with self._table.writing() as session:
            segments = _segments(session, erasure.wish)
            people = _people(session, erasure.wish, segments)
            work = Work(
                keys=tuple(row.id for row in people),
                # The wish's own too: whoever is not in the table yet may still come.
                person_ids=tuple(dict.fromkeys([*erasure.wish.person_ids, *(row.person_id for row in people)])),
                crops=tuple(row.crop_uri for row in people),
                segments=dict.fromkeys(_unreadable_clips(session, erasure.wish), ()) | _manifests(session, segments),
            )
            set_tombstones(session, work.person_ids, at)
            _keep_place(session, erasure.wish, people, at)
            delete_people(session, work.keys)
            session.execute(
                update(ErasureRecord).where(ErasureRecord.id == erasure.id).values(work=work.model_dump(mode="json"))
            )
        return work

    def finish(self, erasure: Erasure, report: Report, *, at: datetime | None) -> None:
        """Say what was erased; `at` none: it is not done yet."""
        with self._table.writing() as session:
            values: dict[str, Any] = {"report": report.model_dump(mode="json"), "done_at": at}
            session.execute(update(ErasureRecord).where(ErasureRecord.id == erasure.id).values(**values))

    def _found(self, chosen: Select[ErasureRecord]) -> list[Erasure]:
        with self._table.reading() as session:
            return [_erasure(row) for row in session.scalars(chosen)]


def delete_people(session: Session, keys: Sequence[int]) -> None:
    """Delete everything that the people database holds of people, in the caller's transaction.

    Whatever else comes to hold something by a person's key deletes it here.
    """
    for start in range(0, len(keys), 500):  # as many as a statement may name
        some = keys[start : start + 500]
        session.execute(delete(EmbeddingRecord).where(EmbeddingRecord.key.in_(some)))
        session.execute(delete(PersonRecord).where(PersonRecord.id.in_(some)))


def _segments(session: Session, wish: Wish) -> list[SegmentRecord]:
    """The results that a wish touches."""
    if wish.is_footage:
        chosen = select(SegmentRecord).where(SegmentRecord.camera_id == wish.camera_id)
        rows = session.scalars(chosen.where(SegmentRecord.started_at < wish.until))
        return [row for row in rows if _is_within(row, wish)]
    chosen = (
        select(SegmentRecord)
        .join(
            PersonRecord,
            (PersonRecord.segment_id == SegmentRecord.segment_id)
            & (PersonRecord.analysis_revision == SegmentRecord.analysis_revision),
        )
        .where(PersonRecord.person_id.in_(wish.person_ids))
    )
    return list(session.scalars(chosen.distinct().order_by(SegmentRecord.id)))


def _unreadable_clips(session: Session, wish: Wish) -> list[str]:
    """The clips of the footage that nobody could read: no result names them."""
    if not wish.is_footage:
        return []
    refusals = session.scalars(select(RejectionRecord.rejected).where(RejectionRecord.camera_id == wish.camera_id))
    refused = (refused_segment(Rejected.model_validate(one)) for one in refusals)
    return [segment.uri for segment in refused if segment is not None and _is_within(segment, wish)]


def _is_within(segment: SegmentRecord | SegmentReady, wish: Wish) -> bool:
    starts = segment.started_at.timestamp()
    return starts < _stamp(wish.until) and starts + segment.duration_s > _stamp(wish.since)


def _people(session: Session, wish: Wish, segments: Sequence[SegmentRecord]) -> list[PersonRecord]:
    if not wish.is_footage:
        return list(session.scalars(select(PersonRecord).where(PersonRecord.person_id.in_(wish.person_ids))))
    found: list[PersonRecord] = []
    for segment in segments:
        chosen = select(PersonRecord).where(
            PersonRecord.segment_id == segment.segment_id,
            PersonRecord.analysis_revision == segment.analysis_revision,
        )
        found.extend(session.scalars(chosen))
        segment.person_count = 0
    return found


def _manifests(session: Session, segments: Sequence[SegmentRecord]) -> dict[str, tuple[str, ...]]:
    """All manifests of each segment's video, those of other analyses too."""
    found: dict[str, list[str]] = {}
    for segment_id in dict.fromkeys(segment.segment_id for segment in segments):
        for row in session.scalars(select(SegmentRecord).where(SegmentRecord.segment_id == segment_id)):
            found.setdefault(row.uri, []).append(row.manifest_uri)
    return {uri: tuple(manifests) for uri, manifests in found.items()}


def _keep_place(session: Session, wish: Wish, people: Sequence[PersonRecord], at: datetime) -> None:
    """What keeps out whoever another model finds there; of people their one box, until a manifest says more."""
    if not wish.is_footage and not wish.is_by_place:
        paths = {
            row.person_id: path_of_box(
                row.camera_id,
                (row.segment_id, row.analysis_revision),
                row.segment_started_at + timedelta(seconds=row.best_at_s),
                row.box_xyxy,
                row.frame_size_wh,
            )
            for row in people
        }
        keep_paths(session, paths, are_whole=False)
    if wish.is_footage:
        footage = ErasedFootage(camera_id=wish.camera_id, since=wish.since, until=wish.until, erased_at=at)
        session.add(footage)


def _stamp(instant: datetime | None) -> float:
    return instant.timestamp() if instant is not None else 0.0


def _erasure(row: ErasureRecord) -> Erasure:
    return Erasure(
        id=row.id,
        wish=Wish.model_validate(row.wish),
        work=None if row.work is None else Work.model_validate(row.work),
        done_at=row.done_at,
        report=None if row.report is None else Report.model_validate(row.report),
    )
