"""The copier: gives every alert its crop, its frame with and without the box, and the clip around its moment.

The desk is its work queue: an alert whose `evidence_at` is empty is owed its copies, so a crash repeats them. Each copy
is written once and exclusively; a repeat finds it and enters what is there.
"""

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from consumers.alerts.schema import AlertRecord, EvidenceRecord, SeenSegmentRecord
from consumers.errors import EvidenceError, VideoReadError
from consumers.evidence.footage import Piece, boxed, cut_clip, frame_at, jpeg
from consumers.evidence.table import Copy, EvidenceTable
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, evidence_uri

logger = logging.getLogger(__name__)

CROP, FRAME, BOXED_FRAME, CLIP = "crop", "frame", "boxed frame", "clip"
NAMES = {CROP: "crop.jpg", FRAME: "frame.jpg", BOXED_FRAME: "boxed-frame.jpg", CLIP: "clip.mp4"}
KINDS = tuple(NAMES)
MOST_NEIGHBOURS = 20  # on either side; segments are about ten seconds long


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much is copied and for how long it is kept."""

    around_s: float = 5.0  # of the clip, before and after the moment
    wait_s: float = 30.0  # for the segment that follows
    keep: timedelta | None = timedelta(days=90)  # None: for good


class EvidenceCopier:
    """Copies what is owed, whenever `step` is called; belongs to one thread.

    Raises (from `step`): `MediaStoreError` when the store cannot be read or written, `DeskError`.
    """

    def __init__(
        self, table: EvidenceTable, store: MediaStore, keeping: Keeping, *, now: Callable[[], datetime] = _now
    ) -> None:
        """Copy within `store` what `table` says is owed."""
        self._table, self._store, self._keeping, self._now = table, store, keeping, now

    def step(self) -> int:
        """Copy what can be copied now; returns how many alerts have all their copies since."""
        return sum(self._copy(alert) for alert in self._table.owed() if self._table.is_owed(alert.alert_id))

    def drop_expired(self) -> int:
        """Remove what has run out and is not held; returns how many copies there were."""
        dropped = self._table.drop_expired(self._now(), self._store.remove)
        if dropped:
            logger.info("evidence has run out", extra={"copies": dropped})
        return dropped

    def _copy(self, alert: AlertRecord) -> bool:
        """Make the copies that an alert lacks; false while its clip waits for the segment that follows."""
        there = {row.kind for row in self._table.listing(alert.alert_id)}
        missing: list[str] = []
        if CROP not in there:
            self._try(alert, missing, CROP, lambda: self._store.read(alert.crop_uri), alert.crop_uri)
        if not {FRAME, BOXED_FRAME} <= there:
            self._copy_frames(alert, missing)
        if CLIP not in there:
            pieces = self._pieces(alert)
            if pieces is None:
                return False
            self._try(alert, missing, CLIP, lambda: self._clip(alert, pieces), alert.segment_uri)
        self._table.complete(alert.alert_id, self._now(), missing)
        return True

    def _copy_frames(self, alert: AlertRecord, missing: list[str]) -> None:
        if not self._store.exists(alert.segment_uri):
            missing.append(f"{FRAME}: its video is not in the media store")
            return
        try:
            with self._store.as_file(alert.segment_uri) as path:
                frame = frame_at(path, alert.look_at_s)
        except VideoReadError as error:
            missing.append(f"{FRAME}: {error.reason}")
            return
        self._keep(alert, FRAME, jpeg(frame))
        self._keep(alert, BOXED_FRAME, jpeg(boxed(frame, alert.box_xyxy)))

    def _try(self, alert: AlertRecord, missing: list[str], kind: str, make: Callable[[], bytes], source: str) -> None:
        """Make one copy; footage that is gone or broken is noted, a store that fails is not forgiven."""
        if not self._store.exists(source):
            missing.append(f"{kind}: what it is copied from is not in the media store")
            return
        try:
            self._keep(alert, kind, make())
        except VideoReadError as error:
            missing.append(f"{kind}: {error.reason}")

    def _keep(self, alert: AlertRecord, kind: str, content: bytes) -> None:
        uri = evidence_uri(alert.alert_id, NAMES[kind])
        if not self._store.write_once(uri, content):
            content = self._store.read(uri)  # copied before a crash
        now = self._now()
        copy = Copy(kind, uri, hashlib.sha256(content).hexdigest(), len(content))
        keep_until = now + self._keeping.keep if self._keeping.keep is not None else None
        if not self._table.record(alert.alert_id, copy, copied_at=now, keep_until=keep_until):
            self._store.remove(uri)

    def _clip(self, alert: AlertRecord, pieces: "list[_Stretch]") -> bytes:
        around = timedelta(seconds=self._keeping.around_s)
        with ExitStack() as files, tempfile.TemporaryDirectory(prefix="crewsight-") as folder:
            found = [
                Piece(files.enter_context(self._store.as_file(piece.uri)), piece.started_at)
                for piece in pieces
                if self._store.exists(piece.uri)
            ]
            target = Path(folder) / NAMES[CLIP]
            cut_clip(found, alert.met_at - around, alert.met_at + around, target)
            return target.read_bytes()

    def _pieces(self, alert: AlertRecord) -> "list[_Stretch] | None":
        """The segments that the clip lies in, in order; None while one that is to follow may still come."""
        around = timedelta(seconds=self._keeping.around_s)
        own = self._stretch(alert.manifest_uri) or _Stretch(
            alert.segment_id, alert.segment_uri, alert.segment_started_at, alert.met_at
        )
        before = list(self._walk(own, self._table.before, lambda s: s.started_at <= alert.met_at - around))
        after = list(self._walk(own, self._table.after, lambda s: s.ends_at >= alert.met_at + around))
        last = after[-1] if after else own
        # An alert of an alerter whose clock was far ahead does not wait until that hour has come.
        may_come = abs(self._now() - alert.raised_at) < timedelta(seconds=self._keeping.wait_s)
        if last.ends_at < alert.met_at + around and may_come:
            return None
        return [*reversed(before), own, *after]

    def _walk(
        self, own: "_Stretch", step: Callable[[str], SeenSegmentRecord | None], is_enough: Callable[["_Stretch"], bool]
    ) -> "Iterator[_Stretch]":
        here = own
        for _ in range(MOST_NEIGHBOURS):
            if is_enough(here):
                return
            neighbour = step(here.segment_id)
            found = self._stretch(neighbour.manifest_uri) if neighbour is not None else None
            if found is None:
                return
            yield found
            here = found

    def _stretch(self, manifest_uri: str) -> "_Stretch | None":
        """A segment as its manifest says; None where that is gone."""
        if not self._store.exists(manifest_uri):
            return None
        with suppress(ValidationError):
            manifest = Manifest.model_validate_json(self._store.read(manifest_uri))
            ends_at = manifest.started_at + timedelta(seconds=manifest.duration_s)
            return _Stretch(manifest.segment_id, manifest.segment_uri, manifest.started_at, ends_at)
        return None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One segment: where its video lies and what time it covers."""

    segment_id: str
    uri: str
    started_at: datetime
    ends_at: datetime


def proven(row: EvidenceRecord, store: MediaStore) -> None:
    """Return if a copy is there, byte for byte as it was made.

    Raises:
        EvidenceError: It is gone or another.
        MediaStoreError: The store cannot be read.
    """
    if not store.exists(row.uri):
        raise EvidenceError(row.alert_id, f"{row.kind} is gone: {row.uri}")
    found = hashlib.sha256(store.read(row.uri)).hexdigest()
    if found != row.sha256:
        raise EvidenceError(row.alert_id, f"{row.kind} was changed: {row.uri} has SHA-256 {found}, not {row.sha256}")
