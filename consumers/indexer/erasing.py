"""Completes the wishes that people be erased: rows, vectors, media, evidence, words left in files, then it is said."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import ConsumerError
from consumers.evidence.erasing import (
    ErasedFootage,
    EvidenceErased,
    erase_evidence_of_footage,
    erase_evidence_of_people,
)
from consumers.indexer.erased_media import erase_crops, erase_from_manifest, nothing_remembered, read_manifest
from consumers.indexer.erasures import Erasure, Erasures, Report, Wish, Work
from consumers.indexer.people import PeopleTable
from consumers.indexer.tombstones import Tombstones, who_goes_there
from consumers.search.vector_index import VectorIndex
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class EvidenceErasing:
    """Takes away the copies of alerts about whoever is erased; the desk is opened only for that."""

    def __init__(
        self, desk_url: str, store: MediaStore, *, around_s: float, now: Callable[[], datetime] = _now
    ) -> None:
        """Of the desk at an SQLAlchemy URL, in `store`; their clips reach `around_s` before and after the moment."""
        self._desk_url, self._store, self._now = desk_url, store, now
        self._around = timedelta(seconds=around_s)

    def __call__(self, wish: Wish, work: Work) -> EvidenceErased:
        """Erase what a wish touches.

        Raises:
            DeskError: The desk cannot be read or written.
            MediaStoreError: A copy cannot be removed.
        """
        desk = DeskDatabase(self._desk_url)
        try:
            if wish.camera_id is not None and wish.since is not None and wish.until is not None:
                footage = ErasedFootage(wish.camera_id, wish.since, wish.until, list(work.segments))
                return erase_evidence_of_footage(desk, footage, self._around, self._store.remove, at=self._now())
            return erase_evidence_of_people(desk, work.person_ids, self._store.remove, at=self._now())
        finally:
            desk.close()


class Erasing:
    """Belongs to one thread.

    A crash between any two steps repeats the wish, whose every step is harmless when it is repeated.
    """

    def __init__(
        self,
        table: PeopleTable,
        index: VectorIndex,
        store: MediaStore,
        erase_evidence: Callable[[Wish, Work], EvidenceErased],
        entering: AbstractContextManager[object],
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Erase from these.

        Args:
            table: The people database, with its wishes.
            index: Their vectors.
            store: Their crops, manifests and clips.
            erase_evidence: Takes away the copies of alerts about them.
            entering: Held by whoever enters people: nobody comes in between rows that go and vectors that go.
            now: The clock.
        """
        self._table, self._index, self._store, self._now = table, index, store, now
        self._erasures, self._erase_evidence, self._entering = Erasures(table), erase_evidence, entering
        self._tombstones = Tombstones(table)

    def step(self) -> bool:
        """Complete every wish that is pending; false when one has to be tried again later, or there is none.

        Raises:
            PeopleTableError: The people database cannot be read or written.
        """
        has_worked = False
        while pending := self._erasures.pending():  # one may leave another
            has_worked = True
            reports = [(erasure, self._report(erasure)) for erasure in pending]
            reported = [(erasure, report) for erasure, report in reports if report is not None]
            is_finished = bool(reported) and self._finish(reported)
            if not is_finished or len(reported) < len(pending):
                return False
        return has_worked

    def _report(self, erasure: Erasure) -> Report | None:
        """What was erased, but for words in the database's files; none: it has to be tried again later."""
        with self._entering:
            work = self._erasures.begin(erasure, at=self._now())
            try:
                vectors = self._index.remove(work.keys)
            except ConsumerError as error:
                self._put_off(erasure, erasure.report or Report(people=len(work.keys)), error)
                return None
        try:
            report = self._media(erasure.wish, work).model_copy(update={"vectors": vectors})
            evidence = self._erase_evidence(erasure.wish, work)
            elsewhere = self._others_there(erasure.wish, work)
        except (MediaStoreError, ConsumerError) as error:
            self._put_off(erasure, erasure.report or Report(people=len(work.keys)), error)
            return None
        told = {"evidence": evidence.copies, "held": evidence.held, "elsewhere": elsewhere}
        return report.model_copy(update=told)

    def _finish(self, reported: Sequence[tuple[Erasure, Report]]) -> bool:
        """Say that these are done, and not before no file keeps their words: what is done is never looked at again."""
        try:
            self._table.leave_no_trace()
        except ConsumerError as error:
            for erasure, report in reported:
                self._put_off(erasure, report, error)
            return False
        for erasure, report in reported:
            self._erasures.finish(erasure, report, at=self._now())
            logger.info("people were erased", extra={"erasure": erasure.id, "people": report.people})
        return True

    def _media(self, wish: Wish, work: Work) -> Report:
        crops, manifests = 0, 0
        clips: list[str] = []
        shared: list[str] = []
        for clip, uris in work.segments.items():
            whom = None if wish.is_footage else work.person_ids
            remember = nothing_remembered if wish.is_footage or wish.is_by_place else self._tombstones.remember
            erased = [erase_from_manifest(self._store, uri, whom, remember=remember) for uri in uris]
            crops += sum(one.crops for one in erased)
            manifests += sum(one.is_rewritten for one in erased)
            if not wish.is_footage and any(one.others for one in erased):
                shared.append(clip)
                continue
            self._store.remove(clip)
            clips.append(clip)
        crops += erase_crops(self._store, work.crops)  # those of a manifest that was lost
        return Report(
            people=len(work.keys), crops=crops, manifests=manifests, clips=tuple(clips), shared_clips=tuple(shared)
        )

    def _others_there(self, wish: Wish, work: Work) -> int:
        """Wish away whom other analyses found where the erased were; returns how many tracks that is."""
        if wish.is_footage or wish.is_by_place:
            return 0
        paths = self._tombstones.paths_of(work.person_ids)
        found: set[str] = set()
        for uri in self._tombstones.results_about(paths):
            if self._store.exists(uri):
                manifest = read_manifest(self._store, uri)
                found |= who_goes_there(manifest, paths) - self._tombstones.erased_by_id(manifest)
        if found:
            self._erasures.request(Wish(person_ids=tuple(sorted(found)), is_by_place=True), at=self._now())
        return len(found)

    def _put_off(self, erasure: Erasure, report: Report, error: Exception) -> None:
        logger.warning("an erasure is not complete", extra={"erasure": erasure.id, "reason": str(error)})
        self._erasures.finish(erasure, report.model_copy(update={"waits_for": str(error)}), at=None)
