"""How a database of ours is opened, `people` and `desk` alike: SQLite or PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

BUSY_TIMEOUT_MS = 10_000  # a reader's checkpoint may hold a write for as long as the disk is slow
# Read through the page cache, not copied out of it: two dozen rows of a million are read in half the time. As much as
# SQLite allows; what lies beyond is read as before.
MAPPED_BYTES = 2**31 - 2**16
LAYING_OUT = 7_104_519  # the key of a lock, ours alone in the database


LayOut = Callable[[Connection], None]


def _nothing_more(engine: Engine) -> LayOut:
    del engine
    return lambda _: None


def opened(
    database_url: str,
    tables: MetaData,
    more: Callable[[Engine], LayOut] = _nothing_more,
    *,
    json_dumps: Callable[[Any], str] | None = None,
) -> Engine:
    """An engine on the database at an SQLAlchemy URL, its tables laid out.

    Args:
        database_url: SQLite's or PostgreSQL's.
        tables: What is to be there.
        more: What else lays something out there, given the engine: it runs in the same transaction, after the tables.
        json_dumps: Writes the columns of JSON; Python's own by default.

    Raises:
        ArgumentError, SQLAlchemyError, OSError, ImportError: the URL is none, or the database does not open.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, json_serializer=json_dumps, json_deserializer=orjson.loads)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    _lay_out(engine, tables, more(engine))
    return engine


def _lay_out(engine: Engine, tables: MetaData, more: LayOut) -> None:
    """Make the tables that are missing; several processes may do so at the same moment."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # there "if not exists" alone loses a race with another process
            connection.execute(select(func.pg_advisory_xact_lock(LAYING_OUT)))
        for table in tables.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))
        more(connection)


def _set_pragmas(connection: Any, record: object) -> None:
    del record
    cursor = connection.cursor()
    pragmas = (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
    )  # the last: zeros, not holes
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", f"mmap_size={MAPPED_BYTES}", *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
