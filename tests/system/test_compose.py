"""docker-compose.yml without an engine: every service's own command, environment, secrets and health check, as
processes beside a real PostgreSQL, a broker that speaks Kafka's protocol, and a real S3 server."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders_bus import embedded_broker
from tests.builders_compose import Rehearsal, Service, compose_config
from tests.builders_postgres import postgres_server
from tests.builders_s3 import S3Server
from tests.installation import until

RULES = """\
rules:
  - id: vest
    title: Nobody without a safety vest
    question: {text: "Is this person wearing a safety vest?", complying: [yes]}
    persistence: {share: 0.1, seconds: 1}
    status: in force
"""
OURS = ("streamer", "analyzer", "indexer", "alerter", "notifier", "page")
WITHIN_S = 600  # models are converted at the first start, beside whatever else the machine does


@pytest.fixture(scope="module")
def services() -> Mapping[str, Any]:
    read: Mapping[str, Any] = compose_config("--profile", "demo")["services"]
    return read


@pytest.fixture
def rehearsal(services: Mapping[str, Any], tmp_path: Path) -> Iterator[tuple[Rehearsal, S3Server]]:
    """The file's servers, real and on the loopback, and a clip in the folder that is watched."""
    with postgres_server() as postgres, embedded_broker(tmp_path) as broker, S3Server().running() as s3:
        hosts = {
            "kafka:9092": broker.address,
            "postgres:5432": f"127.0.0.1:{postgres}",
            "http://minio:9000": s3.endpoint_url,
        }
        rehearsal = Rehearsal(services, tmp_path, hosts)
        (tmp_path / "footage").mkdir()
        shutil.copy(rehearsal.run("demo-footage").strip(), tmp_path / "footage")
        desk = rehearsal.volume("desk")
        desk.mkdir(parents=True)
        (desk / "rules.yaml").write_text(RULES)
        yield rehearsal, s3


class Visitor:
    """Somebody at the page who has signed in."""

    def __init__(self, port: int, password: str) -> None:
        self._page = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
        self._password = password

    def sign_in(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            form = {"name": "administrator", "password": self._password}
            return self._page.post("/sign-in", data=form).status_code == 303
        return False

    def answer(self, path: str, **query: Any) -> Any:
        try:
            reply = self._page.get(f"/api/v1/{path}", params=query)
        except httpx.TransportError:
            return None
        return reply.json() if reply.status_code == 200 else None

    def part(self, url: str, first: int, last: int) -> httpx.Response:
        return self._page.get(url, headers={"Range": f"bytes={first}-{last}"})


def test_footage_goes_through_every_service_is_found_alerted_about_and_played(
    rehearsal: tuple[Rehearsal, S3Server], tmp_path: Path
) -> None:
    here, s3 = rehearsal
    here.run("migrate")
    assert here.run("administrator") == "administrator can sign in as admin.\n"
    assert "nothing is changed" in here.run("administrator")
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(here.running(name)) for name in OURS]
        visitor = Visitor(here.ports["page"], here.secret("administrator_password"))
        until(visitor.sign_in, WITHIN_S, "an administrator who can sign in")
        people = until(lambda: (visitor.answer("people") or {}).get("people"), WITHIN_S, "people on the page")
        assert {person["camera_id"] for person in people} == {"footage"}
        assert people[0]["caption"]
        assert until(lambda: (visitor.answer("search", q="person") or {}).get("hits"), WITHIN_S, "people found")
        _plays_from_s3(visitor, people[0], s3)
        until(lambda: (visitor.answer("alerts") or {}).get("alerts"), WITHIN_S, "an alert")
        until(lambda: all(service.is_healthy() for service in started), WITHIN_S, _unwell(started))
        here.run("demo-camera")
        assert "rtsp://camera:8554/demo" in (here.volume("desk") / "cameras.yaml").read_text()
        shown = " ".join(service.said() for service in started)
        assert here.secret("s3_secret_key") not in shown
        assert here.secret("database_password") not in shown


def _plays_from_s3(visitor: Visitor, person: Mapping[str, Any], s3: S3Server) -> None:
    url = person["clip"]["url"].split("#")[0]
    whole = s3.store("").read(f"media:///{url.removeprefix('/media/')}")
    part = visitor.part(url, 100, 299)
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert any(key.startswith("crops/footage/") for key in s3.listing(""))


def _unwell(services: list[Service]) -> str:
    return "every health check passing: " + ", ".join(service.name for service in services)
