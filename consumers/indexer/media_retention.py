"""Lets clips, crops and the people in manifests go whose days are over. Copies for alerts are not looked at here.

Harmless to repeat and to break off: what a crash leaves is found again. It may run beside the indexer.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from consumers.indexer.erased_media import erase_crops_and_clip, erase_from_manifest
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import MediaGone, SegmentRecord
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore

logger = logging.getLogger(__name__)

AT_ONCE = 200  # results between two notes of what is gone


@dataclass(frozen=True, slots=True)
class MediaLetGo:
    """How much went, and of how many results something could not be reached."""

    clips: int = 0
    crops: int = 0
    failed: int = 0

    def and_(self, other: "MediaLetGo") -> "MediaLetGo":
        """Both together."""
        return MediaLetGo(self.clips + other.clips, self.crops + other.crops, self.failed + other.failed)


def let_media_go(table: PeopleTable, store: MediaStore, until: datetime) -> MediaLetGo:
    """Remove what was filmed before an instant: by the results that are known, then by the days of clips.

    An emptied manifest stays, so that a replay finds that the segment was analysed and that nobody is in it. A clip
    that never was analysed goes a day after the others.

    Raises:
        PeopleTableError: The database cannot be read or written.
        MediaStoreError: The store does not list its days.
    """
    gone, last = MediaLetGo(), 0
    while results := _over(table, until, after=last):
        done: list[int] = []
        for result in results:
            if result.started_at + timedelta(seconds=result.duration_s) > until:
                continue
            try:
                gone = gone.and_(_without_media(store, result))
                done.append(result.id)
            except MediaStoreError as error:
                gone = gone.and_(MediaLetGo(failed=1))
                logger.warning("media stay beyond their days", extra={"uri": error.uri, "reason": error.reason})
        with table.writing() as session:
            for row in done:
                session.merge(MediaGone(segment_row=row))
        last = results[-1].id
    return gone.and_(_never_analysed(store, until))


def _over(table: PeopleTable, until: datetime, *, after: int) -> Sequence[SegmentRecord]:
    chosen = (
        select(SegmentRecord)
        .where(SegmentRecord.id > after, SegmentRecord.started_at < until)
        .where(~select(MediaGone.segment_row).where(MediaGone.segment_row == SegmentRecord.id).exists())
        .order_by(SegmentRecord.id)
        .limit(AT_ONCE)
    )
    with table.reading() as session:
        found = session.scalars(chosen).all()
        session.expunge_all()
        return found


def _without_media(store: MediaStore, result: SegmentRecord) -> MediaLetGo:
    was_there = store.exists(result.uri)
    crops = erase_from_manifest(store, result.manifest_uri, None).crops + erase_crops_and_clip(store, result)
    return MediaLetGo(clips=int(was_there), crops=crops)


def _never_analysed(store: MediaStore, until: datetime) -> MediaLetGo:
    """Take away clips by their day: of cameras that were recorded while nobody analysed, or that could not be read."""
    clips = 0
    for day, folder in list(store.clip_days()):
        if datetime.combine(day, datetime.min.time(), UTC) < until - timedelta(days=1):
            for uri in store.list(folder):
                store.remove(uri)
                clips += 1
    return MediaLetGo(clips=clips)
