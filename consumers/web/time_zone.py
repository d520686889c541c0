"""The time zone in which times are shown to people."""

import os
import time
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCALTIME = Path("/etc/localtime")


def zone_of(name: str) -> tzinfo:
    """The zone of that name; of an empty name, this machine's own.

    >>> zone_of("Europe/Berlin")
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    try:
        if name or os.environ.get("TZ"):
            return ZoneInfo(name or os.environ["TZ"].lstrip(":"))
        with LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file, key=time.tzname[0])
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return UTC
