"""What a run has shown, in words and tables. Pure, but for the machine's own description."""

import os
import platform
import statistics
from collections import defaultdict

from tests.chaos.processes import Usage, lives
from tests.chaos.run import Outcome, Round

SETTLED_S = 45.0  # of a life; before it, models load and pools fill
JUDGED_S = 120.0  # a life shorter than this beyond that says nothing of growth
MOST_GROWTH = 1.10  # of what is resident in the first third of the settled life
MOST_GROWTH_BYTES = 25e6
MOST_MORE_FILES = 8  # connections that are being made anew while one looks


def verdict(outcome: Outcome) -> list[str]:
    """Everything that is wrong."""
    return [
        *outcome.wrongs,
        *(f"never recovered from {each.fault.words} (fault {each.fault.number})" for each in outcome.never_recovered),
        *growth(outcome.usage),
    ]


def growth(usage: list[Usage]) -> list[str]:
    """Processes that held more and more, judged over each life that was long enough."""
    wrong = []
    for (name, pid), life in lives(usage).items():
        settled = [each for each in life if each.age_s > SETTLED_S]
        if len(settled) < 9 or settled[-1].age_s - settled[0].age_s < JUDGED_S:
            continue
        third = len(settled) // 3
        first, last = settled[:third], settled[-third:]
        before, after = (statistics.median(each.resident_bytes for each in part) for part in (first, last))
        if after > MOST_GROWTH * before + MOST_GROWTH_BYTES:
            wrong.append(f"{name} ({pid}) grew from {before / 1e6:.0f} MB to {after / 1e6:.0f} MB")
        files_before, files_after = (statistics.median(each.files for each in part) for part in (first, last))
        if files_after > files_before + MOST_MORE_FILES:
            wrong.append(f"{name} ({pid}) had {files_before:.0f} files open, then {files_after:.0f}")
    return wrong


def report(outcome: Outcome, *, command: str, asked_for: int) -> str:
    return "TODO"
