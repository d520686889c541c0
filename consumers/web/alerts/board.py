"""Reads alerts for the API and the page: lists, one in full, what has changed, what a shift was like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import (
    OPEN,
    AlertRecord,
    EvidenceRecord,
    HistoryRecord,
)
from consumers.errors import PeopleTableError
from consumers.indexer.people import PeopleReader
from consumers.web.alerts.filters import AlertFilter, Order, after_cursor, cursor_of, ordered
from consumers.web.alerts.shapes import AlertDetailShape, AlertShape, AlertsShape
from consumers.web.alerts.shaping import Surrounding, shape_alert, shape_alert_detail
from consumers.web.shaping import media_uri
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore

AT_ONCE = 500  # ids in one question to the database: SQLite takes no more than some thousand parameters


@dataclass(frozen=True, slots=True)
class Offered:
    """What alerts can be filtered by: names that alerts have."""

    cameras: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    """Rule id and title."""


@dataclass(frozen=True, slots=True)
class News:
    """What has happened to alerts since a moment."""

    cursor: int
    changed: tuple[str, ...]
    """Ids of alerts that were raised or changed, each once."""


class AlertBoard:
    """Answers questions about alerts; safe to share between threads.

    Raises (every method): `DeskError` when the desk cannot be read.
    """

    def __init__(
        self,
        desk: DeskDatabase,
        people: PeopleReader,
        media: MediaStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read `desk`, `people` for the words of questions and the revisions of models, `media` for what is left."""
        self._desk, self._people, self._media, self._now = desk, people, media, now

    def page(
        self, asked: AlertFilter, limit: int, *, order: Order = "newest", behind: str | None = None
    ) -> AlertsShape:
        """Some alerts, and the cursor of the page behind them.

        Raises:
            ValueError: `behind` is no cursor.
        """
        now = self._now()
        chosen = ordered(select(AlertRecord).where(*asked.conditions(now)), order).limit(limit + 1)
        if behind is not None:
            chosen = chosen.where(after_cursor(behind, order))
        with self._desk.reading() as session:
            found = list(session.scalars(chosen))
        page, has_more = found[:limit], len(found) > limit
        last = page[-1] if page else None
        return AlertsShape(
            alerts=tuple(shape_alert(record, now) for record in page),
            next=cursor_of(last.severity, last.id) if last is not None and has_more else None,
        )

    def each(self, asked: AlertFilter) -> list[AlertShape]:
        """Every alert asked for, newest first."""
        now = self._now()
        chosen = ordered(select(AlertRecord).where(*asked.conditions(now)), "newest")
        with self._desk.reading() as session:
            return [shape_alert(record, now) for record in session.scalars(chosen)]

    def ids(self, asked: AlertFilter, order: Order = "severity") -> list[str]:
        """The ids of every alert asked for, in order."""
        chosen = ordered(select(AlertRecord.alert_id).where(*asked.conditions(self._now())), order)
        with self._desk.reading() as session:
            return list(session.scalars(chosen))

    def some(self, alert_ids: Sequence[str]) -> dict[str, AlertShape]:
        """These alerts by id; what is not there is left out."""
        now, found = self._now(), {}
        with self._desk.reading() as session:
            for start in range(0, len(alert_ids), AT_ONCE):
                some = alert_ids[start : start + AT_ONCE]
                for record in session.scalars(select(AlertRecord).where(AlertRecord.alert_id.in_(some))):
                    found[record.alert_id] = shape_alert(record, now)
        return found

    def detail(self, alert_id: str) -> AlertDetailShape | None:
        """One alert in full; None: there is none of that id."""
        with self._desk.reading() as session:
            record = session.scalar(select(AlertRecord).where(AlertRecord.alert_id == alert_id))
            if record is None:
                return None
            around = Surrounding(
                history=_of_alert(session, HistoryRecord, alert_id),
                evidence=_of_alert(session, EvidenceRecord, alert_id),
            )
        person, questions = self._said_of(record)
        has_footage = self._has_footage(record.segment_uri)
        return shape_alert_detail(record, around, self._now(), questions, person, has_footage=has_footage)

    def frame_of(self, alert: AlertDetailShape) -> tuple[str, float]:
        """The clip, and the second in it, that shows an alert's frame."""
        return media_uri(alert.clip.url), alert.clip.at_s

    def news(self, cursor: int | None) -> News:
        """What has happened since; without a cursor nothing, and the cursor to go on from."""
        with self._desk.reading() as session:
            last = session.scalar(select(func.max(HistoryRecord.id))) or 0
            if cursor is None or last <= cursor:
                return News(last, ())
            chosen = select(HistoryRecord.alert_id).where(HistoryRecord.id > cursor).distinct()
            return News(last, tuple(session.scalars(chosen)))

    def waiting(self) -> int:
        """How many alerts nobody has acknowledged yet."""
        asked = AlertFilter(states=(OPEN,))
        with self._desk.reading() as session:
            chosen = select(func.count(AlertRecord.id)).where(*asked.conditions(self._now()))
            return session.scalar(chosen) or 0

    def total(self) -> int:
        """How many alerts there ever were."""
        with self._desk.reading() as session:
            return session.scalar(select(func.count(AlertRecord.id))) or 0

    def met_since(self, since: datetime) -> list[tuple[str, datetime]]:
        """Rule and footage time of every alert since a moment."""
        chosen = select(AlertRecord.rule_id, AlertRecord.met_at).where(AlertRecord.met_at >= since)
        with self._desk.reading() as session:
            return [(rule_id, met_at) for rule_id, met_at in session.execute(chosen)]

    def offered(self) -> Offered:
        """What can be filtered by."""
        rules = select(AlertRecord.rule_id, func.max(AlertRecord.title)).group_by(AlertRecord.rule_id)
        with self._desk.reading() as session:
            return Offered(
                tuple(session.scalars(select(AlertRecord.camera_id).distinct().order_by(AlertRecord.camera_id))),
                tuple((rule_id, title) for rule_id, title in session.execute(rules.order_by(AlertRecord.rule_id))),
            )

    def _has_footage(self, uri: str) -> bool:
        try:
            return self._media.exists(uri)
        except MediaStoreError:
            return False

    def _said_of(self, record: AlertRecord) -> tuple[Any, Any]:
        """The person and the questions; an alert can be read even where the person table cannot."""
        try:
            person = self._people.person(record.person_id)
            return person, {question.question_id: question for question in self._people.questions()}
        except PeopleTableError:
            return None, {}


def _of_alert(session: Session, kind: Any, alert_id: str) -> list[Any]:
    return list(session.scalars(select(kind).where(kind.alert_id == alert_id).order_by(kind.id)))
