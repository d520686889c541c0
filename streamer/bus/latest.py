"""Reading all of a small compacted topic, without a group: every reader gets everything, and the last message wins.

Belongs to one thread. What a broker keeps beside the last message (it compacts when it likes, the embedded one never)
is read too, so whoever reads lets later messages take the place of earlier ones.
"""

import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streamer.bus.consumer import Received, Unreadable, typed
from streamer.bus.messages import Message
from streamer.bus.topics import Topic

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

LOOK_MS = 20  # a fetch that finds something answers in 5 ms
FIRST_LOOK_S = 5.0  # nobody begins without knowing what is there; an empty topic says so in milliseconds


class LatestReader(Generic[M]):
    """Made by `Bus.latest`."""

    def __init__(self, topic: Topic[M], name: str, connect: Callable[[], KafkaConsumer]) -> None:
        """Read `topic`, called `name` on the broker, with the consumer that `connect` makes."""
        self._topic, self._connect = topic, connect
        self._partition = TopicPartition(name, 0)
        self._consumer: KafkaConsumer | None = None
        self._incarnation: str | None = None

    def arrived(self, incarnation: str) -> list[Received[M] | Unreadable]:
        """What has come since the last look, in order; all there is at the first one and after a change of broker.

        Nothing while the broker does not answer: the next look asks again.

        Args:
            incarnation: Whose memory is read now; positions in another one mean nothing.
        """
        try:
            if self._consumer is None or incarnation != self._incarnation:
                return self._read_all(incarnation)
            return self._read(LOOK_MS)
        except KafkaError as error:
            logger.warning("topic not read, trying again", extra={"topic": self._topic.name, "reason": str(error)})
            self.close()
            return []

    def close(self) -> None:
        """Give the connection back."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=1000)
            self._consumer = None

    def _read_all(self, incarnation: str) -> list[Received[M] | Unreadable]:
        self.close()
        self._consumer, self._incarnation = self._connect(), incarnation
        self._consumer.assign([self._partition])
        self._consumer.seek_to_beginning(self._partition)
        found = self._read(LOOK_MS)
        give_up_s = time.monotonic() + FIRST_LOOK_S
        while not self._is_at_the_end() and time.monotonic() < give_up_s:
            found += self._read(LOOK_MS)
        return found

    def _is_at_the_end(self) -> bool:
        assert self._consumer is not None
        # `end_offsets` of the embedded broker is wrong after batches; a fetch's high water is right.
        highwater = self._consumer.highwater(self._partition)
        return highwater is not None and self._consumer.position(self._partition) >= highwater

    def _read(self, timeout_ms: int) -> list[Received[M] | Unreadable]:
        assert self._consumer is not None
        assert self._incarnation is not None
        records = self._consumer.poll(timeout_ms).get(self._partition, [])
        return [typed(self._topic, record, self._incarnation) for record in records]
