import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from operations.errors import ChildFailedError
from operations.supervisor import ChildSpec, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


def until(holds: Callable[[], bool], deadline_s: float = 10.0) -> None:
    give_up_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < give_up_s, "deadline passed"
        time.sleep(0.02)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*specs: ChildSpec) -> Supervisor:
        made.append(Supervisor(specs, tmp_path / "logs"))
        made[-1].start()
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()


def test_a_killed_child_is_started_again(supervise) -> None:
    supervisor = supervise(ChildSpec("sleeper", SLEEPER))
    first = supervisor.pids()["sleeper"]
    os.kill(first, signal.SIGKILL)

    def is_replaced() -> bool:
        supervisor.tend()
        return supervisor.pids().get("sleeper", first) != first

    until(is_replaced)


def test_a_child_that_refuses_to_start_is_not_tried_again_and_its_reason_is_told(supervise) -> None:
    refuse = [sys.executable, "-c", "import sys; sys.exit('crewsight: media folder /x is not writable')"]
    supervisor = supervise(ChildSpec("streamer", refuse))
    with pytest.raises(ChildFailedError, match="streamer cannot start: media folder /x is not writable"):
        until(lambda: supervisor.tend() or False)


def test_a_child_expected_to_end_is_left_alone_once_it_has(supervise) -> None:
    supervisor = supervise(ChildSpec("once", [sys.executable, "-c", "pass"], is_expected_to_end=True))
    until(lambda: supervisor.has_ended("once"))
    supervisor.tend()
    assert supervisor.pids() == {}


def test_stopping_leaves_no_process_behind_even_of_a_child_that_ignores_the_request(supervise, tmp_path: Path) -> None:
    supervisor = supervise(ChildSpec("stubborn", STUBBORN), ChildSpec("broker", SLEEPER, stop_last=True))
    pids = supervisor.pids()
    until(lambda: "ready" in (tmp_path / "logs" / "stubborn.log").read_text())
    supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


def test_children_die_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from operations.supervisor import ChildSpec, Supervisor
s = Supervisor([ChildSpec("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])], Path({str(tmp_path)!r}))
s.start()
print(s.pids()["sleeper"], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
        until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_what_has_ended_runs_again_when_the_one_it_worked_for_dies(supervise, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    note = [sys.executable, "-c", f"open({str(notes)!r}, 'a').write('ran ')"]
    supervisor = supervise(
        ChildSpec("broker", SLEEPER), ChildSpec("streamer", note, is_expected_to_end=True, again_with="broker")
    )
    until(lambda: supervisor.has_ended("streamer"))
    os.kill(supervisor.pids()["broker"], signal.SIGKILL)

    def has_run_twice() -> bool:
        supervisor.tend()
        return notes.read_text() == "ran ran "

    until(has_run_twice)


def test_a_child_that_dies_later_with_status_1_is_started_again(supervise) -> None:
    supervisor = supervise(ChildSpec("broker", [sys.executable, "-c", "raise SystemExit(1)"], refuses_within_s=0.0))
    first = supervisor.pids().get("broker", 0)

    def is_replaced() -> bool:
        supervisor.tend()
        return supervisor.pids().get("broker", first) != first

    until(is_replaced)


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs" / "sleeper.log").mkdir(parents=True)
    supervisor = Supervisor([ChildSpec("sleeper", SLEEPER)], tmp_path / "logs")
    with pytest.raises(ChildFailedError, match=r"sleeper\.log cannot be written: Is a directory"):
        supervisor.start()


def test_whoever_dies_later_is_told_of_with_what_it_said_last(supervise, caplog: pytest.LogCaptureFixture) -> None:
    dies = [sys.executable, "-c", "import sys; sys.exit('no room on the disk')"]
    supervisor = supervise(ChildSpec("dies", dies, refuses_within_s=0.0))

    def is_told() -> bool:
        supervisor.tend()
        return any(record.message == "child died" for record in caplog.records)

    until(is_told)
    assert vars(caplog.records[0])["said"] == "no room on the disk"
