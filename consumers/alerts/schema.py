"""The tables of the `desk` database. No statement here is SQLite's alone.

Who writes what: the alerter writes `alerts`, their first history line, `outbox`, `rule_states`, `camera_states`,
`seen_segments`, `rule_revisions` and `input_offsets`, all of one batch in one transaction; the page writes what
officers do to alerts, and users, sessions, tokens and the audit log; the notifier marks `outbox` and enters `evidence`.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from consumers.indexer.schema import UtcDateTime
from operations.databases import Schema

OPEN, ACKNOWLEDGED, RESOLVED, FALSE_ALARM, SNOOZED = "open", "acknowledged", "resolved", "false_alarm", "snoozed"
STATES = (OPEN, ACKNOWLEDGED, RESOLVED, FALSE_ALARM, SNOOZED)
RAISED, ESCALATED = "raised", "escalated"  # kinds of outbox rows; also actions in an alert's history
ALERTER = "alerter"  # who, in an alert's history, when nobody did it

AnswerProbabilities = dict[str, float]


class DeskTable(DeclarativeBase):
    """A table of the `desk` database."""


class AlertRecord(DeskTable):
    """One rule broken by one person, once. `id` orders by arrival; `alert_id` is derived and never given twice."""

    __tablename__ = "alerts"
    __table_args__ = (Index("alerts_of_camera", "camera_id", "met_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    alert_id: Mapped[str] = mapped_column(String(64), unique=True)  # uuid5 of rule, revision, chain and episode
    rule_id: Mapped[str] = mapped_column(String(100), index=True)
    rule_revision: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)  # the rule's, as it was
    severity: Mapped[str] = mapped_column(String(16), index=True)
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    chain_id: Mapped[str] = mapped_column(String(64), index=True)  # person_id of the chain's first track
    episode: Mapped[int] = mapped_column(Integer)  # from 1: how many times this person broke this rule
    person_id: Mapped[str] = mapped_column(String(64), index=True)  # the track in which the rule was met
    track_id: Mapped[str] = mapped_column(String(64))
    segment_id: Mapped[str] = mapped_column(String(64), index=True)
    segment_uri: Mapped[str] = mapped_column(Text)
    segment_started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    manifest_uri: Mapped[str] = mapped_column(Text)
    crop_uri: Mapped[str] = mapped_column(Text)  # of the look that shows it best
    box_xyxy: Mapped[list[float]] = mapped_column(JSON)  # px of the full frame, of that look
    frame_size_wh: Mapped[list[int]] = mapped_column(JSON)
    look_at_s: Mapped[float] = mapped_column(Float)  # seconds from the segment's first frame, of that look
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)  # footage time of the first look that counted
    met_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)  # footage time at which the rule was met
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)  # this machine's clock
    answers: Mapped[dict[str, AnswerProbabilities]] = mapped_column(JSON)  # of that look, by question id
    numbers: Mapped[dict[str, Any]] = mapped_column(JSON)  # what led here: `consumers.alerts.deciding.Evidence`
    state: Mapped[str] = mapped_column(String(16), default=OPEN, index=True)
    assignee: Mapped[str | None] = mapped_column(String(100))
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    escalate_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)  # unless acknowledged before
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_sent: Mapped[bool] = mapped_column(Boolean)  # false: only recorded, for the reason beside
    unsent_reason: Mapped[str | None] = mapped_column(String(100))
    evidence_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)  # copies complete; null: owed
    version: Mapped[int] = mapped_column(Integer, default=1)  # goes up with every change: whoever saw less is told


class HistoryRecord(DeskTable):
    """Something that happened to an alert. Only ever added to."""

    __tablename__ = "alert_history"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey(AlertRecord.alert_id), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(32))  # raised, escalated, acknowledged, assigned, commented, …
    comment: Mapped[str | None] = mapped_column(Text)
    right_answer: Mapped[str | None] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    version: Mapped[int] = mapped_column(Integer)  # of the alert, afterwards


class OutboxRecord(DeskTable):
    """One notification that is owed to one channel, or was delivered."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("alert_id", "channel", "kind"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey(AlertRecord.alert_id))
    channel: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))  # raised, escalated
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    given_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(String(64))  # W3C trace context of what led here


