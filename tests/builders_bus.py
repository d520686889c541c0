"""A real embedded broker for a test, and the clients that meet it."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Received, TypedConsumer, Unreadable
from streamer.bus.messages import SegmentAnalyzed


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def embedded_broker(folder: Path, address: str | None = None) -> Iterator[EmbeddedBroker]:
    """An embedded broker that runs while the block does."""
    broker = EmbeddedBroker(address or f"127.0.0.1:{free_port()}", folder / "tansu.log")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def kill(broker: EmbeddedBroker) -> None:
    """End a broker as a crash would, and wait until it is gone."""
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: broker.returncode() is not None)


def wait_until(holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Return as soon as `holds`; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)


def drain(consumer: TypedConsumer[Any], count: int, *, within_s: float = 20.0) -> list[Received[Any] | Unreadable]:
    """The next `count` messages."""
    received: list[Received[Any] | Unreadable] = []
    wait_until(lambda: len(received.__iadd__(consumer.poll(100))) >= count, within_s=within_s)
    return received


def analyzed(name: str, camera_id: str = "gate") -> SegmentAnalyzed:
    """A small message of the topic `people`."""
    uri = f"media:///results/{camera_id}/{name}.r1.json"
    return SegmentAnalyzed(
        segment_id=name, camera_id=camera_id, analysis_revision="r1", manifest_uri=uri, person_count=0
    )
