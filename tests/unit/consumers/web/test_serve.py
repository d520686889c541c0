"""The `page` command in a process of its own: where it may listen, what it says, how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consumers.access.access import Access
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from operations.seeing.scraping import scraped, targets
from tests.builders_access import PASSWORD, enter_user
from tests.installation import until
from tests.ports import free_port

ROOT = Path(__file__).parents[4]
START_S, END_S = 60, 5


@pytest.fixture
def port() -> int:
    return free_port()


def start(folder: Path, environment: dict[str, str] | None = None, **settings: str) -> subprocess.Popen[str]:
    told = {f"CREWSIGHT_PAGE__{name.upper()}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "crewsight", "page"],
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
        env={**os.environ, "CREWSIGHT_STATE__FOLDER": str(folder / "state"), **told, **(environment or {})},
    )


@pytest.fixture
def page(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    process = start(tmp_path, port=str(port), time_zone="Europe/Berlin")
    yield process
    process.kill()
    process.communicate()


def health(port: int, host: str = "127.0.0.1") -> int:
    return httpx.get(f"http://127.0.0.1:{port}/api/v1/health", headers={"Host": f"{host}:{port}"}).status_code


def wait_until_it_answers(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            health(port)
        except httpx.TransportError:
            continue
        return
    pytest.fail(f"the page did not answer on port {port} (exit status {process.poll()})")


def refusal(process: subprocess.Popen[str]) -> str:
    _, said = process.communicate(timeout=START_S)
    assert process.returncode == 1
    assert len(said.strip().splitlines()) == 1
    return said


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org"])
def test_any_address_but_the_loopback_is_refused_in_one_line(tmp_path: Path, host: str, port: int):
    said = refusal(start(tmp_path, host=host, port=str(port)))
    assert f"{host}:{port}" in said
    assert "until there are users to sign in" in said


def test_any_address_will_do_once_somebody_can_sign_in_and_then_everybody_has_to(tmp_path: Path, port: int):
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'state' / 'desk.sqlite3'}")
    enter_user(desk, "root", Role.ADMIN)
    desk.close()
    process = start(tmp_path, host="0.0.0.0", port=str(port))
    try:
        wait_until_it_answers(port, process)
        assert health(port, host="desk.example") == 200
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/people").status_code == 401
        assert httpx.get(f"http://127.0.0.1:{port}/").headers["location"] == "/sign-in?next=%2F"
    finally:
        process.kill()
        process.communicate()


def test_a_proxy_that_is_named_says_for_whom_it_asks_and_over_what_and_nobody_else_does(tmp_path: Path, port: int):
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'state' / 'desk.sqlite3'}")
    enter_user(desk, "root", Role.ADMIN)
    forwarded = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    typed = {"name": "root", "password": PASSWORD}
    process = start(tmp_path, host="0.0.0.0", port=str(port), proxies='["127.0.8.0/24"]')
    try:
        wait_until_it_answers(port, process)
        cookies = []
        for local_address in ("127.0.8.1", "127.0.0.1"):
            with httpx.Client(transport=httpx.HTTPTransport(local_address=local_address)) as client:
                answer = client.post(f"http://127.0.0.1:{port}/sign-in", headers=forwarded, data=typed)
            cookies.append(answer.headers["set-cookie"])
        assert ["Secure" in cookie for cookie in cookies] == [True, False]
        assert [entry.subject for entry in Access(desk).entries(9)] == ["127.0.0.1", "198.51.100.7"]
    finally:
        process.kill()
        process.communicate()
        desk.close()


def test_a_page_on_the_loopback_of_ipv6_is_reached_and_read_by_whoever_looks_over_all(tmp_path: Path, port: int):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", port))
        except OSError:
            pytest.skip("this machine has no IPv6")
    process = start(tmp_path, host="::1", port=str(port))
    try:
        noted = until(lambda: targets(tmp_path / "state", ()), START_S, "a note of where the page is")
        assert noted == [("page", f"[::1]:{port}")]
        until(lambda: not scraped(*noted[0]).fault, START_S, "a page that answers there")
        assert httpx.get(f"http://[::1]:{port}/api/v1/health").status_code == 200
    finally:
        process.kill()
        process.communicate()


def test_a_busy_port_is_one_line(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(start(tmp_path, port=str(port)))
    assert f"127.0.0.1:{port}" in said
    assert "page.port" in said


def test_a_zone_that_is_none_is_one_line(tmp_path: Path, port: int):
    assert "Berlin/Europe is no time zone" in refusal(start(tmp_path, port=str(port), time_zone="Berlin/Europe"))


def test_the_page_answers_without_an_indexer_and_ends_in_time(page: subprocess.Popen[str], port: int):
    wait_until_it_answers(port, page)
    assert "Crewsight" in httpx.get(f"http://127.0.0.1:{port}/", timeout=30).text
    assert httpx.get(f"http://127.0.0.1:{port}/api/v1/search?q=vest").status_code == 503
    page.send_signal(signal.SIGTERM)
    assert page.wait(timeout=END_S) == 0


def test_a_name_that_is_not_this_machine_is_turned_away(page: subprocess.Popen[str], port: int):
    wait_until_it_answers(port, page)
    assert health(port) == 200
    assert health(port, host="attacker.example") == 400


def test_the_page_ends_in_time_while_a_search_waits_for_an_indexer_that_never_answers(tmp_path: Path, port: int):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        environment = {"CREWSIGHT_SEARCH__PORT": str(deaf.getsockname()[1])}
        process = start(tmp_path, environment, port=str(port))
        wait_until_it_answers(port, process)
        with socket.create_connection(("127.0.0.1", port)) as asking:
            asking.sendall(b"GET /api/v1/search?q=vest HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            deaf.settimeout(START_S)
            deaf.accept()  # the page asks, and waits
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=END_S) == 0
    process.communicate()
