"""What the desk needs done as the clock goes on, with or without footage: escalate, wake, tell of new questions."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from consumers.alerts.desk_database import DeskDatabase, noted
from consumers.alerts.entering import owed
from consumers.alerts.schema import ALERTER, ESCALATED, OPEN, SNOOZED, AlertRecord
from consumers.alerts.standing import RulesInForce, Standing
from streamer.bus.errors import BusError

logger = logging.getLogger(__name__)

EVERY_S = 1.0
AT_ONCE = 100  # alerts in one transaction: the page waits for no more
WOKE = "woke"


class Tending:
    """Looks after the desk; `step` is one look."""

    def __init__(
        self,
        desk: DeskDatabase,
        rules: RulesInForce,
        *,
        tell: Callable[[Standing], None],
        incarnation: Callable[[], str | None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Tend `desk`.

        Args:
            desk: The desk.
            rules: Asked who is told of an escalation, and which questions are asked.
            tell: Told of the rules at the start, whenever they change, and whenever the broker is a new one.
            incarnation: The broker's; None while it is away.
            now: The clock: officers live by it, not by the footage.
        """
        self._desk, self._rules, self._tell, self._incarnation, self._now = desk, rules, tell, incarnation, now
        self._told: tuple[Standing, str] | None = None

    def step(self) -> None:
        """One look.

        Raises:
            DeskError: The desk cannot be written.
        """
        standing = self._rules.look()
        self._tell_of(standing)
        now = self._now()
        with self._desk.reading() as session:
            is_due = bool(session.scalar(_due_for_escalation(standing, now)) or session.scalar(_due_to_wake(now)))
        if is_due:
            with self._desk.writing() as session:
                _wake(session, now)
                _escalate(session, standing, now)

    def _tell_of(self, standing: Standing) -> None:
        incarnation = self._incarnation()
        if incarnation is None or self._told == (standing, incarnation):
            return
        try:
            self._tell(standing)
        except BusError as error:
            logger.warning("the questions of the rules could not be published", extra={"reason": str(error)})
            return
        self._told = standing, incarnation
        facts = {"rules": len(standing.rules), "in_force": [rule.id for rule in standing.in_force]}
        logger.info("rules in force", extra=facts)


@contextmanager
def tended(tending: Tending, stop: Callable[[], None]) -> Iterator[None]:
    """Tend the desk from a thread of its own while the block runs.

    Args:
        tending: What is done.
        stop: Called when that fails, so that the block ends too.

    Raises:
        DeskError: The desk failed meanwhile; whatever else broke the tending is raised too.
    """
    is_over, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            while not is_over.wait(EVERY_S):
                tending.step()
        except BaseException as failure:  # noqa: BLE001 — handed to the block's thread, which raises it
            failures.append(failure)
            stop()

    thread = threading.Thread(target=run, name="tending", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(EVERY_S + 1)
    if failures:
        raise failures[0]


def _due_for_escalation(standing: Standing, now: datetime):  # type: ignore[no-untyped-def]
    due = select(AlertRecord).where(
        AlertRecord.escalate_at <= now,
        AlertRecord.escalated_at.is_(None),
        AlertRecord.acknowledged_at.is_(None),  # one that was snoozed after that wakes open
        AlertRecord.state == OPEN,
    )
    if standing.refusal is not None:  # a rule that is not known may be in the edit that cannot be read yet
        due = due.where(AlertRecord.rule_id.in_([rule.id for rule in standing.book.rules]))
    return due.limit(AT_ONCE)


def _due_to_wake(now: datetime):  # type: ignore[no-untyped-def]
    return select(AlertRecord).where(AlertRecord.state == SNOOZED, AlertRecord.snoozed_until <= now).limit(AT_ONCE)


def _wake(session: Session, now: datetime) -> None:
    for alert in session.scalars(_due_to_wake(now).with_for_update()):
        alert.state, alert.snoozed_until = OPEN, None
        noted(session, alert, at=now, who=ALERTER, action=WOKE)


def _escalate(session: Session, standing: Standing, now: datetime) -> None:
    for alert in session.scalars(_due_for_escalation(standing, now).with_for_update()):
        rule = standing.book.rule(alert.rule_id)
        channels = (rule.escalate.channels or rule.channels) if rule is not None and rule.escalate else ()
        alert.escalated_at = now
        noted(session, alert, at=now, who=ALERTER, action=ESCALATED, details={"channels": list(channels)})
        session.add_all(owed(alert.alert_id, channels, ESCALATED, now))
