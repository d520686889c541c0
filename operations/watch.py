"""Tends the processes and shows what they do until told to stop, or until all footage is through."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from operations.supervisor import Supervisor
from operations.terminal import PersonLine, SourceProgress, Terminal

LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Sighting:
    """What can be told at one moment: how far each source is, and who came since the last look."""

    sources: Sequence[SourceProgress] = ()
    people: Sequence[PersonLine] = ()
    remarks: Sequence[str] = field(default=())
    is_through: bool = False


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set while the block runs; only for the main thread."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 — the signature is the library's
        stop.set()

    earlier = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def watch(
    supervisor: Supervisor,
    terminal: Terminal,
    look: Callable[[], Sighting],
    stop: threading.Event,
    *,
    once: bool,
) -> bool:
    """Tend and show until `stop` is set, or with `once` until a look says that all footage is through.

    Returns:
        Whether all footage was through at the end.

    Raises:
        ChildFailedError: A process refused to start.
    """
    while True:
        supervisor.tend()
        seen = look()
        terminal.show_progress(seen.sources)
        for remark in seen.remarks:
            terminal.say(remark)
        for person in seen.people:
            terminal.show_person(person)
        if stop.is_set() or (once and seen.is_through):
            return seen.is_through
        stop.wait(LOOK_EVERY_S)
