"""The alerter on its topic, over a real broker and as a real process: whatever is lost or repeated, each alert once."""

import base64
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import func, select

from consumers.alerts import build
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import RAISED, SeenSegmentRecord
from consumers.errors import RulesError
from consumers.notifying.outbox import NOTIFIED
from consumers.settings import AlerterSettings, Alerts
from streamer.bus.client import Bus
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from streamer.bus.settings import State
from streamer.bus.topics import PEOPLE, QUESTIONS
from tests.builders_bus import Relay, embedded_broker, kill, wait_until
from tests.builders_consumers import arriving, running
from tests.builders_notifying import HttpReceiver, outbox
from tests.builders_rules import NOON, VEST, a_result, a_rule, alerts_on, stored
from tests.ports import free_port

MakeBus = Callable[[], Bus]
RULES = yaml.safe_dump({"rules": [a_rule(channels=["hall"]).model_dump(mode="json")]})
A_LIFE = 4  # segments that come while one process lives
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a shared key").decode()


class Installed:
    """A state folder with rules, and stored results of two cameras, each with somebody new without a vest."""

    def __init__(self, folder: Path, segments: int = 6) -> None:
        self.state = State(folder=folder / "state")
        self.state.folder.mkdir()
        (self.state.folder / "rules.yaml").write_text(RULES)
        self.settings = AlerterSettings(state=self.state, alerts=Alerts(notify_within_s=1e12))
        self.store = MediaStore(self.settings.media_url)
        self.desk = DeskDatabase(self.settings.desk_url)
        self.results = [self._result(number) for number in range(segments)]

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

    def decided(self) -> int:
        with self.desk.reading() as session:
            return session.scalar(select(func.count(SeenSegmentRecord.segment_id))) or 0

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


def test_an_alerter_that_starts_over_a_broken_file_ends_and_footage_waits_for_the_mended_one(
    make_bus: MakeBus, tmp_path: Path
) -> None:
    bus, installed = make_bus(), Installed(tmp_path)
    bus.ensure_topics()
    installed.announce(bus, range(2))
    file = installed.settings.rules_path
    file.write_text(RULES.replace("title:", "titel:"))
    with (
        pytest.raises(RulesError, match="titel: unknown key"),
        build.alerter(installed.settings, bus) as runner,
        running(runner),
    ):
        wait_until(lambda: installed.decided() == 2)
    file.write_text(RULES)
    with build.alerter(installed.settings, bus) as runner, running(runner):
        wait_until(lambda: installed.segments_with_alerts() == expected(2))


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


@dataclass(frozen=True, slots=True)
class Moment:
    """When a process is killed: so long after it has decided about so many segments; 0: after its start."""

    decided: int
    then_s: float


def moments(seed: int = 4) -> list[Moment]:
    """Ten moments: some while it starts and joins, the others around the writing of results."""
    chance = random.Random(seed)
    starting = [Moment(0, chance.uniform(0.2, 3.0)) for _ in range(3)]
    deciding = [Moment(chance.randint(1, A_LIFE), chance.choice([0.0, chance.uniform(0.0, 0.1)])) for _ in range(7)]
    return chance.sample(starting + deciding, 10)


def process_of(words: str, config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "crewsight", words, "--config", str(config)])


def test_killed_at_ten_moments_and_cut_off_once_every_alert_is_raised_once_told_and_recorded_once(
    tmp_path: Path,
) -> None:
    count = 11 * A_LIFE
    installed, port, config = Installed(tmp_path, count), free_port(), tmp_path / "crewsight.yaml"
    with (
        Relay(port).running() as relay,
        embedded_broker(tmp_path, f"127.0.0.1:{port}", reached_at=relay.address),
        HttpReceiver().running() as receiver,
    ):
        content = {
            "state": {"folder": str(installed.state.folder)},
            "bus": {"bootstrap_servers": relay.address, "partitions": 2},
            "alerts": {"notify_within_s": 1e12},
            "notifying": {"channels": {"hall": {"url": receiver.url, "secret": SECRET}}, "look_every_s": 0.1},
        }
        config.write_text(yaml.safe_dump(content))
        bus = Bus(relay.address, partitions=2)
        bus.ensure_topics()
        notifier = process_of("notifier", config)
        try:
            for life, moment in enumerate(moments()):
                alerter = process_of("alerter", config)
                before = installed.decided()
                installed.announce(bus, range(A_LIFE * life, A_LIFE * (life + 1)))
                try:
                    wait_until(lambda n=before + moment.decided: installed.decided() >= n, within_s=60)  # type: ignore[misc]
                    time.sleep(moment.then_s)
                finally:
                    alerter.kill()
                    alerter.wait(10)
            alerter = process_of("alerter", config)
            try:
                wait_until(lambda: installed.decided() == 10 * A_LIFE, within_s=60)
                assert relay.cut(away_s=1.0) > 0
                installed.announce(bus, range(10 * A_LIFE, count))
                wait_until(lambda: installed.decided() == count, within_s=60)
                assert alerter.poll() is None
            finally:
                alerter.kill()
                alerter.wait(10)
            wait_until(lambda: all(row.delivered_at is not None for row in outbox(installed.desk)), within_s=60)
        finally:
            notifier.kill()
            notifier.wait(10)
            bus.close()
    assert installed.segments_with_alerts() == expected(count)
    alerts = {alert.alert_id for alert in alerts_on(installed.desk)}
    told = [headers["webhook-id"] for headers, _ in receiver.posts]
    assert set(told) == {f"{alert_id}.raised" for alert_id in alerts}
    assert sorted(row.alert_id for row in outbox(installed.desk)) == sorted(alerts)
    for alert_id in alerts:
        actions = [line.action for line in installed.desk.history(alert_id)]
        assert (actions.count(RAISED), actions.count(NOTIFIED)) == (1, 1)
