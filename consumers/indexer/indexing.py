"""The indexer's stage: rows, then vectors, then now and then a snapshot."""

import base64
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
from pydantic import ValidationError

from consumers.indexer.catching_up import catch_up
from consumers.indexer.dead_letters import refused_segment
from consumers.indexer.erased_media import erase_crops_and_clip, erase_from_manifest
from consumers.indexer.erasures import Erasures, Wish
from consumers.indexer.kept_index import KeptIndex
from consumers.indexer.people import Links, PeopleTable
from consumers.indexer.rows import SegmentSeen, indexed_seen
from consumers.indexer.snapshots import Snapshot, SnapshotFolder
from consumers.indexer.tombstones import Tombstones
from consumers.linking import link
from consumers.runner import IsStopping, Publication
from operations.logs import about
from streamer.bus.client import Received, TopicPartition
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from streamer.bus.messages import Message, Rejected, SegmentAnalyzed
from streamer.bus.topics import DEAD_LETTERS

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class Indexing:
    """The runner's stage that enters people, their vectors and refusals; repeats change nothing.

    Raises (from `work`): `PeopleTableError`, `MediaStoreError`, `VectorIndexError`: the world is broken.
    """

    def __init__(
        self,
        table: PeopleTable,
        store: MediaStore,
        index: KeptIndex,
        snapshots: SnapshotFolder,
        *,
        snapshot_every_s: float = 30.0,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Make the index whole: it may lack what the table has, and hold who was erased from it.

        Args:
            table: The truth.
            store: Where manifests lie.
            index: The vectors of everyone in the table, in the space of each.
            snapshots: Where it is noted how far in the topics the index has come.
            snapshot_every_s: Seconds between two snapshots of a changed index.
            now: The clock.
        """
        self._table, self._store, self._snapshots, self._now = table, store, snapshots, now
        self._tombstones = Tombstones(table)
        self._every_s = snapshot_every_s
        self.index = index
        self._snapshot = self._trusted(snapshots.load())
        self.incarnation = self._snapshot.incarnation if self._snapshot else None
        self._offsets: dict[TopicPartition, int] = {}
        self.entering = threading.Lock()  # held while people come in; whoever erases holds it meanwhile
        self._partitions: dict[str, int] = {}  # of cameras, as far as they are noted
        catch_up(index, table)
        self._saved_at_s = time.monotonic()
        self._is_saved = True

    def work(self, batch: Sequence[Received[Message]], is_stopping: IsStopping) -> Sequence[Sequence[Publication]]:
        """Enter a batch; what names no manifest becomes a dead letter."""
        del is_stopping  # a batch takes milliseconds
        found: list[Sequence[Publication]] = []
        for received in batch:
            with self.entering:
                found.append(self._enter(received))
        return found

    def first_offset(self, place: TopicPartition, incarnation: str) -> int | None:
        """The snapshot's offset in the same incarnation, else the start: the group's may belong to a lost table."""
        if place in self._offsets and incarnation == self.incarnation:
            return self._offsets[place]
        if self._snapshot is not None and incarnation == self._snapshot.incarnation:
            return self._snapshot.offset(place)
        return 0

    def committed(self, offsets: dict[TopicPartition, int], incarnation: str) -> None:
        """Note how far the index has come, and write a snapshot when one is due."""
        if incarnation != self.incarnation:
            self.incarnation, self._offsets = incarnation, {}
        self._offsets.update(offsets)
        self._is_saved = False
        if time.monotonic() - self._saved_at_s >= self._every_s:
            self.save()

    def save(self) -> None:
        """Write a snapshot, if anything has changed since the last.

        Raises:
            PeopleTableError: The table cannot be read.
            VectorIndexError: The folder cannot be written.
        """
        if self._is_saved:
            return
        known = dict(self._offsets)
        if self._snapshot is not None and self._snapshot.incarnation == self.incarnation:
            for topic, partitions in self._snapshot.offsets.items():
                for partition, offset in partitions.items():
                    known.setdefault(TopicPartition(topic, partition), offset)
        self.index.save()  # before the note: its offsets are never further than the index
        self._snapshot = self._snapshots.save(
            incarnation=self.incarnation, offsets=known, last_rows=self._table.last_rows()
        )
        self._saved_at_s, self._is_saved = time.monotonic(), True

    def _trusted(self, snapshot: Snapshot | None) -> Snapshot | None:
        """The snapshot, unless the table was lost or restored since and lacks what came before these offsets."""
        there = self._table.last_rows()
        if snapshot is None or (
            there.segment >= snapshot.last_rows.segment and there.rejection >= snapshot.last_rows.rejection
        ):
            return snapshot
        logger.warning("the person table lacks what it once had, topics are read anew")
        return None

    def _enter(self, received: Received[Message]) -> Sequence[Publication]:
        match received.message:
            case SegmentAnalyzed() as analyzed:
                with about(camera_id=analyzed.camera_id, segment_id=analyzed.segment_id):
                    return self._enter_segment(received, analyzed)
            case Rejected() as rejected:
                segment = refused_segment(rejected)
                if segment is not None and self._tombstones.is_erased_footage(segment):
                    self._store.remove(segment.uri)
                self._table.reject(rejected, noticed_at=self._now())
        return ()

    def _enter_segment(self, received: Received[Message], analyzed: SegmentAnalyzed) -> Sequence[Publication]:
        known = self._table.result(analyzed.segment_id, analyzed.analysis_revision)
        if known is not None:
            self._erase_again(known)
            return ()
        manifest = self._manifest(analyzed.manifest_uri)
        if manifest is None:
            reason = f"its manifest is not in the media store, or is none: {analyzed.manifest_uri}"
            refused = received.rejected(reason, camera_id=analyzed.camera_id, segment_id=analyzed.segment_id)
            return (Publication(DEAD_LETTERS, refused),)
        manifest = self._without_erased(manifest, analyzed.manifest_uri)
        embeddings = {person.person_id: base64.b64decode(person.embedding_base64) for person in manifest.people}
        if self._partitions.get(manifest.camera_id) != received.partition:
            self._table.note_partition(manifest.camera_id, received.partition)
            self._partitions[manifest.camera_id] = received.partition
        keys = self._table.record(manifest, analyzed.manifest_uri, self._links(manifest), embeddings)
        if keys:
            vectors = np.stack([np.frombuffer(embeddings[person_id], dtype="<f2") for person_id in keys])
            seen = {person.person_id: person for person in manifest.people}
            people = [
                indexed_seen(key, manifest, seen[person_id], received.partition) for person_id, key in keys.items()
            ]
            self.index.add(manifest.revisions.embedding_space, people, vectors.astype(np.float32))
        return ()

    def _without_erased(self, manifest: Manifest, uri: str) -> Manifest:
        """Who was erased before they came: in a replay, or in a segment that was still on its way."""
        everyone = {person.person_id for person in manifest.people}
        if self._tombstones.is_erased_footage(manifest):
            erased = everyone
            erase_from_manifest(self._store, uri, erased)
            self._store.remove(manifest.segment_uri)
        else:
            by_id = self._erase_by_id(manifest, uri)
            by_place = self._tombstones.erased_by_place(manifest) - by_id
            if by_place:  # another model found them: copies of alerts about these ids go too
                erase_from_manifest(self._store, uri, by_place)
                wish = Wish(person_ids=tuple(sorted(by_place)), is_by_place=True)
                Erasures(self._table).request(wish, at=self._now())
            erased = by_id | by_place
        others = tuple(person for person in manifest.people if person.person_id not in erased)
        return manifest.model_copy(update={"people": others})

    def _erase_by_id(self, manifest: Manifest, uri: str) -> set[str]:
        """Take away those of a manifest who were erased by their ids, with a clip that shows nobody else; who it is."""
        by_id = self._tombstones.erased_by_id(manifest)
        if by_id:
            erased = erase_from_manifest(self._store, uri, by_id, remember=self._tombstones.remember)
            results = map(self._manifest, self._table.manifests(manifest.segment_id))
            if not erased.others and not any(result.people for result in results if result is not None):
                self._store.remove(manifest.segment_uri)
        return by_id

    def _erase_again(self, known: SegmentSeen) -> None:
        """Take away what a media store from a backup has brought back of whoever was erased."""
        uri = known.manifest_uri
        if self._tombstones.is_erased_footage(known):
            erase_crops_and_clip(self._store, known)
            if self._manifest(uri) is not None:
                erase_from_manifest(self._store, uri, None)
        elif self._tombstones.is_anybody_erased(known) and (manifest := self._manifest(uri)) is not None:
            self._erase_by_id(manifest, uri)

    def _links(self, manifest: Manifest) -> Links:
        """Who continues whom, across whichever of the two borders has its other side in the table."""
        before, after = self._table.neighbours(
            manifest.segment_id, manifest.previous_segment_id, manifest.analysis_revision
        )
        previous = self._manifest(before.manifest_uri) if before else None
        back = link(previous, manifest) if previous else {}
        forward: dict[str, str] = {}
        for segment in after:
            following = self._manifest(segment.manifest_uri)
            forward.update(link(manifest, following) if following else {})
        return Links(back, forward)

    def _manifest(self, uri: str) -> Manifest | None:
        if not self._store.exists(uri):
            return None
        try:
            return Manifest.model_validate_json(self._store.read(uri))
        except ValidationError as error:
            logger.warning("a manifest cannot be read", extra={"uri": uri, "reason": str(error.errors()[0]["msg"])})
            return None
