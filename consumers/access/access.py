"""Users, sessions, tokens and the audit log, in the `desk` database.

What is found there decides at once: a disabled user, an ended session or a revoked token opens nothing from the next
question on (the gate asks again every two seconds).
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from consumers.access.audit import Line, note_act
from consumers.access.bearer import digest, new_session_secret, new_token_secret
from consumers.access.identity import THIS_MACHINE, Identity
from consumers.access.noting import Noting
from consumers.access.passwords import hash_password, is_password
from consumers.access.people import Entry, Token, User, entry_of, token_of, user_of
from consumers.access.roles import Role
from consumers.access.throttle import Throttle
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import ApiTokenRecord, AuditRecord, SessionRecord, UserRecord
from consumers.errors import AccessError, SignInRefusedError

SESSION_H = 12.0  # a shift
NAME = re.compile(r"[^\W_][\w.@+-]{0,63}")
USE_NOTED_EVERY = timedelta(minutes=5)
# The log is only ever added to, whoever asks: the database itself refuses anything else.
APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER IF NOT EXISTS audit_no_{act} BEFORE {act} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
        for act in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        f"CREATE OR REPLACE RULE audit_no_{act} AS ON {act} TO audit DO INSTEAD NOTHING" for act in ("UPDATE", "DELETE")
    ],
}


class Access:
    """Says who somebody is; safe to share between threads.

    Raises (every method): `DeskError` when the database cannot be read or written; what changes a user or a token also
    `AccessError`.
    """

    def __init__(
        self,
        desk: DeskDatabase,
        *,
        session_h: float = SESSION_H,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read and write `desk`; a session lasts `session_h` hours."""
        self.session_h = session_h
        self._desk, self._now = desk, now
        self._throttle = Throttle(monotonic)
        self._noting = Noting(desk)
        with desk.writing() as session:
            for statement in APPEND_ONLY.get(desk.engine.dialect.name, []):
                session.connection().exec_driver_sql(statement)

    def has_users(self) -> bool:
        """Whether anybody was ever let sign in; a disabled user counts, or disabling the last one would open all."""
        with self._desk.reading() as session:
            return session.scalar(select(UserRecord.name).limit(1)) is not None

    def identify(self, session_secret: str | None, token_secret: str | None) -> Identity | None:
        """Who carries these secrets; whoever it is while there is no user; None: nobody."""
        with self._desk.reading() as session:
            if token_secret is not None:
                found = self._of_token(session, digest(token_secret))
            elif session_secret is not None and session_secret:
                found = self._of_session(session, digest(session_secret))
            else:
                found = None
            if found is None and session.scalar(select(UserRecord.name).limit(1)) is None:
                return THIS_MACHINE
        if found is not None and found.by == "token":
            self._note_use(digest(token_secret or ""))
        return found

    def sign_in(self, name: str, password: str, address: str) -> str:
        """The secret of a new session.

        Raises:
            SignInRefusedError: the two do not go together, or there were too many tries.
        """
        wait_s = self._throttle.begin(name, address)
        if wait_s > 0:
            raise SignInRefusedError(wait_s)
        with self._desk.reading() as session:
            user = session.get(UserRecord, name)
            password_hash = user.password_hash if user is not None and not user.is_disabled else None
        if not is_password(password, password_hash):
            self.log(name[:100] or "nobody", "sign-in refused", address)
            raise SignInRefusedError
        self._throttle.succeeded(name, address)
        return self._begin_session(name, address)

    def sign_out(self, session_secret: str) -> None:
        """End a session; one that is none stays none."""
        with self._desk.writing() as session:
            record = session.get(SessionRecord, digest(session_secret))
            if record is not None:
                self._log(session, record.user, "sign-out", "")
                session.delete(record)

    def users(self) -> list[User]:
        """Everybody, by name."""
        with self._desk.reading() as session:
            return [user_of(record) for record in session.scalars(select(UserRecord).order_by(UserRecord.name))]

    def add_first_user(self, name: str, role: Role, password: str, *, by: str) -> bool:
        """Let somebody sign in unless anybody can already; false when nothing was done."""
        if self.has_users():
            return False
        self.add_user(name, role, password, by=by)
        return True

    def user(self, name: str) -> User:
        """Who has this name."""
        with self._desk.reading() as session:
            return user_of(_user(session, name))

    def check_free(self, name: str) -> None:
        """Make sure that a user could be added under this name."""
        if not NAME.fullmatch(name) or name == THIS_MACHINE.name:
            raise AccessError(
                f"{name!r} is no user name: letters, digits and . _ @ + -, at most 64, beginning with a letter or digit"
            )
        with self._desk.reading() as session:
            _refuse_taken(session, name)

    def add_user(self, name: str, role: Role, password: str, *, by: str) -> None:
        """Let somebody sign in."""
        self.check_free(name)
        now = self._now()
        record = UserRecord(
            name=name,
            password_hash=hash_password(name, password),
            role=role.value,
            is_disabled=False,
            created_at=now,
            password_set_at=now,
        )
        with self._desk.writing() as session:
            _refuse_taken(session, name)
            session.add(record)
            self._log(session, by, "user added", name, role=role.value)

    def disable_user(self, name: str, *, by: str) -> None:
        """Let somebody in no longer; their sessions end. The last admin stays."""
        with self._desk.writing() as session:
            user = _user(session, name)
            _keep_an_admin(session, user)
            user.is_disabled = True
            _end_sessions(session, name)
            self._log(session, by, "user disabled", name)

    def enable_user(self, name: str, *, by: str) -> None:
        """Let somebody in again."""
        with self._desk.writing() as session:
            _user(session, name).is_disabled = False
            self._log(session, by, "user enabled", name)

    def change_role(self, name: str, role: Role, *, by: str) -> None:
        """Change what somebody may do. The last admin stays one."""
        with self._desk.writing() as session:
            user = _user(session, name)
            if role is not Role.ADMIN:
                _keep_an_admin(session, user)
            self._log(session, by, "role changed", name, before=user.role, after=role.value)
            user.role = role.value

    def change_password(self, name: str, password: str, *, by: str) -> None:
        """Change a password; the user's sessions end."""
        password_hash = hash_password(name, password)
        with self._desk.writing() as session:
            user = _user(session, name)
            user.password_hash, user.password_set_at = password_hash, self._now()
            _end_sessions(session, name)
            self._log(session, by, "password changed", name)

    def tokens(self) -> list[Token]:
        """Every token, by id."""
        with self._desk.reading() as session:
            return [token_of(record) for record in session.scalars(select(ApiTokenRecord).order_by(ApiTokenRecord.id))]

    def add_token(self, name: str, label: str, role: Role, *, by: str) -> str:
        """The secret of a new token of a user, at most as strong as the user."""
        secret = new_token_secret()
        with self._desk.writing() as session:
            user = _user(session, name)
            if not Role(user.role).covers(role):
                raise AccessError(f"{name} is {user.role}: a token of theirs cannot be {role}")
            session.add(
                ApiTokenRecord(
                    token_hash=digest(secret), user=name, label=label[:100], role=role.value, created_at=self._now()
                )
            )
            self._log(session, by, "token added", name, label=label[:100], role=role.value)
        return secret

    def revoke_token(self, token_id: int, *, by: str) -> None:
        """Let a token open nothing any more."""
        with self._desk.writing() as session:
            record = session.get(ApiTokenRecord, token_id)
            if record is None:
                raise AccessError(f"there is no token {token_id}; `crewsight token list` shows them")
            record.revoked_at = record.revoked_at or self._now()
            self._log(session, by, "token revoked", record.user, label=record.label)

    def log(self, who: str, action: str, subject: str, **details: object) -> None:
        """Add a line to the audit log, behind those that wait to be written."""
        self._noting.write()
        with self._desk.writing() as session:
            self._log(session, who, action, subject, **details)

    def note(self, who: str, action: str, subject: str, **details: object) -> None:
        """Add a line to the audit log that may wait for half a second to be written with others."""
        self._noting.note(Line(self._now(), who, action, subject, details))

    def close(self) -> None:
        """Write what was noted and not yet written."""
        self._noting.write()

    def entries(self, limit: int, *, who: str | None = None, before: int | None = None) -> list[Entry]:
        """The newest lines of the audit log, newest first."""
        chosen = select(AuditRecord).order_by(AuditRecord.id.desc()).limit(limit)
        if who is not None:
            chosen = chosen.where(AuditRecord.who == who)
        if before is not None:
            chosen = chosen.where(AuditRecord.id < before)
        self._noting.write()
        with self._desk.reading() as session:
            return [entry_of(record) for record in session.scalars(chosen)]

    def _begin_session(self, name: str, address: str) -> str:
        secret, now = new_session_secret(), self._now()
        with self._desk.writing() as session:
            session.execute(delete(SessionRecord).where(SessionRecord.expires_at < now))
            session.add(
                SessionRecord(
                    token_hash=digest(secret),
                    user=name,
                    created_at=now,
                    expires_at=now + timedelta(hours=self.session_h),
                )
            )
            self._log(session, name, "sign-in", address)
        return secret

    def _of_session(self, session: Session, token_hash: str) -> Identity | None:
        record = session.get(SessionRecord, token_hash)
        if record is None or record.expires_at <= self._now():
            return None
        user = session.get(UserRecord, record.user)
        return None if user is None or user.is_disabled else Identity(user.name, Role(user.role), "session")

    def _of_token(self, session: Session, token_hash: str) -> Identity | None:
        record = session.scalar(select(ApiTokenRecord).where(ApiTokenRecord.token_hash == token_hash))
        if record is None or record.revoked_at is not None:
            return None
        user = session.get(UserRecord, record.user)
        if user is None or user.is_disabled:
            return None
        role = min(Role(record.role), Role(user.role), key=list(Role).index)  # the user may have been given less since
        return Identity(user.name, role, "token")

    def _note_use(self, token_hash: str) -> None:
        now = self._now()
        stale = (ApiTokenRecord.last_used_at.is_(None)) | (ApiTokenRecord.last_used_at < now - USE_NOTED_EVERY)
        chosen = (ApiTokenRecord.token_hash == token_hash) & stale
        with self._desk.reading() as session:
            is_stale = session.scalar(select(func.count()).select_from(ApiTokenRecord).where(chosen))
        if is_stale:
            with self._desk.writing() as session:
                session.execute(update(ApiTokenRecord).where(chosen).values(last_used_at=now))

    def _log(self, session: Session, who: str, action: str, subject: str, **details: object) -> None:
        note_act(session, self._now(), who, action, subject, **details)


def _user(session: Session, name: str) -> UserRecord:
    user = session.get(UserRecord, name)
    if user is None:
        raise AccessError(f"there is no user {name}; `crewsight user list` shows them")
    return user


def _refuse_taken(session: Session, name: str) -> None:
    if session.get(UserRecord, name) is not None:
        raise AccessError(f"there is a user {name} already; change them with `user passwd` or `user role`")


def _keep_an_admin(session: Session, user: UserRecord) -> None:
    """Refuse to leave nobody who could let others in; the command line could, but a page without admin is a trap."""
    others = select(UserRecord.name).where(
        UserRecord.role == Role.ADMIN.value, UserRecord.is_disabled.is_(False), UserRecord.name != user.name
    )
    if user.role == Role.ADMIN.value and not user.is_disabled and session.scalar(others.limit(1)) is None:
        raise AccessError(f"{user.name} is the only admin; make somebody else one first")


def _end_sessions(session: Session, name: str) -> None:
    session.execute(delete(SessionRecord).where(SessionRecord.user == name))
