"""Vectors in the people database: each person's own, and those of further embedding spaces, made anew from crops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from consumers.indexer.people import PeopleReader, PeopleTable
from consumers.indexer.schema import EmbeddingRecord, PartitionRecord, PersonRecord
from consumers.search.vector_index import IndexedPerson, Vectors

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ToEmbed:
    """Someone who has no vector in a space yet, and what to make it from."""

    key: int
    crop_uri: str
    person_height_px: int


class Embeddings:
    """The vectors of everyone by space; safe to share between threads.

    Raises (every method): `PeopleTableError`.
    """

    def __init__(self, people: PeopleReader) -> None:
        """Those of the database of `people`."""
        self._people = people

    def spaces(self) -> list[str]:
        """Every embedding space that anybody has a vector in."""
        own, further = select(PersonRecord.embedding_space), select(EmbeddingRecord.embedding_space)
        with self._people.reading() as session:
            return sorted({*session.scalars(own.distinct()), *session.scalars(further.distinct())})

    def keys(self, embedding_space: str) -> Keys:
        """The keys of everyone who has a vector in a space, in order."""
        own = select(PersonRecord.id).where(PersonRecord.embedding_space == embedding_space)
        further = select(EmbeddingRecord.key).where(EmbeddingRecord.embedding_space == embedding_space)
        with self._people.reading() as session:
            found = [*session.scalars(own), *session.scalars(further)]
        return np.unique(np.asarray(found, dtype=np.int64))

    def indexed(self, embedding_space: str, keys: Sequence[int]) -> tuple[list[IndexedPerson], Vectors]:
        """What the index keeps of these people (n) in a space, by key, and their vectors (n, d); some may be gone."""
        own = _people(keys, PersonRecord.embedding).where(PersonRecord.embedding_space == embedding_space)
        further = _people(keys, EmbeddingRecord.embedding).join(EmbeddingRecord, EmbeddingRecord.key == PersonRecord.id)
        with self._people.reading() as session:
            rows = [
                *session.execute(own).all(),
                *session.execute(further.where(EmbeddingRecord.embedding_space == embedding_space)).all(),
            ]
        found = {row.id: row for row in reversed(rows)}  # one's own vector comes first
        ordered = [found[key] for key in sorted(found)]
        vectors = [np.frombuffer(row.embedding, dtype="<f2") for row in ordered]
        return [_indexed(row) for row in ordered], (
            np.stack(vectors).astype(np.float32) if vectors else np.empty((0, 0), dtype=np.float32)
        )

    def added_since(self, row_id: int, *, at_most: int) -> list[tuple[int, int, str]]:
        """Row, key and space of the further vectors that were written after row `row_id`, in order."""
        chosen = select(EmbeddingRecord.id, EmbeddingRecord.key, EmbeddingRecord.embedding_space)
        with self._people.reading() as session:
            rows = session.execute(
                chosen.where(EmbeddingRecord.id > row_id).order_by(EmbeddingRecord.id).limit(at_most)
            )
            return [(row, key, space) for row, key, space in rows]

    def last_row(self) -> int:
        """The row of the vector that was written last; zero: none ever."""
        with self._people.reading() as session:
            return session.scalar(select(func.max(EmbeddingRecord.id))) or 0

    def missing(self, embedding_space: str, *, after_key: int, at_most: int) -> list[ToEmbed]:
        """Whoever has no vector in a space, by key."""
        there = select(EmbeddingRecord.id).where(
            EmbeddingRecord.key == PersonRecord.id, EmbeddingRecord.embedding_space == embedding_space
        )
        chosen = (
            select(PersonRecord.id, PersonRecord.crop_uri, PersonRecord.box_xyxy)
            .where(PersonRecord.id > after_key, PersonRecord.embedding_space != embedding_space, ~there.exists())
            .order_by(PersonRecord.id)
            .limit(at_most)
        )
        with self._people.reading() as session:
            return [ToEmbed(key, uri, max(round(box[3] - box[1]), 1)) for key, uri, box in session.execute(chosen)]

    def missing_count(self, embedding_space: str) -> int:
        """How many have no vector in a space."""
        with self._people.reading() as session:
            everyone = session.scalar(select(func.count(PersonRecord.id))) or 0
        return everyone - len(self.keys(embedding_space))


def write_embeddings(table: PeopleTable, embedding_space: str, embeddings: Mapping[int, bytes]) -> None:
    """Write vectors (key -> float16 little-endian bytes) of a further space, but of whoever was erased meanwhile.

    Raises:
        PeopleTableError: The database cannot be written.
    """
    with table.writing() as session:
        there = set(session.scalars(select(PersonRecord.id).where(PersonRecord.id.in_(embeddings))))
        known = _known(session, embedding_space, embeddings)
        session.add_all(
            EmbeddingRecord(key=key, embedding_space=embedding_space, embedding=embedding)
            for key, embedding in embeddings.items()
            if key in there - known
        )


def _known(session: Session, embedding_space: str, keys: Mapping[int, bytes]) -> set[int]:
    chosen = select(EmbeddingRecord.key).where(
        EmbeddingRecord.embedding_space == embedding_space, EmbeddingRecord.key.in_(keys)
    )
    return set(session.scalars(chosen))


def _people(keys: Sequence[int], embedding: InstrumentedAttribute[bytes]) -> "Select[*tuple[Any, ...]]":
    """Columns and not records: a million people are read in a third of the time."""
    return (
        select(
            PersonRecord.id,
            PersonRecord.camera_id,
            PersonRecord.first_seen_at,
            PersonRecord.detection_score,
            PersonRecord.answers,
            PersonRecord.caption,
            PartitionRecord.partition,
            embedding.label("embedding"),
        )
        .join(PartitionRecord, PartitionRecord.camera_id == PersonRecord.camera_id, isouter=True)
        .where(PersonRecord.id.in_(keys))
    )


def _indexed(row: Any) -> IndexedPerson:
    return IndexedPerson(
        key=row.id,
        camera_id=row.camera_id,
        partition=row.partition or 0,
        first_seen_at=row.first_seen_at,
        detection_score=row.detection_score,
        answers=row.answers,
        caption=row.caption,
    )
