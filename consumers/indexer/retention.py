"""Lets people go whose days are over: their rows, the whole shards that they lay in, their crops and their clips."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from consumers.indexer.erasures import delete_people
from consumers.indexer.media_retention import MediaLetGo, let_media_go
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import PersonRecord
from consumers.search.vector_index import VectorIndex
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore

logger = logging.getLogger(__name__)

AT_ONCE = 500  # rows a transaction: whoever enters people waits for no more


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class LetGo:
    """What went because its days were over: rows of people, and media."""

    until: datetime
    people: int
    media: MediaLetGo


def kept_since(now: datetime, keep: timedelta) -> datetime:
    """The midnight (UTC) before which everything goes: whole days are kept."""
    return (now - keep).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def run_retention(table: PeopleTable, store: MediaStore, keep: timedelta, *, now: datetime) -> LetGo:
    """Let everybody and everything go at once whose days are over, in any process, beside a running indexer too.

    Vectors are the indexer's: it drops whole shards by itself once a day and at its start. Until then whoever has no
    row any more is left out of what is found. Copies for alerts have days of their own, and stay while they are held.

    Raises:
        PeopleTableError: The database cannot be read or written.
        MediaStoreError: The media store does not answer.
    """
    until, people = kept_since(now, keep), 0
    while gone := _let_rows_go(table, until):
        people += gone
    media = let_media_go(table, store, until)
    table.leave_no_trace()  # whether or not rows went just now: who let them go may have been killed before this
    return LetGo(until, people, media)


class Retention:
    """Belongs to one thread. A segment that was indexed stays known, so that a replay brings nobody back."""

    def __init__(
        self,
        table: PeopleTable,
        index: VectorIndex,
        store: MediaStore,
        keep: timedelta,
        entering: AbstractContextManager[object],
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Keep people for `keep`, counted in whole UTC days; `entering` is held by whoever enters them."""
        self._table, self._index, self._store = table, index, store
        self._keep, self._entering, self._now = keep, entering, now
        self._done_until: datetime | None = None

    def step(self) -> bool:
        """Let go of the next rows, and once a day of shards and media; false when nobody's days are over.

        Raises:
            PeopleTableError: The database cannot be read or written.
            VectorIndexError: The index cannot be changed.
        """
        until = kept_since(self._now(), self._keep)
        if until == self._done_until:
            return False
        with self._entering:
            self._index.drop_before(until)
        if _let_rows_go(self._table, until):
            return True
        try:
            media = let_media_go(self._table, self._store, until)
        except MediaStoreError as error:
            logger.warning("media stay beyond their days", extra={"uri": error.uri, "reason": error.reason})
            media = MediaLetGo(failed=1)
        self._table.leave_no_trace()  # at each start too: who let rows go may have been killed before this
        self._done_until = until
        told = {"until": until.isoformat(), "clips": media.clips, "crops": media.crops, "failed": media.failed}
        logger.info("people whose days are over are gone", extra=told)
        return False


def _let_rows_go(table: PeopleTable, until: datetime) -> int:
    chosen = select(PersonRecord.id).where(PersonRecord.first_seen_at < until).limit(AT_ONCE)
    with table.writing() as session:
        gone = list(session.scalars(chosen))
        delete_people(session, gone)
    return len(gone)
