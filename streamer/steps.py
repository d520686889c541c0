"""Long work in short steps, between which whoever does it turns to other things."""

import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Made = TypeVar("Made")

Steps = Generator[None, None, Made]  # what it makes is what it returns


class Underway(Generic[Made]):
    """Work that has begun.

    >>> def three() -> Steps[str]:
    ...     for _ in range(3):
    ...         yield
    ...     return "made"
    >>> work = Underway(three())
    >>> work.go_on(lasting_s=0.0), work.go_on(lasting_s=60.0), work.made
    (False, True, 'made')
    """

    made: Made  # once it is done

    def __init__(self, steps: Steps[Made]) -> None:
        """Take the first of `steps` at the first `go_on`."""
        self._steps = steps

    def go_on(self, *, lasting_s: float, clock: Callable[[], float] = time.monotonic) -> bool:
        """Take steps for about so long, one at least; whether it is done. Raises what a step raises."""
        until_s = clock() + lasting_s
        while True:
            try:
                next(self._steps)
            except StopIteration as end:
                self.made = end.value
                return True
            if clock() >= until_s:
                return False


def made_at_once(steps: Steps[Made]) -> Made:
    """What comes out of `steps`, all of them taken."""
    work = Underway(steps)
    work.go_on(lasting_s=float("inf"))
    return work.made
