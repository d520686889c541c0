"""The alerter's stage: segments in, alerts on the desk.

Rule states, alerts, what is owed to channels, and how far the desk has come in the topic become durable in **one**
transaction for each batch. So a crash at any moment leaves either all of a batch or nothing of it. A segment that has
been counted is never counted again, whoever delivers it: so nothing is raised twice either.

What is in memory is only a copy of the desk. Another alerter may have had the partition in between: each batch begins
by asking the desk who wrote last, and forgets what it remembers if that was somebody else.
"""

import logging
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from sqlalchemy.orm import Session

from consumers.alerts.borders import border_of, linked
from consumers.alerts.chains import CameraMemory
from consumers.alerts.deciding import CameraRules
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.entering import (
    Additions,
    followers_among,
    forget_old_segments,
    load_camera,
    manifest_of,
    note_revisions,
    seen_among,
    write,
)
from consumers.alerts.observing import OddManifestError, pieces_of
from consumers.alerts.offsets import offset_of, raise_offset, take_place
from consumers.alerts.schema import AlertRecord
from consumers.alerts.standing import RulesInForce, Standing
from consumers.measuring import note_alert, note_decided
from consumers.runner import IsStopping, Publication
from operations.logs import about
from operations.seeing.tracing import traceparent
from streamer.bus.client import Received, TopicPartition
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentAnalyzed
from streamer.bus.topics import DEAD_LETTERS

logger = logging.getLogger(__name__)

CAMERAS_AT_MOST = 1000  # remembered at once; the others are read from the desk again
BORDERS_KEPT = 3  # of each camera
FORGET_EVERY = timedelta(hours=1)
MANIFEST_URI = re.compile(r"media:///results/[^/\0]{1,200}/[^/\0]{1,200}\.json")
NUL = rb"\u0000"  # PostgreSQL keeps no such character, and refuses to be asked for it


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Camera:
    """A camera of one of our partitions."""

    place: TopicPartition
    memory: CameraMemory
    borders: OrderedDict[str, Manifest] = field(default_factory=OrderedDict)  # by segment id, the latest last
    rules: CameraRules | None = None
    standing: Standing | None = None


