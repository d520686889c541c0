"""How much goes through a network at once."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Batches:
    """Work cut into batches, smaller ones for good once memory did not suffice for a larger one."""

    def __init__(self, work: str, at_once: int) -> None:
        self._work = work
        self._has_told = False
        self.at_once = at_once

    def run(self, step: Callable[[slice], Result], count: int) -> list[Result]:
        """The results of `step` over `count` things, a slice of them at a time, in order.

        A slice for which memory does not suffice is halved and tried again; that is logged the first time.

        Raises:
            torch.OutOfMemoryError: Memory does not suffice for a single one.
        """
        results: list[Result] = []
        start = 0
        while start < count:
            stop = min(start + self.at_once, count)
            done = self._tried(step, slice(start, stop))
            if done is None:
                self._halve(stop - start)
                continue
            results.append(done[0])
            start = stop
        return results

    def _tried(self, step: Callable[[slice], Result], part: slice) -> tuple[Result] | None:
        """The result, or None when memory did not suffice: by then whatever the step held has been let go."""
        try:
            return (step(part),)
        except torch.OutOfMemoryError:
            if part.stop - part.start == 1:
                raise
            return None

    def _halve(self, tried: int) -> None:
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "out of memory, going on with smaller batches", extra={"work": self._work, "at_once": tried // 2}
            )
        self.at_once = tried // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
