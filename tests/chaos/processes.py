"""Processes that are started again whenever they end, as compose's `restart: unless-stopped` does, and watched."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from streamer.bus.tether import tethered
from tests.installation import until

TEND_EVERY_S = 0.05
LOOK_EVERY_S = 2.0
SETTLED_AFTER_S = 10.0  # Docker's: whoever lived so long is started again without a wait
LONGEST_BACKOFF_S = 5.0
DRAIN_S = 15.0  # compose's stop_grace_period


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process holds at one moment of its life."""

    name: str
    pid: int
    at_s: float  # of the monotonic clock
    age_s: float
    resident_bytes: int
    files: int
    threads: int
    cpu_s: float


@dataclass(slots=True)
class _Kept:
    name: str
    command: Sequence[str]
    log: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0
    is_wanted: bool = True
    quick_ends: int = 0


class Keeper:
    """Keeps processes by name; all of its methods may be called from any thread."""

    def __init__(self, logs: Path) -> None:
        """Write what they say to `logs`."""
        self._logs = logs
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        self._looked_s = 0.0
        self.usage: list[Usage] = []
        logs.mkdir(parents=True)

    @contextlib.contextmanager
    def running(self) -> Iterator["Keeper"]:
        """Keep while the block runs; then everyone is stopped."""
        thread = threading.Thread(target=self._tend, name="keeper")
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()
            for kept in self._kept.values():
                self._end(kept, signal.SIGTERM)
            for kept in self._kept.values():
                self._wait(kept, DRAIN_S)

    def keep(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a process, and start it again whenever it ends."""
        with self._lock:
            self._kept[name] = _Kept(name, command, self._logs / f"{name}.log", {**os.environ, **env})

    def process(self, name: str) -> psutil.Process:
        """The process of that name, once it runs."""

        def found() -> psutil.Process | None:
            with self._lock, contextlib.suppress(psutil.NoSuchProcess):
                process = self._kept[name].process
                if process is not None and process.poll() is None:
                    return psutil.Process(process.pid)
            return None

        process: psutil.Process = until(found, 60, f"a running {name}")
        return process

    def kill(self, name: str) -> None:
        """kill -9."""
        self.process(name).kill()

    def drain(self, name: str, env: Mapping[str, str] | None = None) -> int:
        """SIGTERM, as a new version is rolled out; returns the exit status. It is started again, with `env` beside."""
        self.process(name)
        kept, status = self._terminated(name)
        with self._lock:
            if env is not None:
                kept.env = {**os.environ, **env}
            kept.is_wanted, kept.start_at_s = True, 0.0
        return status

    def drop(self, name: str) -> int:
        """SIGTERM, for good; returns the exit status."""
        _, status = self._terminated(name)
        with self._lock:
            del self._kept[name]
        return status

    def _terminated(self, name: str) -> "tuple[_Kept, int]":
        """Tell a process to end, and wait until it has; its exit status."""
        with self._lock:
            kept = self._kept[name]
            kept.is_wanted = False
            self._end(kept, signal.SIGTERM)
        return kept, self._wait(kept, DRAIN_S)

    def _tend(self) -> None:
        while not self._is_over.wait(TEND_EVERY_S):
            with self._lock:
                for kept in self._kept.values():
                    self._tend_one(kept)
            if time.monotonic() - self._looked_s >= LOOK_EVERY_S:
                self._looked_s = time.monotonic()
                self._look()

    def _tend_one(self, kept: _Kept) -> None:
        now_s = time.monotonic()
        if kept.process is not None and kept.process.poll() is not None:
            kept.process = None
            lived_s = now_s - kept.started_s
            kept.quick_ends = 0 if lived_s >= SETTLED_AFTER_S else kept.quick_ends + 1
            kept.start_at_s = now_s + min(LONGEST_BACKOFF_S, 0.1 * 2**kept.quick_ends)
        if kept.process is None and kept.is_wanted and now_s >= kept.start_at_s:
            with kept.log.open("ab") as log:
                kept.process = subprocess.Popen(
                    tethered(kept.command, signal.SIGKILL),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=kept.env,
                )
            kept.started_s = now_s

    def _look(self) -> None:
        with self._lock:
            alive = {name: k.process.pid for name, k in self._kept.items() if k.process and k.process.poll() is None}
        for name, pid in alive.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                self._note(name, process)
                for child in process.children():
                    self._note(child.name(), child)

    def _note(self, name: str, process: psutil.Process) -> None:
        with process.oneshot():
            cpu = process.cpu_times()
            self.usage.append(
                Usage(
                    name,
                    process.pid,
                    time.monotonic(),
                    time.time() - process.create_time(),
                    process.memory_info().rss,
                    process.num_fds(),
                    process.num_threads(),
                    cpu.user + cpu.system,
                )
            )

    @staticmethod
    def _end(kept: _Kept, number: signal.Signals) -> None:
        if kept.process is not None:
            kept.process.send_signal(number)

    @staticmethod
    def _wait(kept: _Kept, within_s: float) -> int:
        """Its exit status; that of kill -9 where it did not go in time."""
        if kept.process is None:
            return 0
        try:
            return kept.process.wait(within_s)
        except subprocess.TimeoutExpired:
            kept.process.kill()
            return kept.process.wait()


def lives(usage: Sequence[Usage]) -> dict[tuple[str, int], list[Usage]]:
    """What was noted, by name and life."""
    found: dict[tuple[str, int], list[Usage]] = defaultdict(list)
    for each in usage:
        found[each.name, each.pid].append(each)
    return dict(found)
