"""Databases of ours have versions: new ones, those from before there were any, and those of a newer program."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from consumers.alerts.schema import DESK
from consumers.indexer.schema import PEOPLE, open_engine
from operations.databases import UNVERSIONED, Schema, Standing, bring_up, standing, version
from operations.errors import SchemaVersionError
from streamer.tables import LEDGER
from tests.postgres import postgres_url

ALL = [PEOPLE, DESK, LEDGER]
BEFORE = {"people": PEOPLE, "desk": DESK}  # `<name>-before-versions.sql`: as they were laid out when versions began
REFUSED = (
    "INSERT INTO rejections (rejected_id, reason, noticed_at, rejected) "
    "VALUES ('r1', 'its video is gone', '2026-01-01 00:00:00', '{}')"
)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Engine]:
    with postgres_url(folder, kind == "postgresql") as url:
        engine = create_engine(url or f"sqlite:///{folder / 'some.sqlite3'}")
        yield engine
        engine.dispose()


def of_before(engine: Engine, name: str = "people") -> None:
    """Lay a database out as a program of before would have."""
    layout = (Path(__file__).parent / f"{name}-before-versions.sql").read_text()
    with engine.begin() as connection:
        for statement in filter(str.strip, layout.split(";\n")):
            connection.exec_driver_sql(as_postgres(statement) if engine.dialect.name == "postgresql" else statement)


def as_postgres(statement: str) -> str:
    """SQLite's statement as PostgreSQL has it."""
    for sqlite, postgres in (
        ("DATETIME", "TIMESTAMP WITH TIME ZONE"),
        ("BLOB", "BYTEA"),
        ("INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY"),
        (" FLOAT", " DOUBLE PRECISION"),
        ("( id INTEGER NOT NULL, ", "( id SERIAL NOT NULL, "),
        (" user ", ' "user" '),  # a word of PostgreSQL's
        ("(user)", '("user")'),
    ):
        statement = statement.replace(sqlite, postgres)
    return statement


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.name)
def test_the_version_of_the_code_is_the_last_of_its_revisions(schema: Schema) -> None:
    assert schema.revisions()[0] == schema.head
    assert schema.revisions()[-1] == UNVERSIONED


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_new_database_is_laid_out_and_has_the_version_of_the_code(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as engine:
        for schema in (PEOPLE, DESK):  # two in one, as on a server
            with engine.connect() as connection:
                assert standing(connection, schema) == (None, Standing.NOT_THERE)
            bring_up(engine, schema)
            with engine.connect() as connection:
                assert standing(connection, schema) == (schema.head, Standing.CURRENT)


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_one_from_before_there_were_versions_is_brought_up_to_what_a_new_one_is(
    kind: str, name: str, tmp_path: Path
) -> None:
    schema = BEFORE[name]
    with database(kind, tmp_path) as engine:
        of_before(engine, name)
        with engine.connect() as connection:
            assert standing(connection, schema) == (UNVERSIONED, Standing.OLDER)
        bring_up(engine, schema)
        with engine.connect() as connection:
            assert standing(connection, schema) == (schema.head, Standing.CURRENT)
            assert not changes(connection, schema)


def test_what_a_database_of_before_holds_is_kept(tmp_path: Path) -> None:
    with database("sqlite", tmp_path) as engine:
        of_before(engine)
        with engine.begin() as connection:
            connection.execute(text(REFUSED))
        bring_up(engine, PEOPLE)
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT rejected_id, handled FROM rejections")).all()
            assert [tuple(row) for row in rows] == [("r1", None)]


def changes(connection: object, schema: Schema) -> list[object]:
    """What alembic would still have to change in the tables that are there."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})  # type: ignore[arg-type]
    found = compare_metadata(context, schema.tables)
    return [change for change in found if not (isinstance(change, tuple) and "alembic_version" in str(change))]


def test_a_database_of_a_newer_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with database("sqlite", tmp_path) as engine:
        bring_up(engine, PEOPLE)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version_people SET version_num = '9999'"))
            connection.execute(text("DROP TABLE embeddings"))
        with pytest.raises(SchemaVersionError, match="has version 9999, and this program knows"):
            open_engine(str(engine.url))
        with engine.connect() as connection:
            assert standing(connection, PEOPLE) == ("9999", Standing.NEWER)
            assert not inspect(connection).has_table("embeddings")


def test_the_refusal_shows_no_password() -> None:
    assert "secret" not in str(SchemaVersionError("postgresql://u:***@h/d", "9", "1"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_several_processes_may_bring_one_up_at_the_same_moment(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as engine:
        of_before(engine)
        failures: list[Exception] = []

        def run(act: Callable[[], None]) -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 — whatever it is, the test asks for it
                failures.append(error)

        url = engine.url
        engines = [create_engine(url, connect_args={"timeout": 60} if kind == "sqlite" else {}) for _ in range(4)]
        threads = [Thread(target=run, args=(lambda one=one: bring_up(one, PEOPLE),)) for one in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        for one in engines:
            one.dispose()
        assert not failures
        with engine.connect() as connection:
            assert version(connection, PEOPLE) == PEOPLE.head
