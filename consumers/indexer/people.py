"""Writes the person table; `people_reader` reads it.

One writer (the indexer), many readers (search, page, command line).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from consumers.errors import PeopleTableError
from consumers.indexer.people_reader import PeopleReader, of_segment
from consumers.indexer.rows import CameraSeen, Counts, Person, PersonPlace, SegmentSeen, Sight, person_record
from consumers.indexer.schema import (
    PartitionRecord,
    PersonRecord,
    QuestionRecord,
    RejectionRecord,
    SegmentRecord,
    Tombstone,
)
from consumers.search.terms import searchable_text
from streamer.bus.manifest import Manifest
from streamer.bus.messages import Rejected

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
        """Let nothing deleted stay in files beside the database; PostgreSQL's vacuum does so by itself.

        Raises:
            PeopleTableError: The database cannot be written, or somebody reads on in what it was before.
        """
        try:
            with self._engine.begin() as connection:
                self.text.leave_no_trace(connection)
            if self._engine.dialect.name == "sqlite":
                with self._engine.connect() as connection:
                    # It raises nothing where it had to leave the log as it is: its first number says so.
                    is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
                if is_busy:
                    raise PeopleTableError(self.database_url, "its log is being read and keeps what was deleted")
        except SQLAlchemyError as error:
            raise PeopleTableError(self.database_url, str(getattr(error, "orig", None) or error)) from error

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
            if session.scalar(of_segment(manifest.segment_id, manifest.analysis_revision)) is None:
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
        """Enter one refusal; false when it is there already, and was not replayed since."""
        with self.writing() as session:
            chosen = select(RejectionRecord).where(RejectionRecord.rejected_id == rejected.rejected_id)
            if (known := session.scalar(chosen)) is not None:
                return _refused_again(known, rejected, noticed_at)
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


def _refused_again(known: RejectionRecord, rejected: Rejected, noticed_at: datetime) -> bool:
    """Let a refusal stand open again whose replay was refused too; a repeat of the first one changes nothing."""
    before = Rejected.model_validate(known.rejected)
    is_same = (before.partition, before.offset, before.incarnation) == (
        rejected.partition,
        rejected.offset,
        rejected.incarnation,
    )
    if known.handled is None or is_same:
        return False
    known.handled = known.handled_at = known.handled_by = None
    known.reason, known.noticed_at, known.rejected = rejected.reason, noticed_at, rejected.model_dump(mode="json")
    return True
