"""A Crewsight of its own for one test: a folder, a configuration on free loopback ports, and its real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.ports import free_ports

START = [sys.executable, "-m", "crewsight"]


def until(holds: Callable[[], Any], deadline_s: float, what: str) -> Any:
    """Wait until `holds()` is true and return its value; fail naming `what` when the deadline passes."""
    give_up_s = time.monotonic() + deadline_s
    while True:
        if value := holds():
            return value
        assert time.monotonic() < give_up_s, f"after {deadline_s:g} s still not: {what}"
        time.sleep(0.05)


@dataclass
class Installation:
    """Where one Crewsight lives; `folder` holds its configuration and state."""

    folder: Path
    sources: Sequence[Mapping[str, Any]]
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        broker, search, page = free_ports(3)
        self.broker_address = f"127.0.0.1:{broker}"
        self.page_url, self.search_url = f"http://127.0.0.1:{page}", f"http://127.0.0.1:{search}"
        self.config = self.folder / "crewsight.yaml"
        content: dict[str, Any] = {
            "state": {"folder": str(self.state)},
            "bus": {"bootstrap_servers": self.broker_address},
            "search": {"port": search},
            "page": {"port": page},
            "sources": [dict(source) for source in self.sources],
        }
        for group, values in self.more.items():
            content[group] = {**content.get(group, {}), **values}
        self.config.write_text(yaml.safe_dump(content))

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def run(
        self, *arguments: str, timeout_s: float = 240, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [*START, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, **(env or {})},
        )

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs until the block ends, then is told to stop; nothing of it may remain."""
        with (self.folder / "output.txt").open("a") as output:
            process = subprocess.Popen(
                [*START, *arguments], cwd=self.folder, stdout=output, stderr=subprocess.STDOUT, text=True
            )
        try:
            yield process
        finally:
            family = _family(process.pid)
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()

    def output(self) -> str:
        """What the running command has said."""
        return (self.folder / "output.txt").read_text()

    def kill(self, name: str) -> int:
        """kill -9 one of the processes of `up` (for the broker: the server itself); the pid that died."""
        process = until(lambda: self.process(name), 30, f"a running {name}")
        process.kill()
        return int(process.pid)

    def process(self, name: str) -> psutil.Process | None:
        """The process of one command of this installation, or None while there is none."""
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if name == "tansu" and "tansu" in Path(line[0] if line else "").name and self._is_ours(line):
                return process
            if name in line and str(self.config) in line:
                return process
        return None

    def manifests(self) -> dict[str, Any]:
        """Every manifest in the media store by segment id."""
        found = [json.loads(path.read_text()) for path in sorted((self.state / "media" / "results").glob("*/*.json"))]
        return {manifest["segment_id"]: manifest for manifest in found}

    def identities(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What must be the same whatever was killed: person ids, track ids and crop paths, in order."""
        return sorted(
            (person["person_id"], person["track_id"], tuple(look["crop_uri"] for look in person["looks"]))
            for manifest in self.manifests().values()
            for person in manifest["people"]
        )

    def _is_ours(self, line: Sequence[str]) -> bool:
        address = yaml.safe_load(self.config.read_text())["bus"]["bootstrap_servers"]
        return any(address in part for part in line)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
