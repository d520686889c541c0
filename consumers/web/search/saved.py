"""Saved searches, of one user or shared, in the desk database; every change goes into the audit log with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from consumers.access.audit import note_act
from consumers.access.identity import Identity
from consumers.access.roles import ADMINISTER, WRITE_RULES
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.rules import Schedule
from consumers.alerts.schema import SavedSearchRecord
from consumers.alerts.standing import RuleStanding
from consumers.errors import NoSuchSearchError, NotPermittedError, SavedSearchError
from consumers.web.rules.rules_desk import RulesDesk
from consumers.web.search.guarding import guard_id, guard_rule
from consumers.web.search.shapes import GuardShape, SavedAsked, SavedSearchShape
from streamer.bus.messages import AskedQuestion

MOST_OF_ONE = 500  # searches that one user keeps


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different; None: stays."""

    name: str | None = None
    is_shared: bool | None = None


class SavedSearches:
    """Keeps searches; may be shared by threads.

    Raises (every method): `DeskError` when the database cannot be read or written; for one search `NoSuchSearchError`;
    for a change `NotPermittedError` to whoever is neither its owner nor an admin.
    """

    def __init__(
        self,
        desk: DeskDatabase,
        rules: RulesDesk,
        questions: Callable[[], Sequence[AskedQuestion]],
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Keep them in `desk`; guards are among `rules`, and ask `questions` where they can."""
        self._desk, self._rules, self._questions, self._now = desk, rules, questions, now

    def all(self, who: Identity) -> tuple[SavedSearchShape, ...]:
        """Somebody's own and every shared one, by name."""
        mine = or_(SavedSearchRecord.owner == who.name, SavedSearchRecord.is_shared)
        with self._desk.reading() as session:
            chosen = select(SavedSearchRecord).where(mine).order_by(SavedSearchRecord.name, SavedSearchRecord.id)
            records = list(session.scalars(chosen))
        guards = self._guards() if records else {}
        return tuple(_shape(record, guards) for record in records)

    def one(self, search_id: int, who: Identity) -> SavedSearchShape:
        """One of them."""
        with self._desk.reading() as session:
            return _shape(_found(session, search_id, who), self._guards())

    def save(self, name: str, search: SavedAsked, who: Identity, *, is_shared: bool = False) -> SavedSearchShape:
        """Keep one more.

        Raises:
            SavedSearchError: They have one of that name, or as many as one may have.
        """
        now = self._now()
        record = SavedSearchRecord(
            name=name.strip(),
            owner=who.name,
            is_shared=is_shared,
            search=search.model_dump(mode="json", exclude_defaults=True),
            created_at=now,
            updated_at=now,
        )
        with self._desk.writing() as session:
            owned = select(func.count()).select_from(SavedSearchRecord).where(SavedSearchRecord.owner == who.name)
            if (session.scalar(owned) or 0) >= MOST_OF_ONE:
                raise SavedSearchError(f"Nobody keeps more than {MOST_OF_ONE} searches: delete one first.")
            session.add(record)
            _flushed(session, record)
            note_act(session, now, who.name, "search saved", record.name, id=record.id, search=record.search)
        return _shape(record, {})

    def change(self, search_id: int, change: Change, who: Identity) -> SavedSearchShape:
        """Rename one, share it, or keep it to its owner.

        Raises:
            SavedSearchError: Its owner has another of that name.
        """
        with self._desk.writing() as session:
            record = _own(session, search_id, who)
            record.name = record.name if change.name is None else change.name.strip()
            record.is_shared = record.is_shared if change.is_shared is None else change.is_shared
            record.updated_at = self._now()
            _flushed(session, record)
            details = {"id": record.id, "is_shared": record.is_shared}
            note_act(session, record.updated_at, who.name, "search changed", record.name, **details)
        return _shape(record, self._guards())

    def delete(self, search_id: int, who: Identity) -> None:
        """Keep one no longer; its guard goes first, which takes who may write rules.

        Raises:
            RulesError, StaleRulesError: The guard cannot be taken out of the rules file.
        """
        with self._desk.reading() as session:
            _own(session, search_id, who)
        if guard_id(search_id) in self._guards():
            if not who.may(WRITE_RULES):
                raise NotPermittedError(WRITE_RULES, who.name, who.role)
            self._rules.remove_rule(guard_id(search_id))
        with self._desk.writing() as session:
            record = _own(session, search_id, who)
            session.delete(record)
            note_act(session, self._now(), who.name, "search deleted", record.name, id=record.id)

    def stand_guard(
        self, search_id: int, who: Identity, *, schedule: Schedule | None, channels: Sequence[str]
    ) -> SavedSearchShape:
        """Let one stand guard by a rule of severity `info`, in force if the model was measured on all that it asks.

        Raises:
            SavedSearchError: It cannot; says why.
            RulesError, StaleRulesError: The rules file cannot be written.
        """
        with self._desk.reading() as session:
            record = _own(session, search_id, who)
        search = SavedAsked.model_validate(record.search)
        rule = guard_rule(search_id, record.name, search, self._questions(), schedule=schedule, channels=channels)
        self._rules.add_rule(rule)
        self._note(who, "guard posted", record.name, id=search_id, rule=rule["id"])
        return _shape(record, self._guards())

    def stand_down(self, search_id: int, who: Identity) -> SavedSearchShape:
        """Let one stand guard no longer.

        Raises:
            RulesError, StaleRulesError: The rules file cannot be written.
        """
        with self._desk.reading() as session:
            record = _own(session, search_id, who)
        self._rules.remove_rule(guard_id(search_id))
        self._note(who, "guard withdrawn", record.name, id=search_id)
        return _shape(record, self._guards())

    def _guards(self) -> dict[str, RuleStanding]:
        return {one.rule.id: one for one in self._rules.standing().rules}

    def _note(self, who: Identity, action: str, subject: str, **details: object) -> None:
        with self._desk.writing() as session:
            note_act(session, self._now(), who.name, action, subject, **details)


def _found(session: Session, search_id: int, who: Identity) -> SavedSearchRecord:
    record = session.get(SavedSearchRecord, search_id)
    if record is None or not (record.is_shared or record.owner == who.name or who.may(ADMINISTER)):
        raise NoSuchSearchError(search_id)
    return record


def _own(session: Session, search_id: int, who: Identity) -> SavedSearchRecord:
    record = _found(session, search_id, who)
    if record.owner != who.name and not who.may(ADMINISTER):
        raise NotPermittedError(ADMINISTER, who.name, who.role)
    return record


def _flushed(session: Session, record: SavedSearchRecord) -> None:
    name = record.name
    try:
        session.flush()
    except IntegrityError as error:
        raise SavedSearchError(f"There is a search called {name!r} already.") from error


def _shape(record: SavedSearchRecord, guards: dict[str, RuleStanding]) -> SavedSearchShape:
    guard = guards.get(guard_id(record.id))
    return SavedSearchShape(
        id=record.id,
        name=record.name,
        owner=record.owner,
        is_shared=record.is_shared,
        search=SavedAsked.model_validate(record.search),
        guard=GuardShape(rule_id=guard.rule.id, status=guard.status, why_draft=guard.why_draft) if guard else None,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )
