"""A real embedded broker for a test, and the clients that meet it."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Received, TypedConsumer, Unreadable
from streamer.bus.messages import SegmentAnalyzed
from tests.ports import free_port


@contextmanager
def embedded_broker(folder: Path, address: str | None = None, *, reached_at: str = "") -> Iterator[EmbeddedBroker]:
    """An embedded broker that runs while the block does."""
    broker = EmbeddedBroker(address or f"127.0.0.1:{free_port()}", folder / "tansu.log", reached_at=reached_at)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Relay:
    """Stands between clients and a server on the loopback, and cuts their connections when told."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_closed = self._is_away = False
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator["Relay"]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._is_closed = True
            self.cut()
            self._listening.close()

    def cut(self, *, away_s: float = 0.0) -> int:
        """End every connection at once, let nobody in for a while, and return how many connections there were."""
        self._is_away = away_s > 0
        with self._lock:
            ended, self._open = self._open, []
        for each in ended:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        time.sleep(away_s)
        self._is_away = False
        return len(ended) // 2

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listening.accept()
                if self._is_away or self._is_closed:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                continue
            with self._lock:
                self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=pass_on, args=(source, target), daemon=True).start()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Send on what comes from one end to the other, until either closes; then both are closed."""
    with suppress(OSError):
        while received := source.recv(1 << 16):
            target.sendall(received)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


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
