"""Lets go of what the settings keep for so many days, beside running processes too. Repeats are harmless."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import EvidenceRecord
from consumers.evidence.table import EvidenceTable
from consumers.indexer.erasures import delete_people
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import PersonRecord
from consumers.settings import NotifierSettings
from streamer.bus.media_opening import open_media

AT_ONCE = 500  # rows a transaction: whoever enters people waits for no more


def let_people_go(settings: NotifierSettings, keep: timedelta, now: datetime, *, is_dry: bool) -> tuple[datetime, int]:
    """Delete the rows of people who were first seen before the days that are kept; since when, and how many.

    Raises:
        PeopleTableError: The database cannot be read or written.
    """
    until = (now - keep).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    table = PeopleTable(settings.database_url)
    over = PersonRecord.first_seen_at < until
    if is_dry:
        with table.reading() as session:
            return until, session.scalar(select(func.count(PersonRecord.id)).where(over)) or 0
    people = 0
    while True:
        with table.writing() as session:
            gone = list(session.scalars(select(PersonRecord.id).where(over).limit(AT_ONCE)))
            delete_people(session, gone)
        people += len(gone)
        if not gone:
            return until, people


def let_copies_go(settings: NotifierSettings, now: datetime, *, is_dry: bool) -> tuple[int, int]:
    """Remove the copies for alerts that have run out and are not held; how many, and their bytes.

    Raises:
        DeskError: The desk cannot be read or written.
        MediaStoreError: A copy cannot be removed.
    """
    desk = DeskDatabase(settings.desk_url)
    over = EvidenceRecord.keep_until <= now, EvidenceRecord.legal_hold.is_(False)
    chosen = select(func.count(EvidenceRecord.id), func.sum(EvidenceRecord.size_bytes)).where(*over)
    with desk.reading() as session:
        count, size_bytes = session.execute(chosen).one()
    if not is_dry:
        count = EvidenceTable(desk).drop_expired(now, open_media(settings).remove)
    return count, int(size_bytes or 0)
