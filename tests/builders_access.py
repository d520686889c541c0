"""Users for tests, each with the same password; argon2 is slow on purpose, so it is worked out once."""

from datetime import UTC, datetime
from functools import cache

from consumers.access.access import Access
from consumers.access.passwords import hash_password
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import UserRecord

PASSWORD = "three words apart"


@cache
def password_hash() -> str:
    return hash_password("somebody", PASSWORD)


def enter_user(desk: DeskDatabase, name: str, role: Role) -> None:
    """Let somebody sign in with PASSWORD."""
    now = datetime.now(UTC)
    with desk.writing() as session:
        session.add(
            UserRecord(
                name=name,
                role=role.value,
                password_hash=password_hash(),
                is_disabled=False,
                created_at=now,
                password_set_at=now,
            )
        )


def enter_users(desk: DeskDatabase) -> None:
    """One user of each role, named after it."""
    for role in Role:
        enter_user(desk, role.value, role)


def session_of(access: Access, name: str) -> str:
    """The secret of a new session of somebody."""
    return access.sign_in(name, PASSWORD, "127.0.0.1")
