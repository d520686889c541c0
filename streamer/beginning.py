"""When a file's first frame was seen. Pure."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo

from streamer.bus.messages import TimeOrigin
from streamer.pictures import WrittenDate
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


def picture_taken(
    date: WrittenDate | None, *, zone: tzinfo | None, modified_s: float, now: datetime
) -> tuple[datetime, TimeOrigin]:
    """When a picture was taken: its own date where it can be believed, else the file's modification.

    Args:
        date: What the camera wrote.
        zone: Where the camera's clock stood, for a date that does not say it; None: this machine's zone.
        modified_s: When the file was last modified, in seconds since 1970.
        now: This moment; a date after it is not believed.

    >>> now = datetime(2026, 6, 1, tzinfo=UTC)
    >>> told = WrittenDate("2026:05:04 12:00:00", "5", "+02:00")
    >>> at, origin = picture_taken(told, zone=UTC, modified_s=0, now=now)
    >>> str(at), str(origin)
    ('2026-05-04 10:00:00.500000+00:00', 'exif')
    >>> [str(said) for said in picture_taken(WrittenDate("0000:00:00 00:00:00"), zone=UTC, modified_s=60, now=now)]
    ['1970-01-01 00:01:00+00:00', 'file']
    """
    for instant, origin in _taken(date, zone) if date is not None else ():
        if instant <= now:
            return instant, origin
    return datetime.fromtimestamp(modified_s, UTC), TimeOrigin.FILE


def _taken(date: WrittenDate, zone: tzinfo | None) -> Iterator[tuple[datetime, TimeOrigin]]:
    """What a camera's date can mean, the surest first; nothing when it is no date."""
    try:
        clock = datetime.strptime(date.clock, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 — a camera's clock has no zone
    except ValueError:
        return
    if date.subsecond.isascii() and date.subsecond.isdigit():
        clock += timedelta(seconds=float(f"0.{date.subsecond}"))
    with suppress(ValueError, OverflowError):
        if date.offset:
            yield datetime.fromisoformat(f"{clock.isoformat()}{date.offset}").astimezone(UTC), TimeOrigin.EXIF
            return
    with suppress(ValueError, OverflowError):
        yield (clock.replace(tzinfo=zone) if zone else clock).astimezone(UTC), TimeOrigin.EXIF_ZONE


def _instant(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        instant = datetime.fromisoformat(written)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
