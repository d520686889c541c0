"""Instants that somebody sends, but for the ends of time, where a day before or after is none. Pure."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def within_reason(instant: datetime) -> datetime:
    """The same instant.

    Raises:
        ValueError: It lies before 1900 or after 2200.

    >>> within_reason(datetime(1, 1, 1, tzinfo=UTC))
    Traceback (most recent call last):
    ValueError: must lie between 1900 and 2200
    """
    at = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    if not EARLIEST <= at < LATEST:
        raise ValueError("must lie between 1900 and 2200")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(within_reason)]
WallInstant = Annotated[datetime, AfterValidator(within_reason)]
