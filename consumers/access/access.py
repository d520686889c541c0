"""Users, sessions, tokens and the audit log, in the `desk` database.

What is found there decides at once: a disabled user, an ended session or a revoked token opens nothing from the next
question on (the gate asks again every two seconds).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from consumers.access.bearer import digest, new_session_secret, new_token_secret
from consumers.access.identity import Identity
from consumers.access.passwords import hash_password, is_password
from consumers.access.roles import Role
from consumers.access.throttle import Throttle
from consumers.errors import AccessError, SignInRefusedError

SESSION_H = 12.0  # a shift
NAME_LONGEST = 64


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
