"""Brokers for the contract: the embedded one always, any other that `CREWSIGHT_TEST_KAFKA` names."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Bus
from tests.builders_bus import embedded_broker

MakeBus = Callable[[], Bus]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A fresh embedded broker, for tests that kill it."""
    with embedded_broker(tmp_path) as running:
        yield running


@pytest.fixture(params=["embedded", "external"])
def make_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBus]:
    """Makes clients of one broker, of both kinds."""
    if request.param == "embedded":
        with embedded_broker(tmp_path) as running:
            yield from _made(running.address, "")
        return
    address = os.environ.get("CREWSIGHT_TEST_KAFKA")
    if not address:
        pytest.skip("CREWSIGHT_TEST_KAFKA names no broker")
    yield from _made(address, f"test-{uuid.uuid4().hex[:8]}-")


def _made(address: str, prefix: str) -> Iterator[MakeBus]:
    made: list[Bus] = []

    def make() -> Bus:
        made.append(Bus(address, partitions=3, topic_prefix=prefix))
        return made[-1]

    yield make
    for bus in made:
        bus.close()