class EvidenceRecord(DeskTable):
    """One copy that outlives the footage."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("alert_id", "kind"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey(AlertRecord.alert_id), index=True)
    kind: Mapped[str] = mapped_column(String(32))  # crop, frame, boxed frame, clip
    uri: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(Integer)
    copied_at: Mapped[datetime] = mapped_column(UtcDateTime)
    keep_until: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    legal_hold: Mapped[bool] = mapped_column(Boolean, default=False)


class RuleRevisionRecord(DeskTable):
    """A rule as it once was in force: an old alert can always be read beside the rule that raised it."""

    __tablename__ = "rule_revisions"

    revision: Mapped[str] = mapped_column(String(64), primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(100), index=True)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rule: Mapped[dict[str, Any]] = mapped_column(JSON)


class RuleStateRecord(DeskTable):
    """How far one person is with every rule: one row a chain, dropped when the chain expires."""

    __tablename__ = "rule_states"

    chain_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


class CameraStateRecord(DeskTable):
    """What the rules remember of a camera, beside its people."""

    __tablename__ = "camera_states"

    camera_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    segment_count: Mapped[int] = mapped_column(Integer)
    met_s: Mapped[dict[str, float]] = mapped_column(JSON)  # rule revision -> seconds since 1970, for its cooldown


class SeenSegmentRecord(DeskTable):
    """One segment whose looks have been decided about: it is never decided about again."""

    __tablename__ = "seen_segments"

    segment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    previous_segment_id: Mapped[str | None] = mapped_column(String(64), index=True)
    camera_id: Mapped[str] = mapped_column(String(200), index=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    manifest_uri: Mapped[str] = mapped_column(Text)
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class InputOffsetRecord(DeskTable):
    """How far the desk has come in one partition of one topic, in one life of the broker."""

    __tablename__ = "input_offsets"

    topic: Mapped[str] = mapped_column(String(100), primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True)
    incarnation: Mapped[str] = mapped_column(String(64))
    offset: Mapped[int] = mapped_column(Integer)
    owner: Mapped[str] = mapped_column(String(64))  # which alerter wrote last: another one's memory is then stale


class UserRecord(DeskTable):
    """Someone who may sign in."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16))  # viewer, analyst, officer, admin
    is_disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    password_set_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRecord(DeskTable):
    """One sign-in of one browser; the cookie's secret is known only to the browser."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey(UserRecord.name), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiTokenRecord(DeskTable):
    """A secret for machines, kept as its hash."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user: Mapped[str] = mapped_column(ForeignKey(UserRecord.name), index=True)
    label: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditRecord(DeskTable):
    """Something somebody did. Only ever added to."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    who: Mapped[str] = mapped_column(String(100), index=True)
    action: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class SavedSearchRecord(DeskTable):
    """A search that somebody gave a name."""

    __tablename__ = "saved_searches"
    __table_args__ = (
        UniqueConstraint("owner", "name"),
        {"sqlite_autoincrement": True},
    )  # a guard is named after the id

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(100))
    owner: Mapped[str] = mapped_column(String(100), index=True)
    is_shared: Mapped[bool] = mapped_column(Boolean, default=False)
    search: Mapped[dict[str, Any]] = mapped_column(JSON)  # `consumers.web.search.shapes.SavedAsked`
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FeedbackRecord(DeskTable):
    """What is right, said by an officer: of a false alarm, or of something the model missed."""

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16))  # false alarm, missed
    alert_id: Mapped[str | None] = mapped_column(ForeignKey(AlertRecord.alert_id))
    person_id: Mapped[str] = mapped_column(String(64), index=True)
    camera_id: Mapped[str] = mapped_column(String(200))
    segment_id: Mapped[str] = mapped_column(String(64))
    crop_uri: Mapped[str] = mapped_column(Text)
    question: Mapped[dict[str, Any]] = mapped_column(JSON)  # question_id, kind, text, answers
    answer: Mapped[str] = mapped_column(String(200))
    answer_revision: Mapped[str] = mapped_column(String(200))
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)  # footage time
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(100))


DESK = Schema("desk", "0002", Path(__file__).parent / "migrations", DeskTable.metadata)
