"""Moments as people type them. Pure."""

import re
from datetime import datetime, timedelta

from consumers.errors import MomentError

_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def moment(typed: str, now: datetime) -> datetime:
    """The moment meant: so long before `now`, or a date with or without a time, in this machine's zone unless it says.

    Raises:
        MomentError: It is neither.

    >>> from datetime import UTC
    >>> moment("90m", datetime(2026, 3, 1, 12, tzinfo=UTC)).isoformat()
    '2026-03-01T10:30:00+00:00'
    >>> moment("2026-02-28T06:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)).isoformat()
    '2026-02-28T06:00:00+00:00'
    """
    try:
        if ago := _AGO.fullmatch(typed.strip()):
            return now - int(ago[1]) * _UNITS[ago[2]]
        found = datetime.fromisoformat(typed.strip())
        return found if found.tzinfo is not None else found.astimezone()
    except (ValueError, OverflowError) as error:
        raise MomentError(typed) from error
