"""Takes away the copies of alerts about whoever is erased, but for those under legal hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, AuditRecord, EvidenceRecord

INDEXER, ERASED, HELD = "indexer", "evidence erased", "evidence kept, as it is held"
AT_ONCE = 500  # names in a statement


@dataclass(frozen=True, slots=True)
class EvidenceErased:
    """How many copies are gone, and the alerts whose copies are held and stay."""

    copies: int
    held: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasedFootage:
    """What a camera saw in a stretch of time; the clips that go for it are whole and may begin or end beyond it."""

    camera_id: str
    since: datetime
    until: datetime
    clip_uris: Sequence[str]


def erase_evidence_of_people(
    desk: DeskDatabase, person_ids: Sequence[str], remove: Callable[[str], None], *, at: datetime
) -> EvidenceErased:
    """The copies of alerts about these people.

    Raises:
        DeskError: The desk cannot be read or written.
    """
    of_people = [or_(AlertRecord.person_id.in_(ids), AlertRecord.chain_id.in_(ids)) for ids in _some(person_ids)]
    return _erase(desk, of_people, remove, at)


def erase_evidence_of_footage(
    desk: DeskDatabase, footage: ErasedFootage, around: timedelta, remove: Callable[[str], None], *, at: datetime
) -> EvidenceErased:
    """The copies of alerts that were raised in the clips that go, or whose own clip reaches into the stretch.

    Args:
        desk: The alerts.
        footage: What is erased.
        around: How far an alert's clip reaches before and after its moment.
        remove: Takes away one file.
        at: When it is erased.

    Raises:
        DeskError: The desk cannot be read or written.
    """
    reaches_in = and_(
        AlertRecord.camera_id == footage.camera_id,
        AlertRecord.met_at >= footage.since - around,
        AlertRecord.met_at < footage.until + around,
    )
    of_clips = [AlertRecord.segment_uri.in_(uris) for uris in _some(footage.clip_uris)]
    return _erase(desk, [reaches_in, *of_clips], remove, at)


def _some(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]


def _erase(
    desk: DeskDatabase, chosen: Sequence[ColumnElement[bool]], remove: Callable[[str], None], at: datetime
) -> EvidenceErased:
    """As when copies run out: the file goes first and within the transaction, so that nobody can hold it meanwhile."""
    copies, held = 0, []
    with desk.writing() as session:
        found = {alert.id: alert for some in chosen for alert in session.scalars(select(AlertRecord).where(some))}
        for _, alert in sorted(found.items()):
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
