"""Lines of the audit log that are written together: none is lost, and a log that fails stops whoever would be noted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.access.noting import MOST_WAITING, Line, Noting
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AuditRecord
from consumers.errors import DeskError
from tests.builders_bus import wait_until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskDatabase]:
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    yield desk
    desk.close()


def line(subject: str) -> Line:
    return Line(datetime.now(UTC), "anna", "search", subject, {"cameras": ["gate"]})


def subjects(desk: DeskDatabase) -> list[str]:
    with desk.reading() as session:
        return list(session.scalars(select(AuditRecord.subject).order_by(AuditRecord.id)))


def statement(desk: DeskDatabase, sql: str) -> None:
    with desk.writing() as session:
        session.connection().exec_driver_sql(sql)


def test_lines_are_written_by_themselves_in_their_order(desk: DeskDatabase) -> None:
    noting = Noting(desk, every_s=0.05)
    for number in range(20):
        noting.note(line(str(number)))
    wait_until(lambda: subjects(desk) == [str(number) for number in range(20)])


def test_what_waits_is_written_at_the_end_and_once(desk: DeskDatabase) -> None:
    noting = Noting(desk, every_s=60)
    noting.note(line("vest"))
    assert subjects(desk) == []
    noting.write()
    noting.write()
    assert subjects(desk) == ["vest"]


def test_as_many_as_may_wait_are_not_waited_for(desk: DeskDatabase) -> None:
    noting = Noting(desk, every_s=60)
    for number in range(MOST_WAITING):
        noting.note(line(str(number)))
    assert len(subjects(desk)) == MOST_WAITING


def test_a_log_that_cannot_be_written_stops_whoever_would_be_noted_and_loses_nothing(desk: DeskDatabase) -> None:
    noting = Noting(desk, every_s=60)
    statement(desk, "ALTER TABLE audit RENAME TO away")
    noting.note(line("before it was known"))
    with pytest.raises(DeskError):
        noting.write()
    with pytest.raises(DeskError):
        noting.note(line("not searched"))
    statement(desk, "ALTER TABLE away RENAME TO audit")
    noting.note(line("after"))
    noting.write()
    assert subjects(desk) == ["before it was known", "after"]
