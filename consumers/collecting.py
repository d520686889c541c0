"""How often Python looks for garbage in a process that remembers much and leaves few cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made since the last look. Python's own 700 has it walk through everything a batch is made of again and again:
# that took half of the alerter's time. What is in no cycle, which is nearly everything, goes at once all the same.
YOUNG_AT_MOST = 50_000


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for cycles seldom while the block runs, and never again among what exists already."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_AT_MOST, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
