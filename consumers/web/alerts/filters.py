"""Which alerts somebody wants to see, and in which order. Pure, but for SQLAlchemy's expressions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, case, or_

from consumers.alerts.rules import SEVERITIES
from consumers.alerts.schema import OPEN, SNOOZED, AlertRecord

Order = Literal["newest", "severity"]
RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(reversed(SEVERITIES))}  # higher is worse


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What is asked for; an empty part asks for everything. Times are footage time, `until` not included."""

    cameras: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    assignee: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, now: datetime) -> Sequence[ColumnElement[bool]]:
        """The filter as SQL; an alert whose snooze is over at `now` is open again."""
        asked = [
            AlertRecord.camera_id.in_(self.cameras) if self.cameras else None,
            AlertRecord.rule_id.in_(self.rules) if self.rules else None,
            _in_states(self.states, now) if self.states else None,
            AlertRecord.severity.in_(self.severities) if self.severities else None,
            AlertRecord.assignee == self.assignee if self.assignee is not None else None,
            AlertRecord.met_at >= self.since if self.since is not None else None,
            AlertRecord.met_at < self.until if self.until is not None else None,
        ]
        return [condition for condition in asked if condition is not None]

    def told(self) -> dict[str, Any]:
        """What was asked for, for the audit log."""
        parts = {
            "camera": list(self.cameras),
            "rule": list(self.rules),
            "state": list(self.states),
            "severity": list(self.severities),
            "assignee": self.assignee,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }
        return {name: told for name, told in parts.items() if told}


def _in_states(states: Sequence[str], now: datetime) -> ColumnElement[bool]:
    is_over = and_(AlertRecord.state == SNOOZED, AlertRecord.snoozed_until <= now)
    wanted: list[ColumnElement[bool]] = [AlertRecord.state.in_([state for state in states if state != SNOOZED])]
    if OPEN in states:
        wanted.append(is_over)
    if SNOOZED in states:
        wanted.append(and_(AlertRecord.state == SNOOZED, AlertRecord.snoozed_until > now))
    return or_(*wanted)


def severity_rank() -> ColumnElement[int]:
    """How bad an alert is, as SQL."""
    return case(RANK, value=AlertRecord.severity, else_=-1)


def ordered(chosen: Select[Any], order: Order) -> Select[Any]:
    """The worst first and among them the newest, or simply the newest."""
    if order == "severity":
        return chosen.order_by(severity_rank().desc(), AlertRecord.id.desc())
    return chosen.order_by(AlertRecord.id.desc())


def after_cursor(cursor: str, order: Order) -> ColumnElement[bool]:
    """What comes behind the alert at which a page ended.

    Raises:
        ValueError: that is no cursor of ours.
    """
    rank, _, row = cursor.partition(".")
    is_older = AlertRecord.id < int(row)
    if order == "newest":
        return is_older
    return or_(severity_rank() < int(rank), and_(severity_rank() == int(rank), is_older))


def cursor_of(severity: str, row: int) -> str:
    """The cursor of the page that begins behind an alert.

    >>> cursor_of("critical", 17)
    '4.17'
    """
    return f"{RANK.get(severity, -1)}.{row}"
