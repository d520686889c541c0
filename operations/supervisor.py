"""Keeps a set of child processes alive, and leaves none behind.

Each child runs in a session of its own, writes to a log file, is started again when it dies, and is told by the kernel
to stop when the supervisor dies, however that happens.
"""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from operations.errors import ChildFailedError
from streamer.bus.tether import tethered

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_S = 10.0
MOST_SAID = 300  # letters of what a child said last
SETTLED_AFTER_S = 30.0  # a child that lived this long had started well: its restarts are counted anew
GRACE_S = 6.0  # between SIGTERM and SIGKILL; with the broker's own it stays under the ten seconds promised


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run under one name.

    Attributes:
        refuses_within_s: A first run that ends with status 1 this soon is a refusal, and the reason is told; one that
            ends later, or in another way, is an accident, and the child is started again.
        is_expected_to_end: Ending with status 0 is success, not death.
        again_with: Once ended, it is started again when this other child dies: what it gave to that one may be lost.
        stop_last: It outlives the others when all are stopped.
        environment: Variables of its own, beside those of this process.
    """

    name: str
    command: Sequence[str]
    refuses_within_s: float = 30.0
    is_expected_to_end: bool = False
    again_with: str | None = None
    stop_last: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes]
    started_s: float
    restarts: int = 0
    start_again_s: float | None = None


class Supervisor:
    """Starts, tends and stops children.

    Args:
        specs: What to run, in the order in which it is started.
        logs: Folder that gets one `<name>.log` for each child; appended to.
        clock: Seconds that never jump back.
    """

    def __init__(self, specs: Sequence[ChildSpec], logs: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._specs = list(specs)
        self._logs = logs
        self._clock = clock
        self._children: dict[str, _Child] = {}

    def start(self) -> None:
        """Start every child.

        Raises:
            ChildFailedError: The log of a child cannot be written.
        """
        for spec in self._specs:
            self._children[spec.name] = _Child(spec, self._spawn(spec), self._clock())

    def tend(self) -> None:
        """Start again whatever has died. Call it a few times a second.

        Raises:
            ChildFailedError: A child refused to start: it ended with status 1 on its very first run, which it does
                when its settings cannot work, and starting it again would not help.
        """
        for child in self._children.values():
            if child.start_again_s is not None:
                if self._clock() >= child.start_again_s:
                    child.process, child.started_s, child.start_again_s = self._spawn(child.spec), self._clock(), None
                continue
            status = child.process.poll()
            if status is not None and not (status == 0 and child.spec.is_expected_to_end):
                self._plan_restart(child, status)

    def _plan_restart(self, child: _Child, status: int) -> None:
        name, lived_s = child.spec.name, self._clock() - child.started_s
        if status == 1 and child.restarts == 0 and lived_s < child.spec.refuses_within_s:
            raise ChildFailedError(name, self.last_line(name))
        child.restarts = 1 if lived_s >= SETTLED_AFTER_S else child.restarts + 1
        # The first restart is at once: a killed process must not cost the footage a pause.
        wait_s = 0.0 if child.restarts == 1 else min(LONGEST_BACKOFF_S, 0.5 * 2**child.restarts)
        said = self.last_line(name)[:MOST_SAID]
        logger.warning("child died", extra={"child": name, "status": status, "restart_in_s": wait_s, "said": said})
        child.start_again_s = self._clock() + wait_s
        for other in self._children.values():
            if other.spec.again_with == name and other.process.poll() == 0:
                other.start_again_s = child.start_again_s

    def has_ended(self, name: str) -> bool:
        """Whether a child that is expected to end has ended well, and is not to be started again."""
        child = self._children[name]
        return child.process.poll() == 0 and child.start_again_s is None

    def pids(self) -> dict[str, int]:
        """The process id of every child that runs."""
        return {name: c.process.pid for name, c in self._children.items() if c.process.poll() is None}

    def last_line(self, name: str) -> str:
        """What a child said last, or where to look."""
        log = self._logs / f"{name}.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
        return lines[-1].strip() if lines else f"it said nothing; see {log}"

    def stop(self) -> None:
        """Stop every child: all but the last ones first, then those; whoever does not go is killed."""
        running = [child for child in self._children.values() if child.process.poll() is None]
        self._end([child for child in running if not child.spec.stop_last], GRACE_S)
        self._end([child for child in running if child.spec.stop_last], GRACE_S / 3)

    def _end(self, children: Sequence[_Child], grace_s: float) -> None:
        for child in children:
            _signal_session(child.process, signal.SIGTERM)
        give_up_s = self._clock() + grace_s
        for child in children:
            try:
                child.process.wait(max(0.05, give_up_s - self._clock()))
            except subprocess.TimeoutExpired:
                logger.warning("child killed", extra={"child": child.spec.name})
            _signal_session(child.process, signal.SIGKILL)  # what it may have left of its session, too
            child.process.wait()

    def _spawn(self, spec: ChildSpec) -> subprocess.Popen[bytes]:
        path = self._logs / f"{spec.name}.log"
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            opened = path.open("ab")
        except OSError as error:
            reason = f"its log {path} cannot be written: {error.strerror}; make it writable"
            raise ChildFailedError(spec.name, reason) from error
        with opened as log:
            return subprocess.Popen(
                tethered(spec.command, signal.SIGTERM),
                env={**os.environ, **spec.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them in order
            )


def _signal_session(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
