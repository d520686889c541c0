"""Users, tokens and lines of the audit log, as plain values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from consumers.access.roles import Role
from consumers.alerts.schema import ApiTokenRecord, AuditRecord, UserRecord


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can sign in, unless disabled."""

    name: str
    role: Role
    is_disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a machine signs in with; its secret is told once and never stored."""

    id: int
    user: str
    label: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    id: int
    at: datetime
    who: str
    action: str
    subject: str
    details: Mapping[str, object]


def user_of(record: UserRecord) -> User:
    """The user of a row."""
    return User(record.name, Role(record.role), record.is_disabled, record.created_at)


def token_of(record: ApiTokenRecord) -> Token:
    """The token of a row."""
    return Token(
        record.id,
        record.user,
        record.label,
        Role(record.role),
        record.created_at,
        record.last_used_at,
        record.revoked_at,
    )


def entry_of(record: AuditRecord) -> Entry:
    """The line of a row."""
    return Entry(record.id, record.at, record.who, record.action, record.subject, record.details)
