"""What the terminal tells of the desk: new alerts, and whether everything seen has been decided about."""

import time

from sqlalchemy import func, select

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, SeenSegmentRecord

PATIENCE_S = 10.0  # a segment that the alerter refuses is never decided about


class DeskOutlook:
    """Looks at the desk now and then.  Raises (every method): `DeskError`."""

    def __init__(self, database_url: str) -> None:
        """Look at the desk at an SQLAlchemy URL."""
        self._desk = DeskDatabase(database_url)
        self._last_row = 0
        self._waiting_since_s: float | None = None
        self.alert_count = 0

    def new_alerts(self) -> list[str]:
        """One line for each alert since the last look."""
        chosen = select(AlertRecord).where(AlertRecord.id > self._last_row).order_by(AlertRecord.id)
        with self._desk.reading() as session:
            alerts = list(session.scalars(chosen))
        self._last_row = alerts[-1].id if alerts else self._last_row
        self.alert_count += len(alerts)
        return [
            f"alert ({alert.severity}): {alert.title}, camera {alert.camera_id}, {alert.met_at.astimezone():%H:%M:%S}"
            for alert in alerts
        ]

    def has_decided(self, segment_count: int) -> bool:
        """Whether as many segments have been decided about, or no more are to be expected."""
        with self._desk.reading() as session:
            decided = session.scalar(select(func.count()).select_from(SeenSegmentRecord)) or 0
        now_s = time.monotonic()
        self._waiting_since_s = now_s if self._waiting_since_s is None else self._waiting_since_s
        return decided >= segment_count or now_s - self._waiting_since_s > PATIENCE_S

    def close(self) -> None:
        """Let go of the database."""
        self._desk.close()
