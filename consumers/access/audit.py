"""A line of the audit log in whoever's transaction: an act and its line become durable together or not at all."""

from datetime import datetime

from sqlalchemy.orm import Session

from consumers.alerts.schema import AuditRecord

WHO_LONGEST = 100


def note_act(session: Session, at: datetime, who: str, action: str, subject: str, **details: object) -> None:
    """Add a line."""
    session.add(AuditRecord(at=at, who=who[:WHO_LONGEST], action=action, subject=subject, details=details))
