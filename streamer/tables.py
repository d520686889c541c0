"""The ledger's tables: files, their segments, and what was refused."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import BigInteger, DateTime, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from operations.databases import Schema


class LedgerTables(DeclarativeBase):
    """The tables of this file."""


class FileRow(LedgerTables):
    """One content seen by one camera, whatever its files are called."""

    __tablename__ = "files"
    __table_args__ = (UniqueConstraint("camera_id", "content_key"),)

    file_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[str] = mapped_column(String)
    content_key: Mapped[str] = mapped_column(String)  # the content's hash, and the pace where it is not the usual one
    name: Mapped[str] = mapped_column(String)  # the path it was first seen at
    state: Mapped[str] = mapped_column(String, default="waiting")
    duration_s: Mapped[float | None] = mapped_column(Float)
    cut_s: Mapped[float] = mapped_column(Float, default=0.0)
    next_index: Mapped[int] = mapped_column(Integer, default=0)
    started_at: Mapped[datetime | None] = mapped_column(DateTime)  # UTC, when its first frame was seen
    time_origin: Mapped[str | None] = mapped_column(String)
    reason: Mapped[str | None] = mapped_column(Text)  # why refused, or why it ends early


class SegmentRow(LedgerTables):
    """One segment that lies in the media store."""

    __tablename__ = "segments"

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True)  # the order of publishing
    segment_id: Mapped[str] = mapped_column(String, unique=True)
    file_id: Mapped[int] = mapped_column(ForeignKey(FileRow.file_id), index=True)
    camera_id: Mapped[str] = mapped_column(String, index=True)
    partition: Mapped[int] = mapped_column(Integer)
    duration_s: Mapped[float] = mapped_column(Float)
    message: Mapped[str] = mapped_column(Text)  # SegmentReady as JSON
    incarnation: Mapped[str | None] = mapped_column(String, index=True)  # of the broker that acknowledged it


class RejectRow(LedgerTables):
    """One file that was refused."""

    __tablename__ = "rejects"

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True)
    rejected_id: Mapped[str] = mapped_column(String, unique=True)
    partition: Mapped[int] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(Text)  # Rejected as JSON
    incarnation: Mapped[str | None] = mapped_column(String, index=True)


class HashRow(LedgerTables):
    """What a path held when it was last read."""

    __tablename__ = "hashes"

    path: Mapped[str] = mapped_column(String, primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    content_sha256: Mapped[str] = mapped_column(String)


LEDGER = Schema("ledger", "0001", Path(__file__).parent / "migrations", LedgerTables.metadata)
