"""Which version a database of ours has, and how an older one is brought up to the version of this program.

A new database is laid out by the tables of the code and stamped with their version; an older one goes through alembic's
revisions, in the transaction in which it is opened. Tables that are missing are laid out at every opening, so a new
table needs no revision; whatever changes a table that exists does. A newer database is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from operations.errors import SchemaVersionError

LAYING_OUT = 7_104_519  # the key of a lock, ours alone in the database
UNVERSIONED = "0001"  # what a database is that was laid out before there were versions


@dataclass(frozen=True, slots=True)
class Schema:
    """One kind of database.

    Attributes:
        name: What it is called; its version stands in the table `alembic_version_<name>`, as two kinds may share one.
        head: The version of this program.
        scripts: The folder that holds `versions/`, alembic's revisions.
        tables: The tables of this program.
    """

    name: str
    head: str
    scripts: Path
    tables: MetaData

    @property
    def version_table(self) -> str:
        """Where the version stands."""
        return f"alembic_version_{self.name}"

    def revisions(self) -> list[str]:
        """Every version that this program knows, the newest first."""
        return [script.revision for script in _scripts(self).walk_revisions()]


class Standing(StrEnum):
    """How a database stands to this program."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    NOT_THERE = "not laid out"


def bring_up(engine: Engine, schema: Schema, more: Callable[[Connection], None] = lambda _: None) -> None:
    """Lay out what is missing and bring what is older up to now; several processes may do so at the same moment.

    Args:
        engine: The database.
        schema: What it is to be.
        more: Lays out something else, in the same transaction, after the tables.

    Raises:
        SchemaVersionError: A newer program has brought it further.
        SQLAlchemyError: The database does not take it.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # there "if not exists" alone loses a race with another process
            connection.execute(select(func.pg_advisory_xact_lock(LAYING_OUT)))
        elif not _is_settled(connection, schema):  # whoever only reads waits for no writer
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        found = version(connection, schema)
        if found is None:
            stamp(connection, schema, schema.head)
        elif found != schema.head:
            _upgrade(connection, schema, found)
        _lay_out(connection, schema.tables)
        more(connection)


def _is_settled(connection: Connection, schema: Schema) -> bool:
    there = set(inspect(connection).get_table_names())
    return there >= set(schema.tables.tables) and version(connection, schema) == schema.head


def version(connection: Connection, schema: Schema) -> str | None:
    """The version of a database; `UNVERSIONED` where tables stand without one; None where nothing stands."""
    there = set(inspect(connection).get_table_names())
    if schema.version_table in there:
        found = connection.execute(text(f"SELECT version_num FROM {schema.version_table}")).scalar()
        if found is not None:
            return str(found)
    return UNVERSIONED if there & set(schema.tables.tables) else None


def standing(connection: Connection, schema: Schema) -> tuple[str | None, Standing]:
    """The version of a database, and how it stands to this program."""
    found = version(connection, schema)
    if found is None:
        return None, Standing.NOT_THERE
    if found == schema.head:
        return found, Standing.CURRENT
    return found, Standing.OLDER if found in schema.revisions() else Standing.NEWER


def stamp(connection: Connection, schema: Schema, revision: str) -> None:
    """Write a version down without changing anything else."""
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"version_table": schema.version_table})
    context.stamp(_scripts(schema), revision)


def shown(database_url: str) -> str:
    """A database's URL without its password."""
    return make_url(database_url).render_as_string(hide_password=True)


def _upgrade(connection: Connection, schema: Schema, found: str) -> None:
    if found not in schema.revisions():
        raise SchemaVersionError(shown(str(connection.engine.url)), found, schema.head)
    from alembic.runtime.environment import EnvironmentContext

    if not inspect(connection).has_table(schema.version_table):
        stamp(connection, schema, found)
    scripts = _scripts(schema)

    def steps(revision: Any, context: object) -> Any:
        del context
        return scripts._upgrade_revs(schema.head, revision)

    with EnvironmentContext(_config(schema), scripts, fn=steps, destination_rev=schema.head) as environment:
        environment.configure(connection=connection, version_table=schema.version_table, render_as_batch=True)
        environment.run_migrations()


def _lay_out(connection: Connection, tables: MetaData) -> None:
    for table in tables.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))


def _scripts(schema: Schema) -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(schema))


def _config(schema: Schema) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(schema.scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
