"""Whether a process is ready and whether its main loop still turns. Safe to share between threads."""

import time
from collections.abc import Callable, Mapping

from operations.seeing.meters import READY

MISSING = {
    "broker": "no broker answers",
    "media": "the media store takes nothing",
    "partitions": "the consumer group has not assigned partitions yet",
    "models": "the models are loading",
    "database": "the database is not open yet",
    "topics": "the topics are not created yet",
    "channels": "the channels are not set up yet",
}


class Health:
    """What a process still lacks, and when its main loop last turned."""

    def __init__(self, *needs: str, stall_after_s: float = 120.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Lack all of `needs`, keys of `MISSING`, until `has` says otherwise."""
        self._missing = {need: MISSING[need] for need in needs}
        self._stall_after_s, self._clock = stall_after_s, clock
        self._beaten_at_s: float | None = None
        self._tell()

    def has(self, need: str) -> None:
        """Note that it is there."""
        if self._missing.pop(need, None) is not None:
            self._tell()

    def lacks(self, need: str, reason: str = "") -> None:
        """Note that it is not there, or not any more."""
        if self._missing.get(need) != (said := reason or MISSING[need]):
            self._missing = {**self._missing, need: said}
            self._tell()

    def set(self, need: str, *, is_there: bool) -> None:
        """`has` or `lacks`."""
        if is_there:
            self.has(need)
        else:
            self.lacks(need)

    def beat(self, *, has: str = "") -> None:
        """Note that the main loop has turned, and what it shows to be there."""
        self._beaten_at_s = self._clock()
        if has:
            self.has(has)

    @property
    def missing(self) -> Mapping[str, str]:
        """What is lacking, and why."""
        return dict(self._missing)

    @property
    def stalled_s(self) -> float | None:
        """For how long the main loop has not turned, once that is too long; None while it turns or has not begun."""
        if self._beaten_at_s is None:
            return None
        still_s = self._clock() - self._beaten_at_s
        return still_s if still_s > self._stall_after_s else None

    def _tell(self) -> None:
        READY.set(0 if self._missing else 1)
