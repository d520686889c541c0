"""A real PostgreSQL server for a test, skipped with the reason where Debian's is not installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.ports import free_ports


def missing_postgres() -> str | None:
    """Why no PostgreSQL can be started here, or None."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin")):
        return "PostgreSQL's server is not installed (Debian: postgresql)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root, and there is no user postgres"
    return None


class PostgresServer:
    """A PostgreSQL of its own on the loopback, with a user and a database called crewsight."""

    def __init__(self) -> None:
        """Lay it out; `start` runs it."""
        self._programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        (self.port,) = free_ports(1)
        self._folder = Path(tempfile.mkdtemp(prefix="crewsight-postgres-"))
        self._as_owner: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            os.chown(self._folder, pwd.getpwnam("postgres").pw_uid, -1)
            self._as_owner = ["runuser", "-u", "postgres", "--"]
        self._run("initdb", "--pgdata", f"{self._folder}/data", "--auth", "trust", "--username", "crewsight")
        self.start()
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--username", "crewsight"]
        self._run("createdb", *address, "crewsight")

    @property
    def url(self) -> str:
        """SQLAlchemy's name for the database."""
        return f"postgresql+psycopg://crewsight@127.0.0.1:{self.port}/crewsight"

    def start(self) -> None:
        """Run the server, and return once it answers."""
        listen = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self._folder}"
        self._control("--options", listen, "--log", f"{self._folder}/log", "--wait", "start")

    def stop(self, mode: str = "immediate") -> None:
        """End the server at once; `immediate` is what a power cut does to it."""
        self._control("--mode", mode, "stop")

    def close(self) -> None:
        """Stop the server, if it runs, and remove what is its own."""
        with suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "--pgdata", f"{self._folder}/data", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_owner, str(self._programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)


@contextmanager
def postgres_server() -> Iterator[int]:
    """The port of a PostgreSQL that runs while the block does."""
    if missing := missing_postgres():
        pytest.skip(missing)
    server = PostgresServer()
    try:
        yield server.port
    finally:
        server.close()
