"""Reads the person table: who was seen, where, when, and what was said of them. The truth behind the vector index.

SQLite by default, in WAL mode; every type and statement here is also PostgreSQL's.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from consumers.errors import PeopleTableError
from consumers.indexer.full_text import full_text_of
from consumers.indexer.rows import (
    PERSON_COLUMNS,
    PLACE_COLUMNS,
    SIGHT_COLUMNS,
    CameraSeen,
    CameraSegment,
    Counts,
    LastRows,
    Person,
    PersonPlace,
    SegmentSeen,
    Sight,
    person_of,
    place_of,
    segment_of,
    sight_of,
)
from consumers.indexer.schema import PersonRecord, QuestionRecord, RejectionRecord, SegmentRecord, open_engine
from streamer.bus.messages import AskedQuestion, Rejected

Found = TypeVar("Found")
# Made once: they are asked at every search.
BY_KEY = select(*PERSON_COLUMNS).where(PersonRecord.id.in_(bindparam("keys", expanding=True)))
SIGHTS = select(*SIGHT_COLUMNS).where(PersonRecord.id.in_(bindparam("keys", expanding=True)))
SIGHTS_OF_CHAIN = select(*SIGHT_COLUMNS).where(PersonRecord.chain_id == bindparam("chain_id"))
PLACE = select(*PLACE_COLUMNS).where(PersonRecord.person_id == bindparam("person_id"))
PLACES_OF_CHAIN = (
    select(*PLACE_COLUMNS)
    .where(PersonRecord.chain_id == bindparam("chain_id"))
    .order_by(PersonRecord.id)
    .limit(bindparam("at_most"))
)


class PeopleReader:
    """Reads the person table; safe to share between threads.

    Raises (every method): `PeopleTableError` naming the database and what it said.
    """

    def __init__(self, database_url: str) -> None:
        """Open (and, where it is new, lay out) the database at an SQLAlchemy URL."""
        self.database_url = database_url
        self._engine = open_engine(database_url)
        self.text = full_text_of(self._engine)

    def newest(
        self,
        limit: int = 50,
        *,
        before_id: int | None = None,
        after_id: int | None = None,
        camera: str | None = None,
    ) -> list[Person]:
        """The people entered last, newest first; `before_id` pages back, `after_id` asks what is new since."""
        chosen = select(*PERSON_COLUMNS).order_by(PersonRecord.id.desc()).limit(limit)
        if before_id is not None:
            chosen = chosen.where(PersonRecord.id < before_id)
        if after_id is not None:
            chosen = chosen.where(PersonRecord.id > after_id)
        if camera is not None:
            chosen = chosen.where(PersonRecord.camera_id == camera)
        return self._people(chosen)

    def person(self, person_id: str) -> Person | None:
        """The person of that id."""
        return next(iter(self._people(select(*PERSON_COLUMNS).where(PersonRecord.person_id == person_id))), None)

    def chain(self, chain_id: str) -> list[Person]:
        """Everyone who is thought to be one person, in order of time."""
        chosen = select(*PERSON_COLUMNS).where(PersonRecord.chain_id == chain_id)
        return self._people(chosen.order_by(PersonRecord.first_seen_at, PersonRecord.id))

    def in_segment(self, segment_id: str) -> list[Person]:
        """Everyone in a segment as its latest analysis has them, in the order they appear."""
        found = self._people(
            select(*PERSON_COLUMNS).where(PersonRecord.segment_id == segment_id).order_by(PersonRecord.id)
        )
        return [person for person in found if person.analysis_revision == found[-1].analysis_revision]

    def seen_at(self, camera: str, at: datetime) -> list[Person]:
        """Everyone whom a camera saw at an instant, by key."""
        chosen = select(*PERSON_COLUMNS).where(
            PersonRecord.camera_id == camera, PersonRecord.first_seen_at <= at, PersonRecord.last_seen_at >= at
        )
        return self._people(chosen.order_by(PersonRecord.id))

    def segments(
        self, *, since: datetime, until: datetime, cameras: Sequence[str] = (), at_once: int = 10_000
    ) -> Iterator[SegmentSeen]:
        """The segments that began in a stretch of time, the latest result of each, in order; no cameras: of all.

        However many there are, only `at_once` of them are in memory, and between reading them nothing is held open.
        """
        later = aliased(SegmentRecord)
        is_redone = select(later.id).where(later.segment_id == SegmentRecord.segment_id, later.id > SegmentRecord.id)
        place = tuple_(SegmentRecord.started_at, SegmentRecord.id)
        stretch = select(SegmentRecord).where(*_began(since, until, cameras), ~is_redone.exists())
        stretch = stretch.order_by(SegmentRecord.started_at, SegmentRecord.id).limit(at_once)
        found = self._numbered(stretch)
        while found:
            yield from (segment for _, segment in found)
            last_id, last = found[-1]
            found = self._numbered(stretch.where(place > (last.started_at, last_id)))

    def segment_count(self, *, since: datetime, until: datetime, cameras: Sequence[str] = ()) -> int:
        """How many segments began in a stretch of time; no cameras: of all."""
        chosen = select(func.count(func.distinct(SegmentRecord.segment_id))).where(*_began(since, until, cameras))
        return self._read(lambda s: s.scalar(chosen) or 0)

    def by_key(self, keys: Sequence[int]) -> dict[int, Person]:
        """The people with these integer keys; keys of nobody are left out."""
        return {person.id: person for person in self._people(BY_KEY, {"keys": list(keys)})}

    def place(self, person_id: str) -> PersonPlace | None:
        """Where somebody lies in their embedding space, and when they were seen; None: nobody of that id."""
        rows = self._rows(PLACE, {"person_id": person_id})
        return place_of(rows[0]) if rows else None

    def places_of_chain(self, chain_id: str, at_most: int) -> list[PersonPlace]:
        """The places of everyone who is thought to be one person, by key."""
        return [place_of(row) for row in self._rows(PLACES_OF_CHAIN, {"chain_id": chain_id, "at_most": at_most})]

    def sights_of_chain(self, chain_id: str) -> list[Sight]:
        """When and by which camera everyone was seen who is thought to be one person."""
        return [sight_of(row) for row in self._rows(SIGHTS_OF_CHAIN, {"chain_id": chain_id})]

    def sights(self, keys: Sequence[int]) -> dict[int, Sight]:
        """When and by which camera the people with these keys were seen."""
        return {row[0]: sight_of(row) for row in self._rows(SIGHTS, {"keys": list(keys)})}

    def segment(self, segment_id: str) -> SegmentSeen | None:
        """The latest result of that segment."""
        chosen = select(SegmentRecord).where(SegmentRecord.segment_id == segment_id)
        chosen = chosen.order_by(SegmentRecord.id.desc()).limit(1)
        return self._read(lambda s: segment_of(row) if (row := s.scalar(chosen)) else None)

    def last_key(self) -> int:
        """The greatest key; 0: nobody is in the table. On a large table counting takes long, and this does not."""
        return self._read(lambda s: s.scalar(select(func.max(PersonRecord.id))) or 0)

    def last_rows(self) -> LastRows:
        """The segment and the refusal that were entered last."""

        def last(session: Session) -> LastRows:
            return LastRows(
                segment=session.scalar(select(func.max(SegmentRecord.id))) or 0,
                rejection=session.scalar(select(func.max(RejectionRecord.id))) or 0,
            )

        return self._read(last)

    def counts(self) -> Counts:
        """How much the table holds."""

        def count(session: Session) -> Counts:
            return Counts(
                people=session.scalar(select(func.count(PersonRecord.id))) or 0,
                segments=session.scalar(select(func.count(SegmentRecord.id))) or 0,
                rejections=session.scalar(select(func.count(RejectionRecord.id))) or 0,
                chains=session.scalar(select(func.count(func.distinct(PersonRecord.chain_id)))) or 0,
            )

        return self._read(count)

    def cameras(self) -> list[CameraSeen]:
        """Every camera with how much it has sent, by name."""
        chosen = (
            select(
                SegmentRecord.camera_id,
                func.count(SegmentRecord.id),
                func.sum(SegmentRecord.person_count),
                func.max(SegmentRecord.started_at),
            )
            .group_by(SegmentRecord.camera_id)
            .order_by(SegmentRecord.camera_id)
        )
        return self._read(
            lambda s: [CameraSeen(name, n, int(people or 0), last) for name, n, people, last in s.execute(chosen)]
        )

    def camera_segments(self) -> dict[str, CameraSegment]:
        """The segment of each camera that was entered last."""
        newest = select(func.max(SegmentRecord.id)).group_by(SegmentRecord.camera_id)
        chosen = select(SegmentRecord.camera_id, SegmentRecord.uri, SegmentRecord.started_at).where(
            SegmentRecord.id.in_(newest)
        )
        return self._read(lambda s: {name: CameraSegment(uri, at) for name, uri, at in s.execute(chosen)})

    def people_since(self, instant: datetime) -> dict[str, int]:
        """How many people each camera has seen since an instant; one seen in several segments counts once."""
        chosen = (
            select(PersonRecord.camera_id, func.count(func.distinct(PersonRecord.chain_id)))
            .where(PersonRecord.first_seen_at >= instant)
            .group_by(PersonRecord.camera_id)
        )
        return self._read(lambda s: {row[0]: row[1] for row in s.execute(chosen)})

    def questions(self) -> list[AskedQuestion]:
        """Every question that was ever answered, in the order in which they were first seen."""

        def ask(session: Session) -> list[AskedQuestion]:
            return [
                AskedQuestion.model_validate(
                    {"question_id": q.question_id, "kind": q.kind, "text": q.text, "answers": tuple(q.answers)}
                )
                for q in session.scalars(select(QuestionRecord).order_by(QuestionRecord.id))
            ]

        return self._read(ask)

    def rejections(self, limit: int = 50) -> list[Rejected]:
        """What nobody could read, newest first."""
        chosen = select(RejectionRecord).order_by(RejectionRecord.id.desc()).limit(limit)
        return self._read(lambda s: [Rejected.model_validate(row.rejected) for row in s.scalars(chosen)])

    def segments_since(self, row_id: int) -> list[tuple[int, str]]:
        """Row and segment id of every segment entered after row `row_id`, in order."""
        chosen = select(SegmentRecord.id, SegmentRecord.segment_id).where(SegmentRecord.id > row_id)
        return self._read(lambda s: [(row, name) for row, name in s.execute(chosen.order_by(SegmentRecord.id))])

    def rejections_since(self, row_id: int) -> list[tuple[int, Rejected]]:
        """Row and content of every rejection entered after row `row_id`, in order."""
        chosen = select(RejectionRecord).where(RejectionRecord.id > row_id).order_by(RejectionRecord.id)
        return self._read(lambda s: [(row.id, Rejected.model_validate(row.rejected)) for row in s.scalars(chosen)])

    def result(self, segment_id: str, analysis_revision: str) -> SegmentSeen | None:
        """One result of that segment."""
        chosen = of_segment(segment_id, analysis_revision)
        return self._read(lambda s: segment_of(row) if (row := s.scalar(chosen)) else None)

    def manifests(self, segment_id: str) -> list[str]:
        """URIs of the manifests of all results of that segment."""
        chosen = select(SegmentRecord.manifest_uri).where(SegmentRecord.segment_id == segment_id)
        return self._read(lambda s: list(s.scalars(chosen)))

    def neighbours(
        self, segment_id: str, previous_segment_id: str | None, analysis_revision: str
    ) -> tuple[SegmentSeen | None, list[SegmentSeen]]:
        """The segment before this one, and those that follow it, as far as the table has them."""

        def look(session: Session) -> tuple[SegmentSeen | None, list[SegmentSeen]]:
            before = session.scalar(of_segment(previous_segment_id or "", analysis_revision))
            after = session.scalars(
                select(SegmentRecord).where(
                    SegmentRecord.previous_segment_id == segment_id,
                    SegmentRecord.analysis_revision == analysis_revision,
                )
            )
            return (segment_of(before) if before else None), [segment_of(row) for row in after]

        return self._read(look)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads."""
        with self._session() as session:
            yield session

    def _people(self, chosen: Select[Any], asked: dict[str, object] | None = None) -> list[Person]:
        return [person_of(row) for row in self._rows(chosen, asked or {})]

    def _numbered(self, chosen: Select[SegmentRecord]) -> list[tuple[int, SegmentSeen]]:
        return self._read(lambda s: [(row.id, segment_of(row)) for row in s.scalars(chosen)])

    def _rows(self, chosen: Select[Any], asked: dict[str, object]) -> Sequence[Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(chosen, asked).all()
        except SQLAlchemyError as error:
            raise PeopleTableError(self.database_url, str(getattr(error, "orig", None) or error)) from error

    def _read(self, look: Callable[[Session], Found]) -> Found:
        with self._session() as session:
            return look(session)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise PeopleTableError(self.database_url, str(getattr(error, "orig", None) or error)) from error


def _began(since: datetime, until: datetime, cameras: Sequence[str]) -> list[ColumnElement[bool]]:
    """Which segments began in a stretch of time."""
    began = [SegmentRecord.started_at >= since, SegmentRecord.started_at < until]
    return [*began, SegmentRecord.camera_id.in_(cameras)] if cameras else began


def of_segment(segment_id: str, analysis_revision: str) -> Select[SegmentRecord]:
    """The statement that finds one result of one segment."""
    return select(SegmentRecord).where(
        SegmentRecord.segment_id == segment_id, SegmentRecord.analysis_revision == analysis_revision
    )
