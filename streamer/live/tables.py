"""The ledger's tables for live footage: segments until they are analysed and forgotten, and gaps."""

from datetime import datetime

from sqlalchemy import Boolean, DateTime, Float, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class LiveTables(DeclarativeBase):
    """The tables of this file."""


class LiveSegmentRow(LiveTables):
    """One finished segment of a camera."""

    __tablename__ = "live_segments"
    __table_args__ = (Index("live_segments_by_state", "state", "camera_id", "sequence"),)

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True)  # the order of publishing
    segment_id: Mapped[str] = mapped_column(String, unique=True)
    camera_id: Mapped[str] = mapped_column(String)
    partition: Mapped[int] = mapped_column(Integer)
    entered_at: Mapped[datetime] = mapped_column(DateTime, index=True)  # UTC, by our own clock
    duration_s: Mapped[float] = mapped_column(Float)
    size_bytes: Mapped[int] = mapped_column(Integer)
    uri: Mapped[str] = mapped_column(String)
    message: Mapped[str] = mapped_column(Text)  # SegmentReady as JSON; fixed once it was published
    state: Mapped[str] = mapped_column(String)
    is_fixed: Mapped[bool] = mapped_column(Boolean, default=False)  # whether it was ever published


class LiveGapRow(LiveTables):
    """One stretch of a camera's time without footage, or with footage that nobody looked at."""

    __tablename__ = "live_gaps"

    gap_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[str] = mapped_column(String, index=True)
    since: Mapped[datetime] = mapped_column(DateTime)
    until: Mapped[datetime] = mapped_column(DateTime, index=True)
    reason: Mapped[str] = mapped_column(Text)


class LiveCameraRow(LiveTables):
    """Where each camera's footage ended, so that a gap over a restart is known."""

    __tablename__ = "live_cameras"

    camera_id: Mapped[str] = mapped_column(String, primary_key=True)
    last_end: Mapped[datetime] = mapped_column(DateTime)


class LiveIdentityRow(LiveTables):
    """This ledger's own name, and the broker that its lines were published to."""

    __tablename__ = "live_identity"

    key: Mapped[int] = mapped_column(Integer, primary_key=True)
    streamer_id: Mapped[str] = mapped_column(String)
    incarnation: Mapped[str | None] = mapped_column(String)
