"""The notifier as the process that it is: killed with a notification in its hands, stopped, set up wrong, tried out."""

import base64
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import OutboxRecord
from consumers.notifying.outbox import NOTIFIED
from tests.builders_bus import wait_until
from tests.builders_notifying import HttpReceiver, a_desk, outbox, raise_alert

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a shared key").decode()
STARTED_WITHIN_S = 60.0  # a machine that does much else at the same time


class Household:
    """A folder with a desk, settings and the process over it."""

    def __init__(self, folder: Path, **channels: dict[str, Any]) -> None:
        self.folder, self.desk = folder, a_desk(folder)
        content = {
            "state": {"folder": str(folder)},
            "notifying": {"channels": channels, "look_every_s": 0.05},
            "evidence": {"wait_s": 0.1},
        }
        self.config = folder / "crewsight.yaml"
        self.config.write_text(yaml.safe_dump(content))

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "crewsight", "notifier", *words, "--config", str(self.config)]
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[3])

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver().running() as running:
        yield running


@pytest.fixture
def household(tmp_path: Path, receiver: HttpReceiver) -> Iterator[Household]:
    made = Household(tmp_path, hook={"url": receiver.url, "secret": SECRET})
    yield made
    made.desk.close()


def test_killed_with_a_notification_in_its_hands_it_sends_again_and_records_once(
    household: Household, receiver: HttpReceiver
) -> None:
    raise_alert(household.desk, channels=["hook"], raised_at=datetime.now(UTC) - timedelta(seconds=5))
    receiver.hold.clear()  # it has the post and does not answer
    arrived = threading.Event()
    receiver.on_post = arrived.set
    first = household.start()
    assert arrived.wait(STARTED_WITHIN_S), household.log
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    receiver.hold.set()
    (row,) = outbox(household.desk)
    assert (row.delivered_at, row.attempts) == (None, 1)
    let_the_lease_run_out(household.desk)
    second = household.start()
    try:
        wait_until(lambda: outbox(household.desk)[0].delivered_at is not None, within_s=STARTED_WITHIN_S)
        wait_until(lambda: household.desk.alert("a1").evidence_at is not None)  # type: ignore[union-attr]
        second.terminate()
        assert second.wait(15) == 0, household.log
    finally:
        second.kill()
        second.wait(10)
    assert [headers["webhook-id"] for headers, _ in receiver.posts] == ["a1.raised", "a1.raised"]
    assert [line.action for line in household.desk.history("a1")].count(NOTIFIED) == 1
    assert "Traceback" not in household.log
    assert "hook-with-a-secret-path" not in household.log


def let_the_lease_run_out(desk: DeskDatabase) -> None:
    with desk.writing() as session:
        for row in session.query(OutboxRecord):
            row.not_before = datetime.now(UTC)


def test_a_channel_can_be_tried_out_and_one_that_is_not_there_is_one_line(
    household: Household, receiver: HttpReceiver
) -> None:
    assert household.start("--try", "hook").wait(STARTED_WITHIN_S) == 0, household.log
    assert len(receiver.posts) == 1
    receiver.status = 500
    assert household.start("--try", "hook").wait(STARTED_WITHIN_S) == 1
    assert household.start("--try", "pager").wait(STARTED_WITHIN_S) == 1
    lines = household.log.splitlines()
    assert lines[0] == "Channel hook has taken it."
    assert lines[1] == "crewsight: channel hook: not delivered: webhook: the receiver answered 500"
    assert lines[2] == "crewsight: channel pager: notifying.channels has no such name; known: hook"
