"""docker-compose.yml without an engine: every service's own command and environment, against real servers here."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.builders_bus import embedded_broker
from tests.builders_postgres import postgres_server
from tests.installation import START, free_ports, until

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
OURS = ("streamer", "analyzer", "indexer", "alerter", "notifier", "page")


@pytest.fixture(scope="module")
def services() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return content


def test_the_file_is_one_that_docker_compose_accepts() -> None:
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    checked = subprocess.run(
        ["docker-compose", "-f", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_every_process_of_up_is_a_service_with_the_same_command(services: Mapping[str, Any]) -> None:
    assert {name: services[name]["command"] for name in OURS} == {name: [name] for name in OURS}


def test_nothing_listens_beyond_this_machine(services: Mapping[str, Any]) -> None:
    for service in services.values():
        assert service["network_mode"] == "host"
        assert "ports" not in service
    said = " ".join(map(str, [services["kafka"]["environment"], services["postgres"]["command"]]))
    assert "0.0.0.0" not in said
    assert "127.0.0.1" in said


@pytest.fixture
def postgres() -> Iterator[int]:
    """A PostgreSQL of its own on a free port, with the database that the compose file names."""
    with postgres_server() as port:
        yield port


def rehearsed(environment: Mapping[str, str], replaced: Mapping[str, str]) -> dict[str, str]:
    """A service's environment with the addresses and folders of this rehearsal put in."""
    changed = {}
    for name, value in environment.items():
        for written, here in replaced.items():
            value = value.replace(written, here)
        changed[name] = value
    return changed


@contextlib.contextmanager
def service(name: str, command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """One service's command as a process; its log is `<name>.log`."""
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [*START, *command], cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
        assert process.poll() is None, (folder / f"{name}.log").read_text()[-2000:]
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_footage_goes_through_every_service_and_is_found(
    services: Mapping[str, Any], postgres: int, demo_clip: Path, tmp_path: Path
) -> None:
    footage, state = tmp_path / "footage", tmp_path / "state"
    footage.mkdir()
    shutil.copy(demo_clip, footage)
    search_port, page_port = free_ports(2)
    with embedded_broker(tmp_path) as broker, contextlib.ExitStack() as running:
        replaced = {
            "127.0.0.1:9092": broker.address,
            "127.0.0.1:5432": f"127.0.0.1:{postgres}",
            "/var/lib/crewsight": str(state),
            "/footage": str(footage),
        }
        ports = {"CREWSIGHT_SEARCH__PORT": str(search_port), "CREWSIGHT_PAGE__PORT": str(page_port)}
        for name in (*OURS, "analyzer"):  # the analyzer is the one that is scaled
            environment = rehearsed(services[name]["environment"], replaced)
            running.enter_context(service(name, services[name]["command"], {**environment, **ports}, tmp_path))
        page = running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{page_port}", timeout=10))

        def answer(path: str, **query: Any) -> Any:
            try:
                reply = page.get(f"/api/v1/{path}", params=query)
            except httpx.TransportError:
                return None
            return reply.json() if reply.status_code == 200 else None

        people = until(lambda: (answer("people") or {}).get("people"), 150, "people on the page")
        assert {person["camera_id"] for person in people} == {"footage"}
        found = until(lambda: (answer("search", q="person") or {}).get("hits"), 60, "people found by search")
        assert found
