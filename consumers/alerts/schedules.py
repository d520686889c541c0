"""Whether a rule's schedule covers an instant, by the clock on the wall beside the camera. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from consumers.alerts.rules import DAYS, Hours, Schedule

MINUTE_S = 60
MINUTES_KEPT = 1024


def is_on_schedule(schedule: Schedule | None, at_s: float) -> bool:
    """Whether a rule holds at an instant, in seconds since 1970 (UTC).

    >>> night = Schedule(time_zone="Europe/Berlin", hours=(Hours(days=("fri",), since="22:00", until="06:00"),))
    >>> saturday_0530 = datetime(2026, 3, 7, 5, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    >>> is_on_schedule(night, saturday_0530), is_on_schedule(night, saturday_0530 + 1800), is_on_schedule(None, 0.0)
    (True, False, True)
    """
    if schedule is None:
        return True
    local = datetime.fromtimestamp(at_s, ZoneInfo(schedule.time_zone))
    return any(_holds(hours, local) for hours in schedule.hours)


def schedule_check(schedule: Schedule | None) -> Callable[[float], bool] | None:
    """The same as a function of the instant that remembers minutes; None for a rule that always holds."""
    if schedule is None:
        return None
    # Hours begin and end with minutes, and so do the changes of clocks: a minute is all on schedule or all off.
    of_minute = lru_cache(maxsize=MINUTES_KEPT)(lambda minute: is_on_schedule(schedule, minute * MINUTE_S))
    return lambda at_s: of_minute(int(at_s // MINUTE_S))


def _holds(hours: Hours, local: datetime) -> bool:
    now = f"{local:%H:%M}"
    today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
    if hours.since < hours.until:
        return today in hours.days and hours.since <= now < hours.until
    return (today in hours.days and now >= hours.since) or (yesterday in hours.days and now < hours.until)
