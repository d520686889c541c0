"""The desk's list of copies: what is owed, what is there, what is held and what has run out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, AuditRecord, EvidenceRecord, HistoryRecord, SeenSegmentRecord
from consumers.errors import EvidenceError

NOTIFIER = "notifier"  # who, in an alert's history
HELD, RELEASED, INCOMPLETE = "evidence held", "evidence released", "evidence incomplete"  # actions in history and audit


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy as it was made."""

    kind: str
    uri: str
    sha256: str
    size_bytes: int


class EvidenceTable:
    """The desk as evidence sees it; safe to share between threads.

    Raises (every method): `DeskError`.
    """

    def __init__(self, desk: DeskDatabase) -> None:
        """Read and write `desk`."""
        self._desk = desk

    def owed(self, limit: int = 500) -> list[AlertRecord]:
        """Alerts whose copies are not complete, oldest first."""
        chosen = select(AlertRecord).where(AlertRecord.evidence_at.is_(None)).order_by(AlertRecord.id).limit(limit)
        with self._desk.reading() as session:
            return list(session.scalars(chosen))

    def listing(self, alert_id: str | None = None) -> list[EvidenceRecord]:
        """All copies, or those of one alert, in the order in which they were made."""
        chosen = select(EvidenceRecord).order_by(EvidenceRecord.id)
        if alert_id is not None:
            chosen = chosen.where(EvidenceRecord.alert_id == alert_id)
        with self._desk.reading() as session:
            return list(session.scalars(chosen))

    def before(self, segment_id: str) -> SeenSegmentRecord | None:
        """The segment that ends where this one begins, if the desk has seen both."""
        this = select(SeenSegmentRecord.previous_segment_id).where(SeenSegmentRecord.segment_id == segment_id)
        chosen = select(SeenSegmentRecord).where(SeenSegmentRecord.segment_id == this.scalar_subquery())
        return self._first(chosen)

    def after(self, segment_id: str) -> SeenSegmentRecord | None:
        """The segment that begins where this one ends, if the desk has seen it."""
        chosen = select(SeenSegmentRecord).where(SeenSegmentRecord.previous_segment_id == segment_id)
        return self._first(chosen.order_by(SeenSegmentRecord.started_at))

    def is_owed(self, alert_id: str) -> bool:
        """Whether copies of an alert are not complete, nor erased, by now."""
        chosen = select(AlertRecord.id).where(AlertRecord.alert_id == alert_id, AlertRecord.evidence_at.is_(None))
        with self._desk.reading() as session:
            return session.scalar(chosen) is not None

    def record(self, alert_id: str, copy: Copy, *, copied_at: datetime, keep_until: datetime | None) -> bool:
        """Enter one copy, once; it is held if another copy of the same alert is.

        Returns:
            Whether it is entered; false: none is owed any more, as whoever the alert is about was erased meanwhile.
        """
        with self._desk.writing() as session:
            # Locked, as an erasure that begins now has to find what is entered here.
            alert = session.scalars(select(AlertRecord).where(AlertRecord.alert_id == alert_id).with_for_update()).one()
            there = list(session.scalars(select(EvidenceRecord).where(EvidenceRecord.alert_id == alert_id)))
            if any(row.kind == copy.kind for row in there):
                return True
            if alert.evidence_at is not None:
                return False
            session.add(
                EvidenceRecord(
                    alert_id=alert_id,
                    kind=copy.kind,
                    uri=copy.uri,
                    sha256=copy.sha256,
                    size_bytes=copy.size_bytes,
                    copied_at=copied_at,
                    keep_until=keep_until,
                    legal_hold=any(row.legal_hold for row in there),
                )
            )
            return True

    def complete(self, alert_id: str, at: datetime, missing: Sequence[str]) -> None:
        """Note that nothing more can be copied, and what could not, with its reason."""
        with self._desk.writing() as session:
            alert = session.scalars(select(AlertRecord).where(AlertRecord.alert_id == alert_id)).one()
            if alert.evidence_at is not None:
                return
            alert.evidence_at = at
            if missing:
                # The version stays: nothing changed that an officer could overwrite.
                session.add(_line(alert, at, NOTIFIER, INCOMPLETE, "; ".join(missing)))

    def hold(self, alert_id: str, *, who: str, at: datetime, reason: str) -> int:
        """Keep the copies of an alert whatever their time, until released; returns how many there are.

        Raises:
            EvidenceError: There is no such alert, or nothing of it is copied.
        """
        return self._set_hold(alert_id, is_held=True, who=who, at=at, reason=reason)

    def release(self, alert_id: str, *, who: str, at: datetime, reason: str) -> int:
        """Let the copies of an alert run out when their time comes; returns how many there are.

        Raises:
            EvidenceError: There is no such alert, or nothing of it is copied.
        """
        return self._set_hold(alert_id, is_held=False, who=who, at=at, reason=reason)

    def expired(self, now: datetime) -> tuple[int, int]:
        """How many copies have run out and are not held, and their bytes."""
        chosen = select(func.count(EvidenceRecord.id), func.sum(EvidenceRecord.size_bytes)).where(*_expired(now))
        with self._desk.reading() as session:
            count, size_bytes = session.execute(chosen).one()
        return count, int(size_bytes or 0)

    def drop_expired(self, now: datetime, remove: Callable[[str], None]) -> int:
        """Remove what has run out and is not held, file and line; returns how many there were.

        The file goes first and within the transaction: nobody can put a hold on a line whose file is going, and a crash
        leaves a line that is dropped the next time.
        """
        dropped = 0
        while True:
            with self._desk.writing() as session:
                row = session.scalars(
                    select(EvidenceRecord).where(*_expired(now)).order_by(EvidenceRecord.id).limit(1).with_for_update()
                ).first()
                if row is None:
                    return dropped
                remove(row.uri)
                session.delete(row)
                dropped += 1

    def _set_hold(self, alert_id: str, *, is_held: bool, who: str, at: datetime, reason: str) -> int:
        action = HELD if is_held else RELEASED
        with self._desk.writing() as session:
            alert = session.scalar(select(AlertRecord).where(AlertRecord.alert_id == alert_id))
            if alert is None:
                raise EvidenceError(alert_id, "there is no such alert; `crewsight evidence list` shows them")
            rows = self._locked(session, alert_id)
            if not rows:
                raise EvidenceError(alert_id, "nothing of it is copied; is `crewsight notifier` running?")
            for row in rows:
                row.legal_hold = is_held
            session.add(_line(alert, at, who, action, reason))
            session.add(AuditRecord(at=at, who=who, action=action, subject=alert_id, details={"reason": reason}))
            return len(rows)

    @staticmethod
    def _locked(session: Session, alert_id: str) -> list[EvidenceRecord]:
        return list(
            session.scalars(select(EvidenceRecord).where(EvidenceRecord.alert_id == alert_id).with_for_update())
        )

    def _first(self, chosen: Select[SeenSegmentRecord]) -> SeenSegmentRecord | None:
        with self._desk.reading() as session:
            return session.scalars(chosen.limit(1)).first()


def _expired(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return EvidenceRecord.keep_until <= now, EvidenceRecord.legal_hold.is_(False)


def _line(alert: AlertRecord, at: datetime, who: str, action: str, comment: str) -> HistoryRecord:
    return HistoryRecord(
        alert_id=alert.alert_id,
        at=at,
        who=who,
        action=action,
        comment=comment or None,
        details={},
        version=alert.version,
    )
