"""Ending a long-running process cleanly: SIGTERM and SIGINT only set what its loop asks for."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """A function that tells whether SIGTERM or SIGINT came while the block runs; only for the main thread."""
    came: list[int] = []

    def _note(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(number)

    previous = {number: signal.signal(number, _note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
