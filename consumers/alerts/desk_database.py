"""The `desk` database: how it is opened, read and written.

Several processes write it (alerter, page, notifier), so a writing transaction takes SQLite's one write lock at its
start: whoever reads, decides and then writes can trust what was read. Keep them short.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, CreateTable

from consumers.alerts.schema import AlertRecord, DeskTable, HistoryRecord
from consumers.errors import DeskError

BUSY_TIMEOUT_MS = 10_000
LAYING_OUT = 7_104_519  # the key of a lock, ours alone in the database


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


def _open(database_url: str) -> Engine:
    try:
        url = make_url(database_url)
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url)
        if url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _set_pragmas)
        _lay_out(engine)
    except (ArgumentError, SQLAlchemyError, OSError, ImportError) as error:
        raise DeskError(database_url, str(getattr(error, "orig", None) or error)) from error
    return engine


def _lay_out(engine: Engine) -> None:
    """Make the tables that are missing; several processes may do so at the same moment."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # there "if not exists" alone loses a race with another process
            connection.execute(select(func.pg_advisory_xact_lock(LAYING_OUT)))
        for table in DeskTable.metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))


def _set_pragmas(connection: Any, record: object) -> None:
    del record
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
