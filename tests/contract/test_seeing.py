"""What can be seen of real processes: whether they are ready, whether they turn, and what they count."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from operations.seeing.health import Health
from operations.seeing.meters import CAMERAS_AT_MOST, OTHERS
from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Bus
from streamer.bus.topics import PEOPLE
from tests.builders_bus import analyzed, embedded_broker
from tests.installation import START, Installation, until
from tests.ports import free_ports

WITHIN_S = 240


@contextmanager
def process(installation: Installation, name: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """One process of an installation, seen at `port`."""
    with (installation.folder / f"{name}.log").open("wb") as log:
        running = subprocess.Popen(
            [*START, name, "--config", str(installation.config)],
            env={**os.environ, "CREWSIGHT_METRICS__PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def asked(port: int, path: str) -> tuple[int, Any]:
    """Status and body of an answer; 0 while nobody answers."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=20)
    except httpx.TransportError:
        return 0, None
    return answer.status_code, answer.json() if path != "/metrics" else answer.text


def samples(text: str) -> dict[str, float]:
    """Every value, by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "home", [])


def test_a_process_is_ready_once_the_broker_answers_and_its_partitions_are_assigned(home: Installation) -> None:
    (port,) = free_ports(1)
    with process(home, "alerter", port):

        def without_broker() -> Any:
            status, body = asked(port, "/ready")
            return (status, body) if status and "database" not in body["missing"] else None

        status, body = until(without_broker, WITHIN_S, "an answer")
        assert (status, set(body["missing"])) == (503, {"broker", "partitions"})
        assert "no broker answers" in body["missing"]["broker"]
        assert "crewsight_ready 0.0" in asked(port, "/metrics")[1]
        with embedded_broker(home.folder, home.broker_address):
            until(lambda: asked(port, "/ready") == (200, {"ready": True, "missing": {}}), WITHIN_S, "ready")
            assert "crewsight_ready 1.0" in asked(port, "/metrics")[1]
            assert asked(port, "/live") == (200, {"live": True})


def test_work_done_lag_and_refusals_are_counted(home: Installation, broker: EmbeddedBroker) -> None:
    home = Installation(home.folder, [], {"bus": {"bootstrap_servers": broker.address}})
    bus = Bus(broker.address, partitions=4)
    bus.ensure_topics()
    publisher = bus.publisher()
    for number in range(3):  # their manifests lie nowhere
        publisher.publish(PEOPLE, analyzed(f"s{number}", "gate"), partition=1)
    publisher.flush()
    publisher.close()
    (port,) = free_ports(1)
    with process(home, "alerter", port):

        def counted() -> dict[str, float]:
            status, text = asked(port, "/metrics")
            found = samples(text) if status == 200 else {}
            worked = found.get("crewsight_messages_total[('group', 'alerter'), ('topic', 'people')]")
            return found if worked == 3 else {}

        found = until(counted, WITHIN_S, "three messages counted")
        assert found["crewsight_dead_letters_total[('reason', 'manifest')]"] == 3
        assert found["crewsight_leg_seconds_count[('camera', 'gate'), ('leg', 'alert')]"] == 3
        assert found["crewsight_leg_seconds_count[('camera', 'gate'), ('leg', 'alert_wait')]"] == 3
        assert found["crewsight_leg_seconds_count[('camera', 'gate'), ('leg', 'alert_publish')]"] == 3
        assert 1 <= found["crewsight_batch_messages_count[('group', 'alerter')]"] <= 3
        assert found["crewsight_disk_free_bytes[('folder', 'state')]"] > 0
        assert found["process_open_fds[]"] > 3

        def caught_up() -> bool:
            now = samples(asked(port, "/metrics")[1])
            lag = [v for name, v in now.items() if name.startswith("crewsight_consumer_lag_messages")]
            return len(lag) == 4 and not any(lag) and now["crewsight_in_flight_messages[('group', 'alerter')]"] == 0

        until(caught_up, WITHIN_S, "no lag in any of four partitions")
    bus.close()


def test_a_port_that_is_taken_gives_way_and_where_it_is_read_is_noted(home: Installation) -> None:
    (port,) = free_ports(1)
    with process(home, "notifier", port), process(home, "alerter", port):

        def noted() -> set[str]:
            notes = [json.loads(path.read_text())[0] for path in (home.state / "metrics").glob("*.json")]
            return {note["targets"][0] for note in notes if note["labels"]["job"] in ("notifier", "alerter")}

        targets = until(lambda: len(found := noted()) == 2 and found, WITHIN_S, "two processes noted")
        assert f"127.0.0.1:{port}" in targets
        for target in targets:
            assert httpx.get(f"http://{target}/live", timeout=20).status_code == 200


def test_a_stopped_process_takes_its_note_away(home: Installation) -> None:
    (port,) = free_ports(1)
    with process(home, "notifier", port) as running:
        until(lambda: list((home.state / "metrics").glob("notifier-*.json")), WITHIN_S, "a note")
        until(lambda: asked(port, "/ready")[0] == 200, WITHIN_S, "ready")
        running.send_signal(signal.SIGTERM)
        running.wait(60)
    assert not list((home.state / "metrics").glob("notifier-*.json"))


def test_a_note_cut_short_and_a_target_that_is_none_stop_nobody_who_looks(home: Installation) -> None:
    (home.state / "metrics").mkdir(parents=True)
    (home.state / "metrics" / "streamer-1.json").write_text("")
    look = home.run("status", "--once", "--json", "--config", str(home.config))
    assert (look.returncode, json.loads(look.stdout)["processes"]) == (1, [])
    wrong = home.run("status", "--once", "--target", "indexer", "--config", str(home.config))
    assert wrong.returncode == 2
    assert "indexer is not written as JOB=HOST:PORT" in wrong.stderr


def test_a_loop_that_stops_turning_is_not_live_and_one_that_has_not_begun_is() -> None:
    now_s = [100.0]
    health = Health("models", stall_after_s=10, clock=lambda: now_s[0])
    now_s[0] = 1000.0
    assert health.stalled_s is None  # models may load for long
    health.beat()
    now_s[0] = 1009.0
    assert health.stalled_s is None
    now_s[0] = 1011.0
    assert health.stalled_s == pytest.approx(11.0)


def test_cameras_without_end_share_a_label() -> None:
    script = (
        "from operations.seeing.meters import camera_label, CAMERAS_AT_MOST\n"
        "names = {camera_label(f'c{i}') for i in range(CAMERAS_AT_MOST + 500)}\n"
        "print(len(names), camera_label('c3'), camera_label('never seen'))"
    )
    said = subprocess.run([*START[:1], "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(CAMERAS_AT_MOST + 1), "c3", *OTHERS.split()]
