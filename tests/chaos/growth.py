"""Whether a process holds more and more, from what was noted of its lives. Pure.

A process is killed again and again, so each life is judged by itself: once settled, the median of its last third beside
that of its first. Lives that are too short say nothing.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.processes import Usage, lives

SETTLED_S = 180.0  # of a life; before it, models load and pools fill, slowly on a busy machine
JUDGED_S = 120.0  # a life must last so long beyond that
LEAST_LOOKS = 9
MOST_GROWTH = 1.10
MOST_GROWTH_BYTES = 30e6  # what an allocator may come to keep, beside the tenth
MOST_MORE_FILES = 8  # connections that are just made anew


@dataclass(frozen=True, slots=True)
class Life:
    """One process from its settling to its end."""

    name: str
    lasted_s: float
    first_bytes: float
    last_bytes: float
    first_files: float
    last_files: float
    cores: float

    @property
    def wrong(self) -> str | None:
        """What grew, or None."""
        if self.last_bytes > MOST_GROWTH * self.first_bytes + MOST_GROWTH_BYTES:
            return f"{self.name} grew from {self.first_bytes / 1e6:.0f} MB to {self.last_bytes / 1e6:.0f} MB"
        if self.last_files > self.first_files + MOST_MORE_FILES:
            return f"{self.name} had {self.first_files:.0f} files open, then {self.last_files:.0f}"
        return None


def judged_lives(usage: Sequence[Usage]) -> list[Life]:
    """The lives that were long enough, by name.

    Args:
        usage: What was noted once all processes had worked for the first time: before that, they only fill.
    """
    found = [_judged(name, life) for (name, _), life in lives(usage).items()]
    return sorted((life for life in found if life is not None), key=lambda life: life.name)


def _judged(name: str, life: Sequence[Usage]) -> Life | None:
    settled = [each for each in life if each.age_s > SETTLED_S]
    if len(settled) < LEAST_LOOKS or settled[-1].age_s - settled[0].age_s < JUDGED_S:
        return None
    third = len(settled) // 3
    first, last = settled[:third], settled[-third:]
    lasted_s = settled[-1].age_s - settled[0].age_s
    return Life(
        name,
        lasted_s,
        *(statistics.median(each.resident_bytes for each in part) for part in (first, last)),
        *(statistics.median(each.files for each in part) for part in (first, last)),
        cores=(settled[-1].cpu_s - settled[0].cpu_s) / lasted_s,
    )
