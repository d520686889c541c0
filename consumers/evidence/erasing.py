"""Takes away the copies of alerts about whoever is erased, but for those under legal hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, AuditRecord, EvidenceRecord

INDEXER, ERASED, HELD = "indexer", "evidence erased", "evidence kept, as it is held"


@dataclass(frozen=True, slots=True)
class EvidenceErased:
    """How many copies are gone, and the alerts whose copies are held and stay."""

    copies: int
    held: tuple[str, ...]


def erase_evidence_of_people(
    desk: DeskDatabase, person_ids: Sequence[str], remove: Callable[[str], None], *, at: datetime
) -> EvidenceErased:
    """The copies of alerts about these people.

    Raises:
        DeskError: The desk cannot be read or written.
    """
    ids = list(person_ids)
    chosen = select(AlertRecord).where(or_(AlertRecord.person_id.in_(ids), AlertRecord.chain_id.in_(ids)))
    return _erase(desk, chosen, remove, at)


def erase_evidence_of_footage(
    desk: DeskDatabase, camera_id: str, since: datetime, until: datetime, remove: Callable[[str], None], *, at: datetime
) -> EvidenceErased:
    """The copies of alerts of a camera whose moment lies in a stretch of time.

    Raises:
        DeskError: The desk cannot be read or written.
    """
    chosen = select(AlertRecord).where(AlertRecord.camera_id == camera_id)
    return _erase(desk, chosen.where(AlertRecord.met_at >= since, AlertRecord.met_at < until), remove, at)


def _erase(
    desk: DeskDatabase, chosen: Select[AlertRecord], remove: Callable[[str], None], at: datetime
) -> EvidenceErased:
    """As when copies run out: the file goes first and within the transaction, so that nobody can hold it meanwhile."""
    copies, held = 0, []
    with desk.writing() as session:
        for alert in session.scalars(chosen.order_by(AlertRecord.id)):
            alert.evidence_at = alert.evidence_at or at  # nothing more is copied
            rows = _locked(session, alert.alert_id)
            if any(row.legal_hold for row in rows):
                held.append(alert.alert_id)
                _note(session, at, HELD, alert.alert_id, len(rows))
                continue
            for row in rows:
                remove(row.uri)
                session.delete(row)
            copies += len(rows)
            if rows:
                _note(session, at, ERASED, alert.alert_id, len(rows))
    return EvidenceErased(copies, tuple(held))


def _locked(session: Session, alert_id: str) -> list[EvidenceRecord]:
    return list(session.scalars(select(EvidenceRecord).where(EvidenceRecord.alert_id == alert_id).with_for_update()))


def _note(session: Session, at: datetime, action: str, alert_id: str, copies: int) -> None:
    session.add(AuditRecord(at=at, who=INDEXER, action=action, subject=alert_id, details={"copies": copies}))
