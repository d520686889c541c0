"""The alerter on its topic, over a real broker and as a real process: whatever is lost or repeated, each alert once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import yaml

from consumers.alerts import build
from consumers.alerts.desk_database import DeskDatabase
from consumers.settings import AlerterSettings, Alerts
from streamer.bus.client import Bus
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from streamer.bus.settings import State
from streamer.bus.topics import PEOPLE, QUESTIONS
from tests.builders_bus import embedded_broker, kill, wait_until
from tests.builders_consumers import arriving, running
from tests.builders_rules import NOON, VEST, a_result, a_rule, alerts_on, stored

MakeBus = Callable[[], Bus]
RULES = yaml.safe_dump({"rules": [a_rule(channels=["hall"]).model_dump(mode="json")]})
SEGMENTS = 12


class Installed:
    """A state folder with rules, and stored results of two cameras, each with somebody new without a vest."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder=folder / "state")
        self.state.folder.mkdir()
        (self.state.folder / "rules.yaml").write_text(RULES)
        self.settings = AlerterSettings(state=self.state, alerts=Alerts(notify_within_s=1e12))
        self.store = MediaStore(self.settings.media_url)
        self.desk = DeskDatabase(self.settings.desk_url)
        self.results = [self._result(number) for number in range(SEGMENTS)]

    @staticmethod
    def _result(number: int) -> Manifest:
        camera = f"camera{number % 2}"
        return a_result(
            f"s{number}", "BBBB", "CCCC", number=6 * number, camera=camera, began_at=NOON + timedelta(hours=1)
        )

    def announce(self, bus: Bus, numbers: Sequence[int]) -> None:
        publisher = bus.publisher()
        for number in numbers:
            publisher.publish(PEOPLE, stored(self.store, self.results[number]), partition=number % 2)
        publisher.flush()
        publisher.close()

    def segments_with_alerts(self) -> list[str]:
        return sorted(alert.segment_id for alert in alerts_on(self.desk))


def expected(count: int) -> list[str]:
    return sorted(f"s{number}" for number in range(count))


def test_every_breach_is_on_the_desk_once_and_the_questions_are_told_to_analyzers(
    make_bus: MakeBus, tmp_path: Path
) -> None:
    bus, installed = make_bus(), Installed(tmp_path)
    bus.ensure_topics()
    installed.announce(bus, [3, 1, 0, 2, 1, 3])
    with build.alerter(installed.settings, bus) as runner, running(runner):
        wait_until(lambda: installed.segments_with_alerts() == expected(4))
        (told,) = arriving(make_bus(), QUESTIONS, 1)
    assert [question.question_id for question in told.message.questions] == [VEST.question_id]
    installed.announce(bus, range(5))
    with build.alerter(installed.settings, make_bus()) as runner, running(runner):
        wait_until(lambda: installed.segments_with_alerts() == expected(5))


def test_a_broker_without_memory_raises_nothing_again(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    with embedded_broker(tmp_path) as before:
        bus = Bus(before.address, partitions=2, timeout_s=4)
        bus.ensure_topics()
        installed.announce(bus, range(3))
        with build.alerter(installed.settings, bus) as runner, running(runner):
            wait_until(lambda: installed.segments_with_alerts() == expected(3))
            kill(before)
            with embedded_broker(tmp_path, before.address):
                other = Bus(before.address, partitions=2)
                other.ensure_topics(is_newborn=True)
                installed.announce(other, range(6))
                wait_until(lambda: installed.segments_with_alerts() == expected(6), within_s=30)
                other.close()
        bus.close()


def test_a_process_killed_twice_goes_on_where_the_desk_says(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    with embedded_broker(tmp_path) as broker:
        bus = Bus(broker.address, partitions=2)
        bus.ensure_topics()
        config = tmp_path / "crewsight.yaml"
        content = {
            "state": {"folder": str(installed.state.folder)},
            "bus": {"bootstrap_servers": broker.address, "partitions": 2},
            "alerts": {"notify_within_s": 1e12},
        }
        config.write_text(yaml.safe_dump(content))
        for life in range(3):
            process = subprocess.Popen([sys.executable, "-m", "crewsight", "alerter", "--config", str(config)])
            try:
                installed.announce(bus, range(4 * life, 4 * life + 4))
                # The first two lives end at their first alert, in the middle of their work.
                wanted = 4 * life + 1 if life < 2 else SEGMENTS
                wait_until(lambda wanted=wanted: len(installed.segments_with_alerts()) >= wanted, within_s=60)  # type: ignore[misc]
            finally:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
        bus.close()
    assert installed.segments_with_alerts() == expected(SEGMENTS)
