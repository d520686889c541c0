"""A real PostgreSQL server for a test, skipped with the reason where Debian's is not installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.installation import free_ports


@contextmanager
def postgres_server() -> Iterator[int]:
    """The port of a PostgreSQL of its own on the loopback, with a user and a database called crewsight."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []
    if not programs:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    (port,) = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="crewsight-postgres-"))
    as_owner: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_owner = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_owner, str(programs[-1] / program), *arguments], check=True, capture_output=True, cwd=folder
        )

    run("initdb", "--pgdata", f"{folder}/data", "--auth", "trust", "--username", "crewsight")
    listen = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    run("pg_ctl", "--pgdata", f"{folder}/data", "--options", listen, "--log", f"{folder}/log", "--wait", "start")
    try:
        run("createdb", "--host", "127.0.0.1", "--port", str(port), "--username", "crewsight", "crewsight")
        yield port
    finally:
        run("pg_ctl", "--pgdata", f"{folder}/data", "--mode", "immediate", "stop")
        shutil.rmtree(folder)
