"""A PostgreSQL server of its own for one test, where the machine has the programs; else the test is skipped."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port


@contextmanager
def postgres_url(folder: Path, is_wanted: bool) -> Iterator[str]:
    """The URL of an empty database; empty where none is wanted."""
    if not is_wanted:
        yield ""
        return
    del folder  # the server runs as another user, who may not look into it
    pg_ctl, initdb = shutil.which("pg_ctl"), shutil.which("initdb")
    if pg_ctl is None or initdb is None:
        pytest.skip("PostgreSQL is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="crewsight-pg-") as home:
        user = _not_root(home)
        data = f"{home}/data"
        run = lambda *command: subprocess.run(command, check=True, capture_output=True, user=user, cwd=home)  # noqa: E731
        run(initdb, "-D", data, "-U", "tester", "--auth=trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
        run(pg_ctl, "-D", data, "-w", "-l", f"{home}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop")


def _not_root(home: str) -> int | None:
    """PostgreSQL refuses to run as root: then as nobody, who is given the folder."""
    if os.getuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(home, nobody, -1)
    return nobody
