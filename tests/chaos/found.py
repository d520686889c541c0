"""What a world holds in the end: rows, vectors, alerts, and what the receivers were told."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from consumers.alerts.schema import RAISED, AlertRecord, HistoryRecord, OutboxRecord, SeenSegmentRecord
from consumers.indexer.schema import PersonRecord, RejectionRecord, SegmentRecord
from streamer.ledger import Ledger
from tests.chaos.world import World


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """A row of the person table."""

    person_id: str
    track_id: str
    chain_id: str
    revision: str


@dataclass(frozen=True, slots=True)
class FoundAlert:
    """A row of the desk."""

    alert_id: str
    rule_id: str
    rule_revision: str
    chain_id: str
    episode: int
    has_copies: bool


@dataclass(frozen=True, slots=True)
class Found:
    """Everything there is; lists are of rows, so that what is there twice is in them twice."""

    published: list[str]  # segment ids, as the streamer's ledger has them
    analysed: list[str]  # segment ids, as the person table has them
    decided: list[str]  # segment ids, as the desk has them
    refused: list[dict[str, object]]  # dead letters
    people: list[FoundPerson]
    vectors: int
    alerts: list[FoundAlert]
    raised: list[str]  # alert ids, one for each line of history that says so
    owed: dict[str, bool]  # alert id -> whether the outbox says that it is delivered
    told: list[str]  # the idempotency keys of everything that the receiver got


class Outlook:
    """Looks at a world from outside, by its databases."""

    def __init__(self, world: World) -> None:
        """Look at `world`, whose databases may not be there yet."""
        self._world = world
        people, desk = (f"sqlite:///{world.state / name}.sqlite3" for name in ("people", "desk"))
        timeout = {"connect_args": {"connect_timeout": 2}} if world.database_url else {}
        self._people: Engine = create_engine(world.database_url or people, pool_pre_ping=True, **timeout)
        self._desk: Engine = create_engine(world.database_url or desk, pool_pre_ping=True, **timeout)

    def close(self) -> None:
        """Let go of the databases."""
        self._people.dispose()
        self._desk.dispose()

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, Connection]]:
        """Connections to the person table and the desk."""
        with self._people.connect() as people, self._desk.connect() as desk:
            yield people, desk

    def settled(self) -> tuple[set[str], set[str]] | None:
        """Segments that table and desk are through with, and whatever else was refused; None when nobody answers."""
        try:
            with self.reading() as (people, desk):
                analysed = set(people.scalars(select(SegmentRecord.segment_id)))
                decided = set(desk.scalars(select(SeenSegmentRecord.segment_id)))
                refused = {name for each in people.scalars(select(RejectionRecord.rejected)) for name in _names(each)}
                undelivered = desk.scalar(select(OutboxRecord.id).where(OutboxRecord.delivered_at.is_(None)).limit(1))
        except SQLAlchemyError:
            return None
        if undelivered is not None:
            return None
        return analysed & decided, refused

    def answers(self) -> bool:
        """Whether search and page answer."""
        try:
            for url in (f"{self._world.search_url}/status", f"{self._world.page_url}/api/v1/people"):
                with urllib.request.urlopen(url, timeout=5) as answer:
                    answer.read()
        except OSError:
            return False
        return True

    def found(self) -> Found:
        """Everything, once nothing moves any more."""
        ledger = Ledger.open(self._world.state)
        try:
            published = [entry.segment_id for entry in ledger.entries()]
        finally:
            ledger.close()
        with self.reading() as (people, desk):
            person = (PersonRecord.person_id, PersonRecord.track_id, PersonRecord.chain_id)
            alert = (AlertRecord.alert_id, AlertRecord.rule_id, AlertRecord.rule_revision, AlertRecord.chain_id)
            raised = select(HistoryRecord.alert_id).where(HistoryRecord.action == RAISED)
            return Found(
                published=published,
                analysed=list(people.scalars(select(SegmentRecord.segment_id))),
                decided=list(desk.scalars(select(SeenSegmentRecord.segment_id))),
                refused=list(people.scalars(select(RejectionRecord.rejected))),
                people=[FoundPerson(*row) for row in people.execute(select(*person, PersonRecord.analysis_revision))],
                vectors=self._vectors(),
                alerts=[
                    FoundAlert(*row[:5], has_copies=row[5] is not None)
                    for row in desk.execute(select(*alert, AlertRecord.episode, AlertRecord.evidence_at))
                ],
                raised=list(desk.scalars(raised)),
                owed={
                    row[0]: row[1] is not None
                    for row in desk.execute(select(OutboxRecord.alert_id, OutboxRecord.delivered_at))
                },
                told=[headers["webhook-id"] for headers, _ in list(self._world.receiver.posts)],
            )

    def _vectors(self) -> int:
        with urllib.request.urlopen(f"{self._world.search_url}/status", timeout=10) as answer:
            return int(json.load(answer)["keys"])


def _names(rejected: dict[str, object]) -> set[str]:
    """By what a dead letter may be known: the segment, the file, or the very bytes."""
    return {str(rejected[key]) for key in ("segment_id", "origin", "original_base64") if rejected.get(key)}
