"""What nobody could read, and what becomes of it: replayed onto its topic once, or dropped, and either is written down.

The person table has every refusal, the topic `dead-letters` only as long as the broker keeps it. A replay is claimed in
the table first, then published, then noted as done: two that are asked at the same moment publish once, and a crash in
between leaves *replaying*, which says that nobody knows whether the message is on the topic. What is refused once more
stands open again.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from consumers.errors import DeadLetterError
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import RejectionRecord
from streamer.bus.client import Bus
from streamer.bus.consumer import KEPT_BYTES
from streamer.bus.errors import MessageError
from streamer.bus.media import SCHEME, MediaStore
from streamer.bus.messages import Rejected, SegmentReady
from streamer.bus.topics import ALL, SEGMENTS, Topic

REPLAYING, REPLAYED, DROPPED = "replaying", "replayed", "dropped"
FEWEST_LETTERS = 6  # of an id that is not written out
TOPICS: dict[str, Topic[Any]] = {topic.name: topic for topic in ALL}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refusal as it stands; `handled` is None as long as nobody did anything about it."""

    rejected: Rejected
    noticed_at: datetime
    handled: str | None
    handled_at: datetime | None
    handled_by: str | None

    @property
    def original(self) -> bytes:
        """The bytes that were refused; none of a file."""
        return base64.b64decode(self.rejected.original_base64)


def refused_segment(rejected: Rejected) -> SegmentReady | None:
    """The segment whose video could not be read, where it lies in the media store; none: something else was refused."""
    if rejected.source_topic != SEGMENTS.name:
        return None
    try:
        segment = SEGMENTS.decode(base64.b64decode(rejected.original_base64))
    except (MessageError, binascii.Error):
        return None
    return segment if segment.uri.startswith(SCHEME) else None


class DeadLetters:
    """The refusals in the people database.

    Raises (every method): `PeopleTableError`.
    """

    def __init__(self, table: PeopleTable, store: MediaStore) -> None:
        """Those of `table`; `store` holds refusals of segments that a replay takes away."""
        self._table, self._store = table, store

    def listing(self, *, with_handled: bool = False, at_most: int = 1000) -> list[DeadLetter]:
        """The newest refusals, oldest first; those that were handled only if asked for."""
        chosen = select(RejectionRecord).order_by(RejectionRecord.id.desc()).limit(at_most)
        if not with_handled:
            chosen = chosen.where(_is_open())
        with self._table.reading() as session:
            return [_letter(row) for row in reversed(session.scalars(chosen).all())]

    def open_count(self, *, at_most: int) -> int:
        """How many nobody did anything about, counted up to `at_most`."""
        chosen = select(RejectionRecord.id).where(_is_open()).limit(at_most).subquery()
        with self._table.reading() as session:
            return session.scalar(select(func.count()).select_from(chosen)) or 0

    def get(self, rejected_id: str) -> DeadLetter:
        """The refusal of that id, of which the first letters are enough where no other begins so.

        Raises:
            DeadLetterError: There is none, or there are several.
        """
        with self._table.reading() as session:
            return _letter(_row(session, rejected_id))

    def replay(self, rejected_id: str, bus: Bus, *, who: str, at: datetime, again: bool = False) -> DeadLetter:
        """Put the bytes that were refused back on their topic and partition.

        Args:
            rejected_id: Which.
            bus: The broker.
            who: On whose behalf.
            at: Now.
            again: Even if it was replayed or dropped before, or its replay broke off.

        Raises:
            DeadLetterError: It cannot be replayed, or was handled before.
            BrokerUnreachableError: No broker answers. Before anything was sent it stands open as before, else as
                *replaying*.
        """
        letter = self.get(rejected_id)
        topic, partition = _place(letter)
        bus.incarnation()  # a broker that is away from the start leaves everything as it is
        self._mark(letter, REPLAYING, who=who, at=at, again=again)
        self._forget_refusal(letter.rejected)
        publisher = bus.publisher()
        try:
            publisher.resend(topic, letter.original, partition=partition)
            publisher.flush()
        finally:
            publisher.close()
        return self._mark(letter, REPLAYED, who=who, at=at, again=True)

    def drop(self, rejected_id: str, *, who: str, at: datetime) -> DeadLetter:
        """Note that it is given up.

        Raises:
            DeadLetterError: There is none, or it was handled before.
        """
        return self._mark(self.get(rejected_id), DROPPED, who=who, at=at, again=False)

    def _mark(self, letter: DeadLetter, handled: str, *, who: str, at: datetime, again: bool) -> DeadLetter:
        chosen = select(RejectionRecord).where(RejectionRecord.rejected_id == letter.rejected.rejected_id)
        with self._table.writing() as session:
            row = session.scalars(chosen.with_for_update()).one()
            if row.handled is not None and not again:
                raise DeadLetterError(row.rejected_id, _why_not(row))
            row.handled, row.handled_at, row.handled_by = handled, at, who
            return _letter(row)

    def _forget_refusal(self, rejected: Rejected) -> None:
        """Take away what an analyzer wrote down of a segment: it would answer with that and not look again."""
        if rejected.source_topic != SEGMENTS.name or rejected.segment_id is None or rejected.camera_id is None:
            return
        for uri in self._store.list(f"{SCHEME}results/{rejected.camera_id}"):
            name = uri.rsplit("/", 1)[-1]
            if name.startswith(f"{rejected.segment_id}.") and name.endswith(".rejected.json"):
                self._store.remove(uri)


def _is_open() -> ColumnElement[bool]:
    return RejectionRecord.handled.is_(None) | (RejectionRecord.handled == REPLAYING)


def _place(letter: DeadLetter) -> tuple[Topic[Any], int]:
    """Where it is put back.

    Raises:
        DeadLetterError: It never was a message, or not all of its bytes are kept.
    """
    rejected = letter.rejected
    topic = TOPICS.get(rejected.source_topic or "")
    if topic is None or rejected.partition is None:
        reason = f"{rejected.origin or 'it'} never was a message; put a file that can be read in its place, or drop it"
        raise DeadLetterError(rejected.rejected_id, reason)
    if not letter.original or len(letter.original) >= KEPT_BYTES:
        raise DeadLetterError(rejected.rejected_id, "not all of its bytes are kept; drop it")
    return topic, rejected.partition


def _row(session: Session, rejected_id: str) -> RejectionRecord:
    row = session.scalar(select(RejectionRecord).where(RejectionRecord.rejected_id == rejected_id))
    if row is not None:
        return row
    if len(rejected_id) < FEWEST_LETTERS:
        raise DeadLetterError(rejected_id, f"write at least {FEWEST_LETTERS} letters of its id")
    beginning = RejectionRecord.rejected_id.startswith(rejected_id, autoescape=True)
    rows = session.scalars(select(RejectionRecord).where(beginning).limit(2)).all()
    if len(rows) != 1:
        known = "several begin so" if rows else "there is none; `crewsight dead-letters list --all` shows them"
        raise DeadLetterError(rejected_id, known)
    return rows[0]


def _why_not(row: RejectionRecord) -> str:
    when = f"{row.handled_at:%Y-%m-%d %H:%M} UTC by {row.handled_by}"
    if row.handled == REPLAYING:
        return f"its replay of {when} broke off: it may be on its topic; replay it with --again to be sure, or drop it"
    return f"it was {row.handled} on {when}; --again replays it all the same"


def _letter(row: RejectionRecord) -> DeadLetter:
    rejected = Rejected.model_validate(row.rejected)
    return DeadLetter(rejected, row.noticed_at, row.handled, row.handled_at, row.handled_by)
