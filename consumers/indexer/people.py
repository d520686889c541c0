"""The person table: who was seen, where, when, and what was said of them. The truth behind the vector index.

One writer (the indexer), many readers (search, page, command line). SQLite by default, in WAL mode; every type and
statement here is also PostgreSQL's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, Select, bindparam, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from consumers.errors import PeopleTableError
from consumers.indexer.full_text import full_text_of
from consumers.indexer.rows import (
    PERSON_COLUMNS,
    PLACE_COLUMNS,
    SIGHT_COLUMNS,
    CameraSeen,
    CameraSegment,
    Counts,
    Person,
    PersonPlace,
    SegmentSeen,
    Sight,
    person_of,
    person_record,
    place_of,
    segment_of,
    sight_of,
)
from consumers.indexer.schema import (
    ErasedFootage,
    PartitionRecord,
    PersonRecord,
    QuestionRecord,
    RejectionRecord,
    SegmentRecord,
    Tombstone,
    open_engine,
)
from consumers.search.terms import searchable_text
from streamer.bus.manifest import Manifest
from streamer.bus.messages import AskedQuestion, Rejected

__all__ = [
    "CameraSeen",
    "Counts",
    "Links",
    "PeopleReader",
    "PeopleTable",
    "Person",
    "PersonPlace",
    "SegmentSeen",
    "Sight",
]

Found = TypeVar("Found")
# Made once: they are asked at every search.
BY_KEY = select(*PERSON_COLUMNS).where(PersonRecord.id.in_(bindparam("keys", expanding=True)))
SIGHTS = select(*SIGHT_COLUMNS).where(PersonRecord.id.in_(bindparam("keys", expanding=True)))
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
        self, *, since: datetime, until: datetime, cameras: Sequence[str] = (), at_most: int = 100_000
    ) -> list[SegmentSeen]:
        """The segments that began in a stretch of time, the latest result of each, in order; no cameras: of all."""
        chosen = select(SegmentRecord).where(SegmentRecord.started_at >= since, SegmentRecord.started_at < until)
        if cameras:
            chosen = chosen.where(SegmentRecord.camera_id.in_(cameras))
        chosen = chosen.order_by(SegmentRecord.started_at, SegmentRecord.id).limit(at_most)
        latest = self._read(lambda s: {row.segment_id: segment_of(row) for row in s.scalars(chosen)})
        return list(latest.values())

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

    def has_segment(self, segment_id: str, analysis_revision: str) -> bool:
        """Whether this result is in the table."""
        chosen = _of_segment(segment_id, analysis_revision)
        return self._read(lambda s: s.scalar(chosen) is not None)

    def neighbours(
        self, segment_id: str, previous_segment_id: str | None, analysis_revision: str
    ) -> tuple[SegmentSeen | None, list[SegmentSeen]]:
        """The segment before this one, and those that follow it, as far as the table has them."""

        def look(session: Session) -> tuple[SegmentSeen | None, list[SegmentSeen]]:
            before = session.scalar(_of_segment(previous_segment_id or "", analysis_revision))
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


@dataclass(frozen=True, slots=True)
class Links:
    """Who continues whom across a segment's two borders, by person id.

    `back`: one of this segment -> one of the previous. `forward`: one of a following segment -> one of this.
    """

    back: Mapping[str, str]
    forward: Mapping[str, str]


class PeopleTable(PeopleReader):
    """Whoever writes the person table: the indexer, but for wishes. Repeats are accepted and change nothing."""

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes all become durable at the end of the block, or, where it raises, none.

        SQLite's one write lock is taken at its start: what is read in it still holds when it writes.
        """
        with self._session() as session:
            if self._engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    def leave_no_trace(self) -> None:
        """Let nothing deleted stay in files beside the database; PostgreSQL's vacuum does so by itself."""
        try:
            with self._engine.begin() as connection:
                self.text.leave_no_trace(connection)
            if self._engine.dialect.name == "sqlite":
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except SQLAlchemyError as error:
            raise PeopleTableError(self.database_url, str(getattr(error, "orig", None) or error)) from error

    def erased_among(self, manifest: Manifest) -> set[str]:
        """The person ids of a segment that were erased."""
        ids = [person.person_id for person in manifest.people]
        chosen = select(Tombstone.person_id).where(Tombstone.person_id.in_(ids))
        return self._read(lambda s: set(s.scalars(chosen)))

    def is_erased_footage(self, manifest: Manifest) -> bool:
        """Whether a segment touches a stretch of time that was erased."""
        chosen = select(ErasedFootage.id).where(
            ErasedFootage.camera_id == manifest.camera_id,
            ErasedFootage.since < manifest.started_at + timedelta(seconds=manifest.duration_s),
            ErasedFootage.until > manifest.started_at,
        )
        return self._read(lambda s: s.scalar(chosen.limit(1)) is not None)

    def record(
        self, manifest: Manifest, manifest_uri: str, links: Links, embeddings: Mapping[str, bytes]
    ) -> dict[str, int]:
        """Enter one segment's people, questions and chains in one transaction.

        Args:
            manifest: The segment's result.
            manifest_uri: Where it lies.
            links: Who continues whom across its borders.
            embeddings: person_id -> float16 little-endian bytes.

        Returns:
            person_id -> integer key of everyone of this segment who is in the table (the erased are not).
        """
        with self.writing() as session:
            if session.scalar(_of_segment(manifest.segment_id, manifest.analysis_revision)) is None:
                self._enter(session, manifest, manifest_uri, embeddings)
                session.flush()
                _chain(session, links)
            chosen = select(PersonRecord.person_id, PersonRecord.id).where(
                PersonRecord.person_id.in_([p.person_id for p in manifest.people])
            )
            return dict(session.execute(chosen).all())

    def note_partition(self, camera_id: str, partition: int) -> None:
        """Remember by which partition of the topic a camera's people come."""
        with self.writing() as session:
            session.merge(PartitionRecord(camera_id=camera_id, partition=partition))

    def reject(self, rejected: Rejected, *, noticed_at: datetime) -> bool:
        """Enter one refusal; false when it is there already."""
        with self.writing() as session:
            if session.scalar(select(RejectionRecord.id).where(RejectionRecord.rejected_id == rejected.rejected_id)):
                return False
            session.add(
                RejectionRecord(
                    rejected_id=rejected.rejected_id,
                    camera_id=rejected.camera_id,
                    segment_id=rejected.segment_id,
                    reason=rejected.reason,
                    noticed_at=noticed_at,
                    rejected=rejected.model_dump(mode="json"),
                )
            )
            return True

    def fill_text(self, *, chunk: int = 2000, on_progress: Callable[[int, int], None] = lambda *_: None) -> int:
        """Make searchable by words whoever was entered before there was full text; returns how many that were.

        Called before anybody is entered: texts are written in the order of keys, so those behind the last have none.
        """
        questions, filled = self.questions(), 0
        chosen = select(PersonRecord.id, PersonRecord.caption, PersonRecord.answers).order_by(PersonRecord.id)
        while True:
            with self._session() as session:
                connection = session.connection()
                missing = chosen.where(PersonRecord.id > self.text.last_key(connection)).limit(chunk)
                rows = session.execute(missing).all()
                self.text.write(connection, {key: searchable_text(said, given, questions) for key, said, given in rows})
            if not rows:
                return filled
            filled += len(rows)
            on_progress(filled, rows[-1][0])

    def _enter(self, session: Session, manifest: Manifest, manifest_uri: str, embeddings: Mapping[str, bytes]) -> None:
        session.add(
            SegmentRecord(
                segment_id=manifest.segment_id,
                analysis_revision=manifest.analysis_revision,
                camera_id=manifest.camera_id,
                uri=manifest.segment_uri,
                manifest_uri=manifest_uri,
                started_at=manifest.started_at,
                duration_s=manifest.duration_s,
                previous_segment_id=manifest.previous_segment_id,
                person_count=len(manifest.people),
            )
        )
        known = set(session.scalars(select(QuestionRecord.question_id)))
        session.add_all(
            QuestionRecord(question_id=q.question_id, kind=q.kind, text=q.text, answers=list(q.answers))
            for q in manifest.questions
            if q.question_id not in known
        )
        ids = [person.person_id for person in manifest.people]
        there = set(session.scalars(select(PersonRecord.person_id).where(PersonRecord.person_id.in_(ids))))
        erased = set(session.scalars(select(Tombstone.person_id).where(Tombstone.person_id.in_(ids))))
        records = [
            person_record(manifest, person, embeddings[person.person_id])
            for person in manifest.people
            if person.person_id not in there | erased
        ]
        session.add_all(records)
        session.flush()
        texts = {row.id: searchable_text(row.caption, row.answers, manifest.questions) for row in records}
        self.text.write(session.connection(), texts)


def _of_segment(segment_id: str, analysis_revision: str) -> Select[SegmentRecord]:
    return select(SegmentRecord).where(
        SegmentRecord.segment_id == segment_id, SegmentRecord.analysis_revision == analysis_revision
    )


def _chain(session: Session, links: Links) -> None:
    """Let each later person take the chain of the one they continue, with all who already continue them."""
    chosen = {*links.back, *links.back.values(), *links.forward, *links.forward.values()}
    for later, earlier in [*links.back.items(), *links.forward.items()]:
        # Read afresh for each pair: the pair before may have moved one of these chains.
        rows = session.execute(
            select(PersonRecord.person_id, PersonRecord.chain_id).where(PersonRecord.person_id.in_(chosen))
        )
        chain_of = dict(rows.all())  # not dict(rows): a Result has keys() and would be taken for a mapping
        if later in chain_of and earlier in chain_of:
            session.execute(
                update(PersonRecord).where(PersonRecord.chain_id == chain_of[later]).values(chain_id=chain_of[earlier])
            )
