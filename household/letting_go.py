"""Counts what is over its days, and lets copies for alerts go. Repeats are harmless."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from consumers.alerts.desk_database import DeskDatabase
from consumers.evidence.table import EvidenceTable
from consumers.indexer.people import PeopleReader
from consumers.indexer.retention import kept_since
from consumers.indexer.schema import MediaGone, PersonRecord, SegmentRecord
from consumers.settings import NotifierSettings
from streamer.bus.media_opening import open_media


def people_over(settings: NotifierSettings, keep: timedelta, now: datetime) -> tuple[int, int]:
    """How many people, and of how many results the media, are over the days that are kept.

    Raises:
        PeopleTableError: The database cannot be read.
    """
    until = kept_since(now, keep)
    still_has_media = ~select(MediaGone.segment_row).where(MediaGone.segment_row == SegmentRecord.id).exists()
    with PeopleReader(settings.database_url).reading() as session:
        people = session.scalar(select(func.count(PersonRecord.id)).where(PersonRecord.first_seen_at < until))
        chosen = select(func.count(SegmentRecord.id)).where(SegmentRecord.started_at < until, still_has_media)
        return people or 0, session.scalar(chosen) or 0


def let_copies_go(settings: NotifierSettings, now: datetime, *, is_dry: bool) -> tuple[int, int]:
    """Remove the copies for alerts that have run out and are not held; how many, and their bytes.

    Raises:
        DeskError: The desk cannot be read or written.
        MediaStoreError: A copy cannot be removed.
    """
    copies = EvidenceTable(DeskDatabase(settings.desk_url))
    count, size_bytes = copies.expired(now)
    if not is_dry:
        count = copies.drop_expired(now, open_media(settings).remove)
    return count, size_bytes
