"""Tends the processes and shows what they do until told to stop, or until all footage is through."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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


def watch(
    supervisor: Supervisor,
    terminal: Terminal,
    look: Callable[[], Sighting],
    is_stopping: Callable[[], bool],
    *,
    once: bool,
) -> bool:
    """Tend and show until `is_stopping`, or with `once` until a look says that all footage is through.

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
        if is_stopping() or (once and seen.is_through):
            return seen.is_through
        time.sleep(LOOK_EVERY_S)
