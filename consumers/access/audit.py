"""A line of the audit log in whoever's transaction: an act and its line become durable together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from consumers.alerts.schema import AuditRecord

WHO_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    at: datetime
    who: str
    action: str
    subject: str
    details: dict[str, object] = field(default_factory=dict)


def note_act(session: Session, at: datetime, who: str, action: str, subject: str, **details: object) -> None:
    """Add a line."""
    session.add(AuditRecord(**_row(Line(at, who, action, subject, details))))


def note_acts(session: Session, lines: Sequence[Line]) -> None:
    """Add many lines, past SQLAlchemy's objects."""
    session.connection().execute(insert(AuditRecord), [_row(line) for line in lines])


def _row(line: Line) -> dict[str, object]:
    return {
        "at": line.at,
        "who": _storable(line.who)[:WHO_LONGEST],
        "action": line.action,
        "subject": _storable(line.subject),
        "details": line.details,
    }


def _storable(text: str) -> str:
    r"""The text as every database takes it: PostgreSQL refuses a NUL, and would with it refuse all lines beside it.

    >>> _storable("ve\0st")
    've�st'
    """
    return text.replace("\0", "\ufffd")
