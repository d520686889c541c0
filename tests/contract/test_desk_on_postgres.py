"""The desk on a real PostgreSQL: all of a batch or nothing of it, alerters that race, officers who act at once."""

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, func, select

from consumers.access.access import Access
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, HistoryRecord, OutboxRecord, RuleStateRecord, SeenSegmentRecord
from consumers.errors import DeskError
from consumers.indexer.people import PeopleTable
from tests.builders_alerter import PLACE, AlerterDesk, deliver, work
from tests.builders_alerts import api_over
from tests.builders_postgres import postgres_server
from tests.builders_rules import a_result, received, stored
from tests.builders_web import CaptionSearch

TIMELINES = [("BBBBBBBBBB", "CCCCCCCCCB"), ("CCCCCCCCCC", "BCCCCCCCCC"), ("BBBBBBBBBB", "CCCCCCCCCC")] * 4


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as port:
        yield f"crewsight@127.0.0.1:{port}"


@pytest.fixture
def database_url(server: str) -> str:
    """A database of its own."""
    name = f"desk_{uuid.uuid4().hex}"
    with psycopg.connect(f"postgresql://{server}/crewsight", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return f"postgresql+psycopg://{server}/{name}"


@pytest.fixture
def installed(database_url: str, tmp_path: Path) -> Iterator[AlerterDesk]:
    made = AlerterDesk(tmp_path, url=database_url)
    yield made
    made.desk.close()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The alerts of `TIMELINES` where nothing goes wrong."""
    made = AlerterDesk(tmp_path_factory.mktemp("calm"))
    work(made.stage(), *made.messages(*TIMELINES))
    assert len(made.alert_ids()) >= 2
    return sorted(made.alert_ids())


def written(installed: AlerterDesk) -> tuple[int, ...]:
    """How far the desk is in the topic, and how many rows of each kind it has."""
    tables = (SeenSegmentRecord, AlertRecord, HistoryRecord, OutboxRecord, RuleStateRecord)
    with installed.desk.reading() as session:
        counts = tuple(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)
    return (installed.stage().first_offset(PLACE, "i1") or 0, *counts)


def lose_connection_at(desk: DeskDatabase, number: int) -> Callable[[], bool]:
    """Let the server end the connection just before its `number`-th change from now on; says whether it came to that.

    Asked for that, it does not happen any more.
    """
    count, lost = itertools.count(1), list[int]()

    def lose(connection: Any, cursor: Any, statement: str, *rest: object) -> None:
        if statement.split(" ", 1)[0] in ("INSERT", "UPDATE", "DELETE") and next(count) == number:
            lost.append(cursor.connection.info.backend_pid)
            with psycopg.connect(desk.database_url.replace("+psycopg", ""), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", lost)

    def is_lost() -> bool:
        event.remove(desk.engine, "before_cursor_execute", lose)
        return bool(lost)

    event.listen(desk.engine, "before_cursor_execute", lose)
    return is_lost


def test_a_connection_lost_anywhere_leaves_all_of_a_batch_or_nothing_of_it(
    installed: AlerterDesk, calm: list[str]
) -> None:
    messages = installed.messages(*TIMELINES)
    work(installed.stage(), messages[0])
    before, lost = written(installed), 0
    for lost in range(1, 100):
        is_lost = lose_connection_at(installed.desk, lost)
        with suppress(DeskError):
            work(installed.stage(), *messages)
        if not is_lost():
            break  # the batch has fewer changes, and is through
        assert written(installed) == before
    assert lost > 8
    assert sorted(installed.alert_ids()) == calm
    alerts = len(calm)
    assert written(installed)[:5] == (len(messages), len(messages), alerts, alerts, 2 * alerts)


def test_two_alerters_with_the_same_partition_raise_every_alert_once(installed: AlerterDesk, calm: list[str]) -> None:
    messages, together = installed.messages(*TIMELINES), threading.Barrier(2)

    def one() -> None:
        stage = installed.stage()
        together.wait(10)
        for message in messages:
            with suppress(DeskError):  # the loser of a race for the very first row: its process would start again
                work(stage, message)

    run_together([one, one])
    deliver(installed, messages)
    assert sorted(installed.alert_ids()) == calm
    assert written(installed)[:5] == (len(messages), len(messages), len(calm), len(calm), 2 * len(calm))


def test_of_officers_who_act_at_once_one_is_heard_and_the_others_are_told(
    installed: AlerterDesk, tmp_path: Path
) -> None:
    work(installed.stage(), *installed.messages(("BBBB",)))
    (alert_id,) = installed.alert_ids()
    people = PeopleTable(f"sqlite:///{tmp_path / 'people.sqlite3'}")
    api = api_over(CaptionSearch(people), people, installed.store, installed.desk, tmp_path)
    together, statuses = threading.Barrier(4), list[int]()

    def officer() -> None:
        client = TestClient(api)
        together.wait(10)
        told = {"version": 1, "act": {"act": "acknowledge"}}
        statuses.append(client.post(f"/api/v1/alerts/{alert_id}/acts", json=told).status_code)

    run_together([officer] * 4)
    people.close()
    assert sorted(statuses) == [200, 409, 409, 409]
    assert [line.action for line in installed.desk.history(alert_id)] == ["raised", "acknowledged"]


def test_a_name_that_postgresql_cannot_hold_is_a_dead_letter(installed: AlerterDesk) -> None:
    message = stored(installed.store, a_result("good", "BBBB"))
    odd = received(message.model_copy(update={"segment_id": "go\0od"}), 0)
    (letter,) = work(installed.stage(), odd, replace(odd, message=message, offset=1))
    assert "another segment's" in letter.message.reason
    assert len(installed.alert_ids()) == 1


def test_what_postgresql_cannot_hold_is_noted_without_it_and_stops_no_later_search(
    installed: AlerterDesk, tmp_path: Path
) -> None:
    people = PeopleTable(f"sqlite:///{tmp_path / 'people.sqlite3'}")
    api = api_over(CaptionSearch(people), people, installed.store, installed.desk, tmp_path)
    client = TestClient(api)
    odd = {"words": "v\0st", "filter": {"described": ["r\0d"]}}
    assert client.post("/api/v1/search", json=odd).status_code == 200
    access: Access = api.state.access
    assert [line.subject for line in access.entries(9)] == ["v\ufffdst"]
    assert client.get("/api/v1/search", params={"q": "vest"}).status_code == 200
    access.log("an\0a", "sign-in refused", "127.0.0.1")
    people.close()
    assert [(line.who, line.subject) for line in access.entries(9)] == [
        ("an\ufffda", "127.0.0.1"),
        ("this machine", "vest"),
        ("this machine", "v\ufffdst"),
    ]


def run_together(doing: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=each) for each in doing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
