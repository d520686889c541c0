"""The `desk` database: how it is opened, read and written.

Several processes write it (alerter, page, notifier), so a writing transaction takes SQLite's one write lock at its
start: whoever reads, decides and then writes can trust what was read. Keep them short.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Engine, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from consumers.alerts.schema import DESK, AlertRecord, HistoryRecord
from consumers.errors import DeskError
from consumers.opening import opened


class DeskDatabase:
    """The desk; safe to share between threads.

    Raises (every method): `DeskError` naming the database and what it said.
    """

    def __init__(self, database_url: str) -> None:
        """Open (and, where it is new, lay out) the database at an SQLAlchemy URL."""
        self.database_url = database_url
        self.engine = _open(database_url)
        self._is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads."""
        with self._told(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes all become durable at the end of the block, or, where it raises, none."""
        with self._told(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self._is_sqlite:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    def alert(self, alert_id: str) -> AlertRecord | None:
        """The alert of that id, detached: reading it later needs no session."""
        with self.reading() as session:
            return session.scalar(select(AlertRecord).where(AlertRecord.alert_id == alert_id))

    def history(self, alert_id: str) -> list[HistoryRecord]:
        """What happened to an alert, in order."""
        chosen = select(HistoryRecord).where(HistoryRecord.alert_id == alert_id).order_by(HistoryRecord.id)
        with self.reading() as session:
            return list(session.scalars(chosen))

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise DeskError(self.database_url, str(getattr(error, "orig", None) or error)) from error


def locked(session: Session, alert_id: str) -> AlertRecord | None:
    """The alert of that id, so that nobody else changes it before this transaction ends."""
    return session.scalar(select(AlertRecord).where(AlertRecord.alert_id == alert_id).with_for_update())


def noted(
    session: Session,
    alert: AlertRecord,
    *,
    at: datetime,
    who: str,
    action: str,
    comment: str | None = None,
    right_answer: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Raise a changed alert's version by one and add the line that says why."""
    alert.version += 1
    session.add(
        HistoryRecord(
            alert_id=alert.alert_id,
            at=at,
            who=who,
            action=action,
            comment=comment,
            right_answer=right_answer,
            details=details or {},
            version=alert.version,
        )
    )


def _as_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _open(database_url: str) -> Engine:
    try:
        return opened(database_url, DESK, json_dumps=_as_json)
    except (ArgumentError, SQLAlchemyError, OSError, ImportError) as error:
        raise DeskError(database_url, str(getattr(error, "orig", None) or error)) from error