class Alerting:
    """The runner's stage that decides about everyone who was seen; repeats change nothing.

    Raises (from `work`): `DeskError`, `MediaStoreError`: the world is broken.
    """

    def __init__(
        self,
        desk: DeskDatabase,
        store: MediaStore,
        rules: RulesInForce,
        *,
        notify_within: timedelta = timedelta(minutes=15),
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Decide by `rules` about what manifests in `store` say, and enter alerts into `desk`.

        Args:
            desk: Where alerts and states are kept.
            store: Where manifests lie.
            rules: Asked for the rules before every batch.
            notify_within: An alert about older footage is recorded and not sent.
            now: The clock; it only tells how old footage is and when an alert was raised.
        """
        self._desk, self._store, self._rules = desk, store, rules
        self._notify_within, self._now = notify_within, now
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()
        self._owner = uuid.uuid4().hex
        self._standing: Standing | None = None
        self._forgot_at: datetime | None = None
        self._refused: dict[TopicPartition, int] = {}  # the first offset whose dead letter may not be published yet

    def work(
        self, batch: Sequence[Received[SegmentAnalyzed]], is_stopping: IsStopping
    ) -> Sequence[Sequence[Publication]]:
        """Decide about a batch; what names no manifest becomes a dead letter."""
        del is_stopping  # a batch takes milliseconds
        standing = self._rules.look()
        read = [self._read(received.message.manifest_uri) for received in batch]
        try:
            with self._desk.writing() as session:
                publications, alerts, entered = self._enter(session, batch, read, standing)
        except BaseException:
            self._cameras.clear()  # what it remembers may be of a batch that never became durable
            raise
        self._standing = standing
        for manifest in read:
            if isinstance(manifest, Manifest) and manifest.segment_id in entered:
                entered.discard(manifest.segment_id)  # a batch may hold it twice
                note_decided(manifest, self._now())
        for alert in alerts:
            note_alert(alert.camera_id, alert.severity, alert.met_at, alert.raised_at, is_sent=alert.is_sent)
            facts = {
                "alert_id": alert.alert_id,
                "rule_id": alert.rule_id,
                "camera_id": alert.camera_id,
                "segment_id": alert.segment_id,
                "person_id": alert.person_id,
            }
            logger.info("alert raised", extra={**facts, "met_at": alert.met_at.isoformat(), "is_sent": alert.is_sent})
        return publications

    def first_offset(self, place: TopicPartition, incarnation: str) -> int | None:
        """The desk's offset in the same incarnation, else the start: the group's may belong to a lost desk."""
        with self._desk.reading() as session:
            return offset_of(session, place, incarnation)

    def committed(self, offsets: dict[TopicPartition, int], incarnation: str) -> None:
        """Note how far dead letters, too, are published: the desk's own offset waits for them."""
        for place, offset in offsets.items():
            if self._refused.get(place, offset) < offset:
                del self._refused[place]
        with self._desk.reading() as session:
            behind = {p: o for p, o in offsets.items() if offset_of(session, p, incarnation) < o}
        if behind:
            with self._desk.writing() as session:
                for place, offset in behind.items():
                    raise_offset(session, place, incarnation, offset)

    def _enter(
        self,
        session: Session,
        batch: Sequence[Received[SegmentAnalyzed]],
        read: Sequence[Manifest | str],
        standing: Standing,
    ) -> tuple[list[tuple[Publication, ...]], list[AlertRecord], set[str]]:
        """What is to be published for each message, the alerts that are new, and the segments that were counted."""
        now, additions = self._now(), Additions()
        for each in batch:
            if trace := traceparent(each.headers):
                additions.traces[each.message.segment_id] = trace
        self._forget_what_others_wrote(session, batch)
        segment_ids = [each.message.segment_id for each in batch if "\0" not in each.message.segment_id]
        seen, followers = seen_among(session, segment_ids), followers_among(session, segment_ids)
        publications: list[tuple[Publication, ...]] = []
        for received, manifest in zip(batch, read, strict=True):
            refusal = None
            if received.message.segment_id not in seen and received.message.segment_id not in additions.seen:
                with about(camera_id=received.message.camera_id, segment_id=received.message.segment_id):
                    refusal = self._decide(session, received, manifest, standing, followers, additions)
            publications.append(_dead_letter(received, refusal) if refusal else ())
        if standing is not self._standing:
            note_revisions(session, standing.in_force, now)
        alerts = write(session, additions, now=now, notify_within=self._notify_within)
        self._note_offsets(session, batch, publications)
        if self._forgot_at is None or now - self._forgot_at > FORGET_EVERY:
            forget_old_segments(session, now)
            self._forgot_at = now
        return publications, alerts, set(additions.seen)

    def _decide(
        self,
        session: Session,
        received: Received[SegmentAnalyzed],
        manifest: Manifest | str,
        standing: Standing,
        followers: dict[str, list[str]],
        additions: Additions,
    ) -> str | None:
        """Count one segment's looks; returns why it cannot be done, if so."""
        if isinstance(manifest, str):
            return manifest
        if manifest.segment_id != received.message.segment_id or manifest.camera_id != received.message.camera_id:
            return f"its manifest is another segment's: {received.message.manifest_uri}"
        uri = received.message.manifest_uri
        camera = self._camera(session, manifest.camera_id, received.topic_partition, standing)
        assert camera.rules is not None
        try:
            pieces = pieces_of(manifest, uri, questions=camera.rules.questions)
        except OddManifestError as error:
            return f"its manifest makes no sense: {error}"
        border = border_of(manifest)
        before = self._border(session, camera, manifest.previous_segment_id)
        back = linked(before, border) if before else {}
        forward: dict[str, str] = {}
        for following in followers.get(manifest.segment_id, ()):
            after = self._read(following)
            forward.update(linked(border, border_of(after)) if isinstance(after, Manifest) else {})
        additions.take(camera.memory.enter(pieces, back, forward, camera.rules), camera.memory)
        additions.note_seen(manifest, uri, now=self._now())
        if manifest.previous_segment_id:
            followers.setdefault(manifest.previous_segment_id, []).append(uri)
        camera.borders[manifest.segment_id] = border
        if len(camera.borders) > BORDERS_KEPT:
            camera.borders.popitem(last=False)
        return None

    def _camera(self, session: Session, camera_id: str, place: TopicPartition, standing: Standing) -> _Camera:
        camera = self._cameras.get(camera_id)
        if camera is None:
            camera = self._cameras[camera_id] = _Camera(place, load_camera(session, camera_id))
            if len(self._cameras) > CAMERAS_AT_MOST:
                self._cameras.popitem(last=False)
        self._cameras.move_to_end(camera_id)
        camera.place = place
        if camera.standing is not standing:
            camera.rules = CameraRules(standing.book, standing.in_force, camera_id)
            camera.standing = standing
        return camera

    def _border(self, session: Session, camera: _Camera, segment_id: str | None) -> Manifest | None:
        """The border of a segment that was counted; None without one."""
        if segment_id is None:
            return None
        if segment_id in camera.borders:
            return camera.borders[segment_id]
        uri = manifest_of(session, segment_id)
        manifest = self._read(uri) if uri else None
        return border_of(manifest) if isinstance(manifest, Manifest) else None

    def _read(self, uri: str) -> Manifest | str:
        """The manifest at a URI, or why there is none."""
        if not MANIFEST_URI.fullmatch(uri):
            return f"it names no manifest: {uri[:200]}"
        if not self._store.exists(uri):
            return f"its manifest is not in the media store: {uri}"
        content = self._store.read(uri)
        if NUL in content:
            return f"its manifest holds a character that no name has: {uri}"
        try:
            return Manifest.model_validate_json(content)
        except ValidationError as error:
            return f"its manifest is none: {uri}: {error.errors(include_url=False, include_input=False)[0]['msg']}"

    def _forget_what_others_wrote(self, session: Session, batch: Sequence[Received[SegmentAnalyzed]]) -> None:
        for place in {received.topic_partition for received in batch}:
            if not take_place(session, place, self._owner):
                for camera_id in [name for name, camera in self._cameras.items() if camera.place == place]:
                    del self._cameras[camera_id]

    def _note_offsets(
        self,
        session: Session,
        batch: Sequence[Received[SegmentAnalyzed]],
        publications: Sequence[tuple[Publication, ...]],
    ) -> None:
        """Move each offset past the batch, or up to the first refusal that may not be published yet."""
        reached: dict[TopicPartition, tuple[str, int]] = {}
        for received, owed in zip(batch, publications, strict=True):
            place = received.topic_partition
            if owed:
                self._refused.setdefault(place, received.offset)
            offset = min(received.offset + 1, self._refused.get(place, received.offset + 1))
            reached[place] = received.incarnation, offset
        for place, (incarnation, offset) in reached.items():
            raise_offset(session, place, incarnation, offset)


def _dead_letter(received: Received[SegmentAnalyzed], reason: str) -> tuple[Publication, ...]:
    message = received.message
    rejected = received.rejected(reason, camera_id=message.camera_id, segment_id=message.segment_id)
    return (Publication(DEAD_LETTERS, rejected),)
