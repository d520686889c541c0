"""When a file's first frame was seen. Pure."""

from datetime import UTC, datetime, timedelta

from streamer.bus.messages import TimeOrigin
from streamer.scanning import Scan

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # containers without a clock say 1904 or 1970


def file_began(found: Scan, *, modified_s: float, now: datetime) -> tuple[datetime, TimeOrigin]:
    """The container's own creation time where it can be believed, else the file's modification less its duration.

    Args:
        found: The file.
        modified_s: When it was last modified, in seconds since 1970.
        now: This moment; a creation time after it is not believed.
    """
    created_at = _instant(found.created_at)
    if created_at is not None and EARLIEST <= created_at <= now:
        return created_at, TimeOrigin.CONTAINER
    return datetime.fromtimestamp(modified_s, UTC) - timedelta(seconds=found.duration_s), TimeOrigin.FILE


def _instant(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        instant = datetime.fromisoformat(written)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
