"""What the desk owes to channels: claimed, then sent, then marked, so that a crash sends again and loses nothing.

A claim is a lease: whoever dies between sending and marking leaves a line that falls due again when the lease is over.
Several notifiers may share one desk.
"""

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, HistoryRecord, OutboxRecord
from consumers.notifying.channels import Channel

NOTIFIER = "notifier"  # who, in an alert's history
NOTIFIED, GIVEN_UP = "notified", "notification given up"  # actions in an alert's history
LEASE_S = 25.0  # above what one sending may take, and short enough that a crash delays nobody for half a minute
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 900.0
LOOKED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Owed:
    """One notification in our hands."""

    id: int
    channel: str
    kind: str
    attempts: int
    created_at: datetime
    alert: AlertRecord
    traceparent: str | None = None


def backoff_s(attempts: int, *, draw: Callable[[], float] = random.random) -> float:
    """Seconds to the next attempt after `attempts` that failed: doubling, bounded, a fifth of it by chance.

    >>> [backoff_s(n, draw=lambda: 0.0) for n in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 900.0]
    """
    # The exponent is bounded too: a row that has failed for days must not overflow.
    return float(min(FIRST_RETRY_S * 2 ** min(attempts - 1, 16), LONGEST_RETRY_S) * (1 + 0.2 * draw()))


class Outbox:
    """The outbox table as the notifier sees it; safe to share between threads.

    Raises (every method): `DeskError`.
    """

    def __init__(self, desk: DeskDatabase, channels: Mapping[str, Channel], *, lease_s: float = LEASE_S) -> None:
        """Work off what is owed to `channels` in `desk`."""
        self._desk, self._channels, self._lease = desk, channels, timedelta(seconds=lease_s)

    def claim(self, now: datetime, free: Collection[str]) -> list[Owed]:
        """For each channel of `free` the next notification that is due, ours from now on.

        Those that were tried least come first, so one that a receiver always refuses never holds up the others. Lines
        that fall into quiet hours are put off until those are over.
        """
        if not free or not self._is_anything_due(now):  # most looks find nothing, and take no lock for it
            return []
        with self._desk.writing() as session:
            claimed = []
            for channel in free:
                row = next(self._sendable(session, channel, now), None)
                if row is not None:
                    claimed.append(self._take(session, row, now))
            return claimed

    def delivered(self, owed: Owed, now: datetime) -> None:
        """Note, once, that a receiver has it."""
        with self._desk.writing() as session:
            row = session.get(OutboxRecord, owed.id)
            if row is not None and row.delivered_at is None:
                row.delivered_at, row.last_error = now, None
                _note(session, owed.alert.alert_id, now, NOTIFIED, row)

    def failed(self, owed: Owed, now: datetime, reason: str, *, again_at: datetime | None) -> None:
        """Note why it was not delivered, and when it is tried again; None gives it up."""
        with self._desk.writing() as session:
            row = session.get(OutboxRecord, owed.id)
            if row is None or row.delivered_at is not None:
                return
            row.last_error = reason
            if again_at is None:
                row.given_up_at = now
                _note(session, owed.alert.alert_id, now, GIVEN_UP, row)
            else:
                row.not_before = again_at

    def strangers(self, now: datetime) -> list[str]:
        """Names that something is owed to and that no setting knows; what is owed to them waits, and says why."""
        unknown = _due(now).where(OutboxRecord.channel.not_in(list(self._channels)))
        with self._desk.writing() as session:
            rows = list(session.scalars(unknown))
            for row in rows:
                row.not_before = now + timedelta(seconds=LONGEST_RETRY_S)
                row.last_error = "no channel of this name in notifying.channels"
            return sorted({row.channel for row in rows})

    def waiting(self) -> int:
        """How many notifications are still owed."""
        undone = OutboxRecord.delivered_at.is_(None), OutboxRecord.given_up_at.is_(None)
        with self._desk.reading() as session:
            return session.scalar(select(func.count(OutboxRecord.id)).where(*undone)) or 0

    def _is_anything_due(self, now: datetime) -> bool:
        with self._desk.reading() as session:
            return session.scalars(_due(now).limit(1)).first() is not None

    def _sendable(self, session: Session, channel: str, now: datetime) -> Iterator[OutboxRecord]:
        """Due lines of a channel that may be sent now; the others are put off or dropped on the way."""
        of_channel = _due(now).where(OutboxRecord.channel == channel).limit(LOOKED_AT_ONCE)
        for row in list(session.scalars(of_channel.with_for_update(skip_locked=True))):
            severity = session.scalars(select(AlertRecord.severity).where(AlertRecord.alert_id == row.alert_id)).one()
            if not self._channels[channel].takes(severity):
                row.given_up_at, row.last_error = now, f"the channel does not take alerts of severity {severity}"
                continue
            open_at = self._channels[channel].open_at(now, severity)
            if open_at > now:
                row.not_before, row.last_error = open_at, "quiet hours"
                continue
            yield row

    def _take(self, session: Session, row: OutboxRecord, now: datetime) -> Owed:
        row.attempts += 1
        row.not_before = now + self._lease
        alert = session.scalars(select(AlertRecord).where(AlertRecord.alert_id == row.alert_id)).one()
        return Owed(row.id, row.channel, row.kind, row.attempts, row.created_at, alert, row.traceparent)


def _due(now: datetime) -> Select[OutboxRecord]:
    return (
        select(OutboxRecord)
        .where(
            OutboxRecord.delivered_at.is_(None),
            OutboxRecord.given_up_at.is_(None),
            OutboxRecord.not_before <= now,
        )
        .order_by(OutboxRecord.attempts, OutboxRecord.id)
    )


def _note(session: Session, alert_id: str, now: datetime, action: str, row: OutboxRecord) -> None:
    """Add a line to the alert's history; its version stays, as nothing changed that an officer could overwrite."""
    version = session.scalars(select(AlertRecord.version).where(AlertRecord.alert_id == alert_id)).one()
    session.add(
        HistoryRecord(
            alert_id=alert_id,
            at=now,
            who=NOTIFIER,
            action=action,
            details={"channel": row.channel, "kind": row.kind, "attempts": row.attempts},
            version=version,
        )
    )
