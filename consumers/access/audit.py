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
    session.add(AuditRecord(at=at, who=who[:WHO_LONGEST], action=action, subject=subject, details=details))


def note_acts(session: Session, lines: Sequence[Line]) -> None:
    """Add many lines, past SQLAlchemy's objects."""
    rows = [
        {
            "at": line.at,
            "who": line.who[:WHO_LONGEST],
            "action": line.action,
            "subject": line.subject,
            "details": line.details,
        }
        for line in lines
    ]
    session.connection().execute(insert(AuditRecord), rows)
