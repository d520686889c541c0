"""The tables of the `people` database and how it is opened. No statement here is SQLite's alone, but the pragmas."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from consumers.errors import PeopleTableError
from consumers.indexer.full_text import full_text_of
from consumers.opening import opened
from operations.databases import Schema


class UtcDateTime(TypeDecorator[datetime]):
    """An instant; SQLite drops time zones, so they are put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        """Turn into UTC before it is stored."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        """Say that what was stored is UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """A table of the `people` database."""


class PersonRecord(Table):
    """One track of one segment, described by one analysis. `id` is also the key in the vector index."""

    __tablename__ = "people"
    __table_args__ = ({"sqlite_autoincrement": True},)  # a key is never given twice, even after an erasure

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    person_id: Mapped[str] = mapped_column(String(64), unique=True)
    track_id: Mapped[str] = mapped_column(String(64), index=True)
    chain_id: Mapped[str] = mapped_column(String(64), index=True)
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    segment_id: Mapped[str] = mapped_column(String(64), index=True)
    segment_uri: Mapped[str] = mapped_column(Text)
    segment_started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    time_origin: Mapped[str] = mapped_column(String(16))
    analysis_revision: Mapped[str] = mapped_column(String(64))
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    best_at_s: Mapped[float] = mapped_column(Float)
    crop_uri: Mapped[str] = mapped_column(Text)
    box_xyxy: Mapped[list[float]] = mapped_column(JSON)
    crop_size_wh: Mapped[list[int]] = mapped_column(JSON)
    frame_size_wh: Mapped[list[int]] = mapped_column(JSON)
    caption: Mapped[str] = mapped_column(Text)
    answers: Mapped[dict[str, dict[str, float]]] = mapped_column(JSON)
    reasons: Mapped[dict[str, str]] = mapped_column(JSON)
    revisions: Mapped[dict[str, str]] = mapped_column(JSON)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    embedding_space: Mapped[str] = mapped_column(String(200), index=True)
    detection_score: Mapped[float] = mapped_column(Float)


class SegmentRecord(Table):
    """One result that has been indexed."""

    __tablename__ = "segments"
    __table_args__ = (Index("one_result", "segment_id", "analysis_revision", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    segment_id: Mapped[str] = mapped_column(String(64))
    analysis_revision: Mapped[str] = mapped_column(String(64))
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    uri: Mapped[str] = mapped_column(Text)
    manifest_uri: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    duration_s: Mapped[float] = mapped_column(Float)
    previous_segment_id: Mapped[str | None] = mapped_column(String(64), index=True)
    person_count: Mapped[int] = mapped_column(Integer)


class EmbeddingRecord(Table):
    """A person's vector in a further embedding space than the one that their row was entered with."""

    __tablename__ = "embeddings"
    __table_args__ = (UniqueConstraint("key", "embedding_space"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)  # what is new is above what is known
    key: Mapped[int] = mapped_column(Integer)  # `people.id`
    embedding_space: Mapped[str] = mapped_column(String(200), index=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)  # float16, little endian, unit length


class PartitionRecord(Table):
    """By which partition of the topic a camera's people come: which shards of the index they belong to."""

    __tablename__ = "camera_partitions"

    camera_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    partition: Mapped[int] = mapped_column(Integer)


class QuestionRecord(Table):
    """One question that was ever answered."""

    __tablename__ = "questions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    question_id: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    answers: Mapped[list[str]] = mapped_column(JSON)


class RejectionRecord(Table):
    """Something nobody could read."""

    __tablename__ = "rejections"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    rejected_id: Mapped[str] = mapped_column(String(64), unique=True)
    camera_id: Mapped[str | None] = mapped_column(String(200))
    segment_id: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    noticed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rejected: Mapped[dict[str, Any]] = mapped_column(JSON)
    handled: Mapped[str | None] = mapped_column(String(16))  # replaying, replayed, dropped; null: nobody has
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_by: Mapped[str | None] = mapped_column(String(100))


class Tombstone(Table):
    """Someone who was erased and may not come back by a replay."""

    __tablename__ = "tombstones"

    person_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErasedFootage(Table):
    """A camera's stretch of time that was erased: whoever is seen in it may not come in later either."""

    __tablename__ = "erased_footage"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErasedPath(Table):
    """Where somebody who was erased was in the picture: whichever model finds them anew may not enter them."""

    __tablename__ = "erased_paths"

    person_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    segment_id: Mapped[str] = mapped_column(String(64))  # of the result that had them
    analysis_revision: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    path: Mapped[list[list[float]]] = mapped_column(JSON)  # of each: seconds since 1970, the box in shares of the frame
    is_whole: Mapped[bool] = mapped_column(Boolean)  # false: one box alone, as no manifest was there to be read


class MediaGone(Table):
    """A result whose clip and crops went when their days were over."""

    __tablename__ = "media_gone"

    segment_row: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # `segments.id`


class ErasureRecord(Table):
    """Somebody's wish that people be erased, and how far it has come: requested, rows gone, done."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    wish: Mapped[dict[str, Any]] = mapped_column(JSON)  # `consumers.indexer.erasures.Wish`
    work: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what is left to do after the rows are gone
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)


PEOPLE = Schema("people", "0003", Path(__file__).parent / "migrations", Table.metadata)


def open_engine(database_url: str) -> Engine:
    """An engine on the database at `database_url`, its tables laid out.

    Raises:
        PeopleTableError: the URL is none, or the database does not open.
        SchemaVersionError: a newer program has brought it further.
    """
    try:
        return opened(database_url, PEOPLE, lambda engine: full_text_of(engine).lay_out)
    except (ArgumentError, SQLAlchemyError, OSError, ImportError) as error:
        raise PeopleTableError(database_url, str(getattr(error, "orig", None) or error)) from error
