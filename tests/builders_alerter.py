"""The alerter's stage over a real desk and a real media store, and ways to deliver to it and to let it fail."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from consumers.alerts.alerting import Alerting
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import ESCALATED, OutboxRecord
from consumers.runner import Publication
from streamer.bus.client import Received, TopicPartition
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentAnalyzed
from tests.builders_rules import NOON, FixedRules, a_result, a_rule, alerts_on, received, stored

PLACE = TopicPartition("people", 0)
RULE = a_rule(channels=["mail", "hall"], escalate={"after_s": 60, "channels": ["boss"]})


class AlerterDesk:
    """A desk, a store and as many alerters as a test wants."""

    def __init__(self, folder: Path, *, url: str = "", now: datetime = NOON + timedelta(minutes=2)) -> None:
        self.desk = DeskDatabase(url or f"sqlite:///{folder / 'desk.sqlite3'}")
        self.store = MediaStore(str(folder / "media"))
        self.rules, self.now = FixedRules(RULE), now

    def stage(self) -> Alerting:
        return Alerting(self.desk, self.store, self.rules, now=lambda: self.now)

    def messages(self, *timelines: Sequence[str], camera: str = "gate") -> list[Received[SegmentAnalyzed]]:
        """One segment after the other, each following the one before."""
        names = [f"{camera}{number}" for number in range(len(timelines))]
        results = [
            a_result(name, *people, number=number, camera=camera, previous=names[number - 1] if number else None)
            for number, (name, people) in enumerate(zip(names, timelines, strict=True))
        ]
        return [received(stored(self.store, result), offset) for offset, result in enumerate(results)]

    def alert_ids(self) -> list[str]:
        return [alert.alert_id for alert in alerts_on(self.desk)]

    def escalated_to(self) -> list[str]:
        """The channels that are owed an escalation."""
        with self.desk.reading() as session:
            return list(session.scalars(select(OutboxRecord.channel).where(OutboxRecord.kind == ESCALATED)))


def work(stage: Alerting, *batch: Received[SegmentAnalyzed]) -> list[Publication]:
    return [publication for each in stage.work(batch, lambda: False) for publication in each]


def deliver(installed: AlerterDesk, messages: Sequence[Received[SegmentAnalyzed]]) -> None:
    """A new alerter goes on from where the desk says, three messages at a time."""
    stage = installed.stage()
    start = stage.first_offset(PLACE, "i1") or 0
    rest = [message for message in messages if message.offset >= start]
    for begin in range(0, len(rest), 3):
        work(stage, *rest[begin : begin + 3])


def fail_at_statement(desk: DeskDatabase, number: int) -> None:
    """Let the database fail at its `number`-th change from now on, as if the disk were full."""
    count = itertools.count(1)

    def fail(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.split(" ", 1)[0] in ("INSERT", "UPDATE", "DELETE") and next(count) == number:
            event.remove(desk.engine, "before_cursor_execute", fail)
            raise OperationalError(statement, {}, OSError("the disk is full"))

    event.listen(desk.engine, "before_cursor_execute", fail)
