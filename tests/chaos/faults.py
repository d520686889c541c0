"""How each kind of fault is made, and ended: one context manager a kind."""

import contextlib
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

import psutil
from kafka import KafkaProducer
from kafka.errors import KafkaError

from streamer.bus.messages import SegmentAnalyzed, SegmentReady, TimeOrigin
from tests.builders_consumers import NOON
from tests.chaos.clock import ShiftedClock
from tests.chaos.expectations import Expectations
from tests.chaos.schedule import (
    BROKER_KILL,
    BROKER_STOP,
    CLOCK,
    DATABASE,
    DISK,
    DRAIN,
    KILL,
    PAUSE,
    POISON,
    REBALANCE,
    STORE,
    Fault,
)
from tests.chaos.world import CAMERAS, QUIET, World
from tests.installation import until

EXTRA = "analyzer-3"
HOUR_S = 3600
YOUNG_S = 30.0  # a process that is still starting has no way yet to end in order


class Chaos:
    """Makes faults in a world, and notes what must come of them."""

    def __init__(self, world: World, expected: Expectations, wait: Callable[[], object]) -> None:
        """Break `world`.

        Args:
            world: What to break.
            expected: Where it is noted what poison must lead to.
            wait: Returns once everything that was put in is through.
        """
        self._world, self._expected, self._wait = world, expected, wait
        self._letters: dict[str, tuple[str, bytes]] = {}  # what it is known by -> topic and bytes, until it is dead
        self._producer: KafkaProducer | None = None
        self.notes: list[str] = []
        self._made: dict[str, Callable[[Fault], AbstractContextManager[None]]] = {
            KILL: self._kill,
            BROKER_KILL: self._kill_broker,
            BROKER_STOP: self._stop_broker,
            DISK: self._fill_disk,
            DATABASE: self._stop_database,
            POISON: self._poison,
            REBALANCE: self._rebalance,
            DRAIN: self._drain,
            PAUSE: self._pause,
            CLOCK: self._jump,
            STORE: self._refuse_media,
        }

    def under(self, fault: Fault) -> AbstractContextManager[None]:
        """The fault holds while the block runs."""
        return self._made[fault.kind](fault)

    def send_again(self, settled: set[str]) -> None:
        """Send poison that is not dead yet once more: nobody but this keeps it when the broker forgets it."""
        for name in [name for name in self._letters if name in settled]:
            del self._letters[name]
        if not self._letters:
            return
        try:
            self._producer = self._producer or KafkaProducer(
                bootstrap_servers=self._world.broker_address, max_block_ms=2000, enable_idempotence=False
            )
            for topic, content in self._letters.values():
                self._producer.send(topic, value=content, partition=0).get(timeout=2)
        except KafkaError:
            self.close()

    def close(self) -> None:
        """Give the connection back."""
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None

    @contextlib.contextmanager
    def _kill(self, fault: Fault) -> Iterator[None]:
        self._world.keeper.kill(fault.victim)
        yield

    @contextlib.contextmanager
    def _kill_broker(self, fault: Fault) -> Iterator[None]:
        self._server().kill()
        yield

    @contextlib.contextmanager
    def _stop_broker(self, fault: Fault) -> Iterator[None]:
        with _standing_still(self._server()):
            yield

    @contextlib.contextmanager
    def _pause(self, fault: Fault) -> Iterator[None]:
        with _standing_still(self._world.keeper.process(fault.victim)):
            yield

    @contextlib.contextmanager
    def _fill_disk(self, fault: Fault) -> Iterator[None]:
        assert self._world.disk is not None
        self._world.disk.fill()
        try:
            yield
        finally:
            self._world.disk.free()

    @contextlib.contextmanager
    def _stop_database(self, fault: Fault) -> Iterator[None]:
        assert self._world.postgres is not None
        self._world.postgres.stop()
        try:
            yield
        finally:
            self._world.postgres.start()

    @contextlib.contextmanager
    def _refuse_media(self, fault: Fault) -> Iterator[None]:
        assert self._world.s3 is not None
        self._world.s3.is_away = True
        try:
            yield
        finally:
            self._world.s3.is_away = False

    @contextlib.contextmanager
    def _rebalance(self, fault: Fault) -> Iterator[None]:
        self._world.keep(EXTRA)
        self._world.keeper.process(EXTRA)
        try:
            yield
        finally:
            self._world.keeper.drop(EXTRA)  # it may still be joining

    @contextlib.contextmanager
    def _drain(self, fault: Fault) -> Iterator[None]:
        self._told_to_stop(fault.victim)
        yield

    @contextlib.contextmanager
    def _jump(self, fault: Fault) -> Iterator[None]:
        """The clock of one process jumps an hour ahead while it runs, and later back again."""
        clock = ShiftedClock(self._world.folder)
        self._told_to_stop(fault.victim, {**QUIET, **clock.env})
        self._wait()  # it is back, and works
        clock.set(HOUR_S)
        try:
            yield
        finally:
            clock.set(0)
            self._told_to_stop(fault.victim, QUIET)

    @contextlib.contextmanager
    def _poison(self, fault: Fault) -> Iterator[None]:
        """A file that is no video, then messages: of broken segments, of a manifest that is none, of no message."""
        number, good = fault.number, self._world.footage.piece()
        path = self._world.footage.drop_rubbish(CAMERAS[number % 4], b"minutes of meeting %d\n" % number * 50)
        self._expect(path)
        for name, content in (("truncated", good[: len(good) // 3]), ("empty", b""), ("text", b"no video\n" * 99)):
            segment = f"poison-{number}-{name}"
            uri = f"media:///media/poison/2026-01-01/{segment}.mp4"
            self._world.write_media(uri, content)
            self._expect(segment, "segments", _segment(segment, uri).model_dump_json().encode())
        uri = f"media:///results/poison/poison-{number}.json"
        self._world.write_media(uri, b'{"not": "a manifest"}')
        analyzed = SegmentAnalyzed(
            segment_id=f"poison-{number}-manifest",
            camera_id="poison",
            analysis_revision="r",
            manifest_uri=uri,
            person_count=1,
        )
        self._expect(analyzed.segment_id, "people", analyzed.model_dump_json().encode())
        nonsense = b"\xff not a message %d" % number
        self._expect(b64encode(nonsense).decode(), "segments", nonsense)
        self.send_again(set())
        yield

    def _expect(self, name: str, topic: str = "", content: bytes = b"") -> None:
        self._expected.poison.append(name)
        if topic:
            self._letters[name] = topic, content

    def _server(self) -> psutil.Process:
        """The broker's own process, a child of the one that keeps it."""

        def found() -> psutil.Process | None:
            with contextlib.suppress(psutil.Error):
                children = self._world.keeper.process("broker").children()
                return next((child for child in children if "tansu" in child.name()), None)
            return None

        server: psutil.Process = until(found, 60, "a running broker")
        return server

    def _told_to_stop(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """SIGTERM; whoever was up has to end in order, and is started again with `env` beside."""
        process = self._world.keeper.process(name)
        is_up = time.time() - process.create_time() > YOUNG_S
        status = self._world.keeper.drain(name, env)
        if is_up and status != 0:
            self.notes.append(f"{name} ended with status {status} when told to stop")


@contextlib.contextmanager
def _standing_still(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def _segment(name: str, uri: str) -> SegmentReady:
    return SegmentReady(
        segment_id=name,
        camera_id="poison",
        uri=uri,
        started_at=NOON,
        time_origin=TimeOrigin.FILE,
        duration_s=3,
        fps=10,
        width_px=480,
        height_px=270,
    )
