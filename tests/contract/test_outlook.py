"""What `crewsight up` shows, read from real databases that go away and that others write."""

import base64
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from consumers.indexer.people import Links, PeopleTable
from household.outlook import Outlook
from household.processes import Household
from operations.watch import Sighting
from streamer.bus.manifest import Manifest
from streamer.bus.media import manifest_uri
from tests.builders_postgres import PostgresServer, missing_postgres
from tests.builders_rules import a_result, also_of_hats
from tests.installation import Installation, until

FIRST = also_of_hats(a_result("first", "BB"), "BB")
SECOND = also_of_hats(a_result("second", "CC", "CC", number=1), "CC", "CC")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    if missing := missing_postgres():
        pytest.skip(missing)
    server = PostgresServer()
    yield server
    server.close()


def outlook_on(folder: Path, **more: Any) -> "closing[Outlook]":
    return closing(Outlook(Household(Installation(folder, [], more).config, demo=False, once=False)))


def enter(database_url: str, manifest: Manifest) -> None:
    """As the indexer enters a result."""
    table = PeopleTable(database_url)
    uri = manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision)
    embeddings = {person.person_id: base64.b64decode(person.embedding_base64) for person in manifest.people}
    table.record(manifest, uri, Links({}, {}), embeddings)
    table.close()


@contextmanager
def once_questions_are_read(do: Callable[[], None]) -> Iterator[None]:
    """Do something just after the next time that anybody reads the table of questions."""
    waiting = [do]

    def look(connection: Any, cursor: Any, statement: str, *rest: object) -> None:
        del connection, cursor, rest
        if waiting and "FROM questions" in statement:
            waiting.pop()()

    event.listen(Engine, "after_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "after_cursor_execute", look)
    assert not waiting


def _until_it_sees(outlook: Outlook) -> Sighting:
    """The first look with people in it: each database's connections break once more before they are made anew."""
    sighting: Sighting = until(
        lambda: seen if (seen := outlook.look(is_cut=False)).people else None, 10, "people after the server is back"
    )
    return sighting


def test_a_database_that_restarts_is_said_once_and_nobody_is_missed(tmp_path: Path, server: PostgresServer) -> None:
    on_server = {"database": {"url": server.url}, "alerts": {"database_url": server.url}}
    with outlook_on(tmp_path, **on_server) as outlook:
        enter(server.url, FIRST)
        assert len(outlook.look(is_cut=False).people) == 1
        server.stop()
        remarks = [remark for _ in range(3) for remark in outlook.look(is_cut=True).remarks]
        assert len(remarks) == 1
        assert remarks[0].startswith("who is seen cannot be shown for now: ")
        assert "\n" not in remarks[0]
        server.start()
        enter(server.url, SECOND)
        seen = _until_it_sees(outlook)
        assert (len(seen.people), seen.remarks) == (2, [])
        assert outlook.look(is_cut=False).people == []


def test_a_desk_that_is_away_costs_nobody_whom_the_table_has(tmp_path: Path, server: PostgresServer) -> None:
    people = f"sqlite:///{tmp_path / 'state' / 'people.sqlite3'}"
    with outlook_on(tmp_path, alerts={"database_url": server.url}) as outlook:
        server.stop()
        enter(people, FIRST)
        assert not outlook.look(is_cut=False).people
        enter(people, SECOND)
        server.start()
        assert len(_until_it_sees(outlook).people) == 3


def test_people_who_come_between_two_looks_at_the_table_are_shown_with_what_they_were_asked(tmp_path: Path) -> None:
    people = f"sqlite:///{tmp_path / 'state' / 'people.sqlite3'}"
    with outlook_on(tmp_path) as outlook, once_questions_are_read(lambda: enter(people, FIRST)):
        seen = [*outlook.look(is_cut=False).people, *outlook.look(is_cut=False).people]
    assert [person.answers for person in seen] == [{"hard hat": "yes"}]
