"""How far this machine's clock was set while we run. Pure: both clocks are told to it."""

from datetime import datetime

LEAST_S = 5.0  # a turn of the loop that stalls between its two looks is no clock that was set


class ClockSet:
    """Compares the clock with one that nobody sets; a machine that slept has had its clock set too."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._ahead_s: float | None = None

    def by_s(self, now: datetime, now_s: float) -> float:
        """By how much the clock was set since the last call, negative: back; 0.0 where it was not.

        Args:
            now: The clock.
            now_s: At the same moment, a clock that nobody sets, from wherever it counts.

        >>> from datetime import UTC
        >>> clock = ClockSet()
        >>> times = (datetime(2026, 5, 4, 8, 0, 0, tzinfo=UTC), datetime(2026, 5, 4, 9, 0, 1, tzinfo=UTC))
        >>> [clock.by_s(now, now_s) for now, now_s in zip(times, (70.0, 71.0))]
        [0.0, 3600.0]
        """
        before_s, self._ahead_s = self._ahead_s, now.timestamp() - now_s
        set_by_s = 0.0 if before_s is None else self._ahead_s - before_s
        return set_by_s if abs(set_by_s) >= LEAST_S else 0.0
