"""How a database of ours is opened, `people` and `desk` alike: SQLite or PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from operations.databases import Schema, bring_up

BUSY_TIMEOUT_MS = 10_000  # a reader's checkpoint may hold a write for as long as the disk is slow
# Read through the page cache, not copied out of it: two dozen rows of a million are read in half the time. As much as
# SQLite allows; what lies beyond is read as before.
MAPPED_BYTES = 2**31 - 2**16

LayOut = Callable[[Connection], None]


def _nothing_more(engine: Engine) -> LayOut:
    del engine
    return lambda _: None


def opened(
    database_url: str,
    schema: Schema,
    more: Callable[[Engine], LayOut] = _nothing_more,
    *,
    json_dumps: Callable[[Any], str] | None = None,
) -> Engine:
    """An engine on the database at an SQLAlchemy URL, its tables laid out and of the version of this program.

    Args:
        database_url: SQLite's or PostgreSQL's.
        schema: What is to be there.
        more: What else lays something out there, given the engine: it runs in the same transaction, after the tables.
        json_dumps: Writes the columns of JSON; Python's own by default.

    Raises:
        SchemaVersionError: A newer program has brought the database further.
        ArgumentError, SQLAlchemyError, OSError, ImportError: the URL is none, or the database does not open.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, json_serializer=json_dumps, json_deserializer=orjson.loads)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    bring_up(engine, schema, more(engine))
    return engine


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
