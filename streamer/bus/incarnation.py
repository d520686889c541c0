"""Which broker's memory this is: offsets mean something only together with the incarnation they were read in.

A broker that loses its records (the embedded one keeps them in memory) comes back counting from 0. The first record of
partition 0 of the topic `incarnation` names one such life: whoever finds the topic empty writes a name, and everyone
reads offset 0, so a race between writers still has one winner.
"""

import threading
import time
import uuid
from collections.abc import Callable

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streamer.bus.errors import BrokerUnreachableError

EMBEDDED_CLUSTER = "crewsight-embedded"  # how the embedded broker names itself to its clients
FIRST_LOOK_MS = 400  # a fetch that finds something answers in 5 ms; longer means that nothing is there


class IncarnationReader:
    """Reads the incarnation over a client of its own; may be shared by threads."""

    def __init__(self, topic: str, connect: Callable[[], KafkaConsumer]) -> None:
        """Read offset 0 of partition 0 of `topic` with the consumer that `connect` makes, when first asked."""
        self._partition = TopicPartition(topic, 0)
        self._connect = connect
        self._consumer: KafkaConsumer | None = None
        self._lock = threading.Lock()

    def read(self, timeout_ms: int = FIRST_LOOK_MS) -> str | None:
        """The incarnation's name; None while the broker does not answer or the topic is empty."""
        with self._lock:
            try:
                return self._read(timeout_ms)
            except KafkaError:
                self._drop()
                return None

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._drop()

    def _read(self, timeout_ms: int) -> str | None:
        if self._consumer is None:
            self._consumer = self._connect()
            self._consumer.assign([self._partition])
        self._consumer.seek(self._partition, 0)
        for record in self._consumer.poll(timeout_ms, max_records=1).get(self._partition, []):
            if record.offset == 0 and record.value:
                return bytes(record.value).decode(errors="replace")
        return None

    def _drop(self) -> None:
        if self._consumer is not None:
            self._consumer.close(timeout_ms=1000)
            self._consumer = None


def read_or_draw(
    reader: IncarnationReader, topic: str, connect: Callable[[], KafkaProducer], *, address: str, timeout_s: float
) -> str:
    """The broker's incarnation, named by us when it had no name yet.

    Raises:
        BrokerUnreachableError: it cannot be read back within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    found = reader.read()
    while found is None and time.monotonic() < deadline:
        _write(topic, connect, uuid.uuid4().hex[:16])
        found = reader.read(timeout_ms=2000)
    if found is None:
        raise BrokerUnreachableError(address, f"its incarnation cannot be read from topic {topic}")
    return found


def _write(topic: str, connect: Callable[[], KafkaProducer], name: str) -> None:
    try:
        producer = connect()
    except KafkaError:
        return  # the caller reads again, until its time is up
    try:
        producer.send(topic, value=name.encode(), partition=0).get(timeout=5)
    except KafkaError:
        return
    finally:
        producer.close(timeout=1)
