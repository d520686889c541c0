"""The analyzer's stage: from `SegmentReady` to a durable manifest, and to the messages that name it.

A result is written once. Crops come first, then the manifest, created exclusively: whoever reads a manifest finds its
crops. A segment that has a manifest is never analysed again, and the loser of a race takes the winner's.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from pydantic import ValidationError

from consumers.analyzer.analyze import Analyzed, Segment, analyze_batch, unreadable
from consumers.analyzer.asking import AskedOnce, NoMoreQuestions, QuestionSource
from consumers.analyzer.eyes import Eyes
from consumers.measuring import note_manifest
from consumers.runner import IsStopping, Publication
from streamer.bus.client import Received, TopicPartition
from streamer.bus.errors import MediaStoreError
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, manifest_uri, rejection_uri
from streamer.bus.messages import Rejected, SegmentAnalyzed, SegmentReady
from streamer.bus.topics import DEAD_LETTERS, PEOPLE

logger = logging.getLogger(__name__)

Result = Manifest | Rejected


class SegmentAnalysis:
    """The runner's stage that analyses segments.

    Raises (from `work`): `MediaStoreError` when the store cannot be written or read, `WorkAbandonedError` when told to
    stop.
    """

    def __init__(self, eyes: Eyes, store: MediaStore, questions: QuestionSource | None = None) -> None:
        """Look with `eyes` at what lies in `store`; `questions` adds to what they ask by themselves."""
        self._store = store
        self._asked = AskedOnce(eyes, store, questions or NoMoreQuestions())

    def work(self, batch: Sequence[Received[SegmentReady]], is_stopping: IsStopping) -> Sequence[Sequence[Publication]]:
        """A durable manifest or refusal of every segment, and the message that says so."""
        refused = self._asked.look(batch[0].incarnation) if batch else []
        results: dict[str, Result] = {}
        wanted: dict[Eyes, dict[str, Received[SegmentReady]]] = {}
        for received in batch:
            ready = received.message
            eyes = self._asked.eyes_for(ready)
            known = self._known(ready, eyes.analysis_revision)
            if known is not None:
                results[ready.segment_id] = known
            else:
                wanted.setdefault(eyes, {}).setdefault(ready.segment_id, received)
        for eyes, alike in wanted.items():  # more than one only where segments come again after questions changed
            results.update(self._analyze(list(alike.values()), eyes, is_stopping))
        publications = [[_publication(results[received.message.segment_id])] for received in batch]
        if refused:
            publications[0] += [Publication(DEAD_LETTERS, rejected) for rejected in refused]
        return publications

    def first_offset(self, place: TopicPartition, incarnation: str) -> int | None:
        """The group's own."""
        del place, incarnation
        return None

    def committed(self, offsets: dict[TopicPartition, int], incarnation: str) -> None:
        """Keep nothing."""

    def _known(self, ready: SegmentReady, revision: str) -> Result | None:
        """What an earlier delivery of the same segment led to."""
        place = ready.camera_id, ready.segment_id, revision
        if self._store.exists(manifest_uri(*place)):
            return read_manifest(self._store, manifest_uri(*place))
        if self._store.exists(rejection_uri(*place)):
            return Rejected.model_validate_json(self._store.read(rejection_uri(*place)))
        return None

    def _analyze(
        self, batch: Sequence[Received[SegmentReady]], eyes: Eyes, is_stopping: IsStopping
    ) -> Iterator[tuple[str, Result]]:
        with ExitStack() as files:
            opened = [(received, self._fetch(received.message, files)) for received in batch]
            found = [(received, one) for received, one in opened if isinstance(one, Segment)]
            analyzed = analyze_batch([segment for _, segment in found], eyes, is_stopping=is_stopping)
        for received, refused in opened:
            if isinstance(refused, Rejected):
                # Not kept: the file may be put back, and the segment sent again.
                yield received.message.segment_id, _placed(refused, received)
        for (received, _), result in zip(found, analyzed, strict=True):
            yield received.message.segment_id, self._keep(result, received, eyes.analysis_revision)

    def _fetch(self, ready: SegmentReady, files: ExitStack) -> Segment | Rejected:
        """The segment with a local file; a store that is no local folder is read into a temporary one."""
        if not self._store.exists(ready.uri):
            return unreadable(ready, f"its video is not in the media store: {ready.uri}")
        return Segment(ready, files.enter_context(self._store.as_file(ready.uri)))

    def _keep(self, result: Analyzed | Rejected, received: Received[SegmentReady], revision: str) -> Result:
        if isinstance(result, Analyzed):
            manifest = write_result(result, self._store)
            note_manifest(result.manifest)
            return manifest
        logger.warning(
            "a segment cannot be read",
            extra={
                "camera_id": result.camera_id,
                "segment_id": result.segment_id,
                "partition": received.partition,
                "offset": received.offset,
                "reason": result.reason,
            },
        )
        placed = _placed(result, received)
        ready = received.message
        uri = rejection_uri(ready.camera_id, ready.segment_id, revision)
        if self._store.write_once(uri, placed.model_dump_json(exclude_none=True).encode()):
            return placed
        return Rejected.model_validate_json(self._store.read(uri))


def write_result(analyzed: Analyzed, store: MediaStore) -> Manifest:
    """Write one result once: its crops, then its manifest. Returns the manifest that is there afterwards.

    Raises:
        MediaStoreError: The store cannot be written.
    """
    manifest = analyzed.manifest
    for uri, jpeg in analyzed.crops.items():
        store.write(uri, jpeg)
    uri = manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision)
    if store.write_once(uri, manifest.model_dump_json().encode()):
        return manifest
    return read_manifest(store, uri)


def read_manifest(store: MediaStore, uri: str) -> Manifest:
    """The manifest at `uri`.

    Raises:
        MediaStoreError: It is not there, or is no manifest.
    """
    try:
        return Manifest.model_validate_json(store.read(uri))
    except ValidationError as error:
        raise MediaStoreError(uri, f"not a manifest: {error.errors(include_url=False)[0]['msg']}") from error


def announcement(manifest: Manifest) -> SegmentAnalyzed:
    """The message that says where a manifest lies."""
    return SegmentAnalyzed(
        segment_id=manifest.segment_id,
        previous_segment_id=manifest.previous_segment_id,
        camera_id=manifest.camera_id,
        analysis_revision=manifest.analysis_revision,
        manifest_uri=manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision),
        person_count=len(manifest.people),
        timings_s=manifest.timings_s,
    )


def _publication(result: Result) -> Publication:
    if isinstance(result, Rejected):
        return Publication(DEAD_LETTERS, result)
    return Publication(PEOPLE, announcement(result))


def _placed(refused: Rejected, received: Received[SegmentReady]) -> Rejected:
    """The refusal with the place and the bytes of the message that asked for it."""
    return received.rejected(refused.reason).model_copy(update=refused.model_dump(exclude_unset=True))
