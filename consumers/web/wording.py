"""How the page says things: times, ages, sizes, answers. Pure."""

import re
from datetime import datetime, timedelta, tzinfo

from streamer.bus.messages import TimeOrigin

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
ORIGINS = {
    TimeOrigin.CLOCK: "the clock of the machine that received the frame",
    TimeOrigin.CONTAINER: "the creation time stored in the video file",
    TimeOrigin.FILE: "the file's date, less its length",
    TimeOrigin.EXIF: "the picture's own date and time zone",
    TimeOrigin.EXIF_ZONE: "the picture's own date, in the time zone set for its source",
}


def time_from(origin: TimeOrigin, *, is_picture: bool) -> str:
    """Where the time of some footage was read.

    >>> time_from(TimeOrigin.FILE, is_picture=True)
    "the file's date, as the picture says none"
    """
    return "the file's date, as the picture says none" if is_picture and origin == TimeOrigin.FILE else ORIGINS[origin]


def clock_time(instant: datetime, zone: tzinfo) -> str:
    """The time of day with its zone.

    >>> from datetime import UTC
    >>> clock_time(datetime(2026, 3, 1, 14, 2, 31, tzinfo=UTC), UTC)
    '14:02:31 UTC'
    """
    return instant.astimezone(zone).strftime("%H:%M:%S %Z")


def seen_time(instant: datetime, zone: tzinfo, now: datetime) -> str:
    """The local time with its zone, and the date in front when it is not today's.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> seen_time(noon, UTC, noon), seen_time(noon, UTC, noon + timedelta(days=2))
    ('12:00:00 UTC', '1 Mar 12:00:00 UTC')
    """
    return dated(clock_time(instant, zone), instant, zone, now)


def dated(clock: str, instant: datetime, zone: tzinfo, now: datetime) -> str:
    """A time of day as it is written, and the date in front when it is not today's; the year when not this one's."""
    local, today = instant.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return clock
    year = f" {local.year}" if local.year != today.year else ""
    return f"{local.day} {local:%b}{year} {clock}"


def age(instant: datetime, now: datetime) -> str:
    """How long ago, as one would say it.

    >>> from datetime import UTC
    >>> now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> [age(now - timedelta(seconds=s), now) for s in (3, 40, 200, 7300, 90000)]
    ['just now', '40 s ago', '3 min ago', '2 h ago', '1 day ago']
    >>> [age(now - timedelta(days=d), now) for d in (59, 100, 3344)]
    ['59 days ago', '3 months ago', '9 years ago']
    """
    seconds = (now - instant).total_seconds()
    if seconds < -5:
        return "ahead of this clock"
    if seconds < 10:
        return "just now"
    for limit_s, unit_s, unit in ((MINUTE_S, 1, "s"), (HOUR_S, MINUTE_S, "min"), (DAY_S, HOUR_S, "h")):
        if seconds < limit_s:
            return f"{int(seconds // unit_s)} {unit} ago"
    days = int(seconds // DAY_S)
    if days < 60:
        return f"{count(days, 'day')} ago"
    return f"{days // 30} months ago" if days < 730 else f"{int(days / 365.25)} years ago"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun.

    >>> count(1, "person", "people"), count(1200, "person", "people")
    ('1 person', '1,200 people')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def lasted(first: datetime, last: datetime) -> str:
    """How long something took.

    >>> from datetime import UTC
    >>> lasted(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 0, 1, 5, tzinfo=UTC))
    '1 min 5 s'
    """
    minutes, seconds = divmod(round((last - first) / timedelta(seconds=1)), MINUTE_S)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def chosen(label: str, answer: str) -> str:
    """The answer to a choice in the fewest words.

    >>> chosen("hard hat colour", "yellow"), chosen("posture", "kneeling")
    ('yellow hard hat', 'posture: kneeling')
    """
    thing = re.sub(r" colou?r$", "", label)
    return f"{label}: {answer}" if thing == label else f"{answer} {thing}"
