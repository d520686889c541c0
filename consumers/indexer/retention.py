"""Lets people go whose days are over: their rows, and the whole shards that they lay in."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from consumers.indexer.erasures import delete_people
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import PersonRecord
from consumers.search.vector_index import VectorIndex

logger = logging.getLogger(__name__)

AT_ONCE = 500  # rows a transaction: whoever enters people waits for no more


def _now() -> datetime:
    return datetime.now(UTC)


class Retention:
    """Belongs to one thread. A segment that was indexed stays known, so that a replay brings nobody back."""

    def __init__(
        self,
        table: PeopleTable,
        index: VectorIndex,
        keep: timedelta,
        entering: AbstractContextManager[object],
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Keep people for `keep`, counted in whole UTC days; `entering` is held by whoever enters them."""
        self._table, self._index, self._keep, self._entering, self._now = table, index, keep, entering, now
        self._done_until: datetime | None = None

    def step(self) -> bool:
        """Let go of the next rows, and once a day of the shards; false when nobody's days are over.

        Raises:
            PeopleTableError: The database cannot be read or written.
            VectorIndexError: The index cannot be changed.
        """
        until = (self._now() - self._keep).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if until == self._done_until:
            return False
        with self._entering:
            self._index.drop_before(until)
        chosen = select(PersonRecord.id).where(PersonRecord.first_seen_at < until).limit(AT_ONCE)
        with self._table.writing() as session:
            gone = list(session.scalars(chosen))
            delete_people(session, gone)
        if gone:
            return True
        self._done_until = until
        logger.info("people whose days are over are gone", extra={"until": until.isoformat()})
        return False
