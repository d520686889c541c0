"""Times that a file's packets or frames carry, made such that they never leap back. Pure.

Recordings joined by copying begin anew with each part, and a clock that was set back while somebody recorded leaps.
"""

from fractions import Fraction

LEAP_S = 1.0  # what goes back by less is out of step by itself: the times behind it are right


class JoinedTimes:
    """Follows times in their order; what comes behind a leap is shown right after what was before it.

    >>> times = JoinedTimes(Fraction(1, 10), frame_ticks=1)
    >>> [times.of(ticks) for ticks in (200, 201, 201, 202, 50, 51)]
    [200, 201, 201, 202, 203, 204]
    """

    def __init__(self, time_base: Fraction, *, frame_ticks: int) -> None:
        """Count in ticks of `time_base` seconds; the last frame before a leap is shown for `frame_ticks`."""
        self._leap_ticks, self._frame_ticks = round(LEAP_S / time_base), frame_ticks
        self._last: int | None = None
        self.shift_ticks = 0  # what was added to the last time

    def of(self, ticks: int) -> int:
        """The next time, as it would be without the leaps so far."""
        last = self._last
        if last is not None and last - (ticks + self.shift_ticks) >= self._leap_ticks:
            self.shift_ticks = last + self._frame_ticks - ticks
        joined = ticks + self.shift_ticks
        self._last = joined if last is None else max(last, joined)
        return joined
