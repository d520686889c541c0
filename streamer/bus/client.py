"""The Kafka client: typed messages in and out; no Kafka error leaves this file and its neighbour `consumer`.

One `Bus` a process. Publishers and consumers made from it each belong to one thread.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from streamer.bus import topics as bus_topics
from streamer.bus.consumer import EAGER_MS, Listener, Received, TopicPartition, TypedConsumer, Unreadable
from streamer.bus.errors import BrokerUnreachableError, MessageError
from streamer.bus.incarnation import IncarnationReader, read_or_draw
from streamer.bus.latest import LatestReader
from streamer.bus.messages import Message
from streamer.bus.topics import Topic

__all__ = ["Bus", "Publisher", "Received", "TopicPartition", "TypedConsumer", "Unreadable"]

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)
Client = TypeVar("Client")
Headers = Sequence[tuple[str, bytes]]  # beside a message: what is known of its way

TOPIC_ALREADY_EXISTS = 36  # Kafka's error code
ATTEMPT_S = 5.0  # one try at reaching a broker; several fit into a timeout
ACK_S = 5.0  # how long one producer may wait for an acknowledgement before a new one is made
CHECK_EVERY_S = 0.25  # a broker that lost its memory is noticed within about this; one look costs a millisecond
LOOK_MS = 100
TIMEOUT_S = 30.0


class Bus:
    """The way to one Kafka broker.

    Raises (every method that talks to the broker): `BrokerUnreachableError` when none answers within `timeout_s`.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        partitions: int,
        replication_factor: int = 1,
        client_id: str = "crewsight",
        topic_prefix: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Name the broker; nothing is opened yet.

        Args:
            bootstrap_servers: `host:port[,host:port…]`.
            partitions: partitions of each topic.
            replication_factor: copies of each topic.
            client_id: how the broker's logs name this process.
            topic_prefix: put before every topic's name, for brokers shared with others.
            timeout_s: how long a broker that does not answer is waited for.
        """
        self.bootstrap_servers, self.partitions, self.replication_factor = (
            bootstrap_servers,
            partitions,
            replication_factor,
        )
        self.client_id, self.topic_prefix, self.timeout_s = client_id, topic_prefix, timeout_s
        self._incarnations = IncarnationReader(self._name(bus_topics.INCARNATION), self._reader)
        self._checked_at = 0.0
        self._last_seen: str | None = None
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it logs each lost connection dozens of times

    def ensure_topics(self, *, is_newborn: bool = False) -> str:
        """Create the topics that are missing, before any client touches them; returns the broker's incarnation.

        Args:
            is_newborn: the broker was started this moment and holds nothing yet. The embedded one makes a topic of
                four partitions for any old client that asks for it first; too few are then replaced.
        """
        wanted = {self._name(topic.name): self._layout_of(topic) for topic in bus_topics.ALL}
        wanted[self._name(bus_topics.INCARNATION)] = self._layout(1, {"retention.ms": "-1", "retention.bytes": "-1"})
        self._reached(lambda: self._create(wanted, is_newborn=is_newborn))
        return self.incarnation()

    def incarnation(self) -> str:
        """The name of this broker's memory, read anew; drawn by us when the broker is new."""
        self._last_seen = read_or_draw(
            self._incarnations,
            self._name(bus_topics.INCARNATION),
            self._producer,
            address=self.bootstrap_servers,
            timeout_s=self.timeout_s,
        )
        return self._last_seen

    def current_incarnation(self, *, within_s: float = CHECK_EVERY_S) -> str | None:
        """The incarnation as it was that long ago at most; None while the broker does not answer.

        Cheap, never raises.
        """
        now = time.monotonic()
        if now - self._checked_at >= within_s or self._last_seen is None:
            self._last_seen = self._incarnations.read(LOOK_MS)
            self._checked_at = time.monotonic()
        return self._last_seen

    def incarnation_changed(self, known: str) -> bool:
        """Whether the broker answers and is another than the one that `known` names. Cheap, never raises."""
        current = self.current_incarnation()
        return current is not None and current != known

    def publisher(self) -> "Publisher":
        """A new publisher; connects when it first publishes."""
        return Publisher(self)

    def consumer(
        self,
        topics: Sequence[Topic[M]],
        group: str,
        *,
        client_id: str | None = None,
        on_assigned: Listener | None = None,
        on_revoked: Listener | None = None,
    ) -> TypedConsumer[M]:
        """A new member of `group` reading `topics` from the committed offsets, or from the start where there are none.

        Args:
            topics: what to read.
            group: the consumer group.
            client_id: this member's name in the broker's logs.
            on_assigned: told, from within `poll`, of partitions that are ours from now on.
            on_revoked: told, from within `poll`, of partitions that are not ours any more.
        """
        incarnation = self.ensure_topics()
        consumer = self._reached(lambda: TypedConsumer.connect(self, group, incarnation, client_id or self.client_id))
        return TypedConsumer(self, consumer, topics, incarnation, on_assigned=on_assigned, on_revoked=on_revoked)

    def latest(self, topic: Topic[M], *, client_id: str | None = None) -> LatestReader[M]:
        """A reader of all of a compacted topic, outside any group; connects when it first looks."""
        options = self.consumer_options(client_id or f"{self.client_id}-{topic.name}")
        return LatestReader(topic, self.prefixed(topic), lambda: KafkaConsumer(group_id=None, **options))

    def close(self) -> None:
        """Give the bus's own connection back."""
        self._incarnations.close()

    def consumer_options(self, client_id: str) -> dict[str, Any]:
        """What every kafka-python consumer of ours is made with."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": client_id,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "allow_auto_create_topics": False,
            "fetch_max_wait_ms": EAGER_MS,
            "enable_incremental_fetch_sessions": False,  # nothing to forget when the broker forgets everything
            **self._patience(),
        }

    def prefixed(self, topic: Topic[Any]) -> str:
        """The topic's name on this broker."""
        return self._name(topic.name)

    def _reader(self) -> KafkaConsumer:
        return KafkaConsumer(group_id=None, **self.consumer_options(f"{self.client_id}-incarnation"))

    def _producer(self) -> KafkaProducer:
        return KafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            client_id=self.client_id,
            acks="all",
            # Sinks are idempotent; an idempotent producer would fail for good once a broker forgot its id.
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,  # a retry may not overtake
            allow_auto_create_topics=False,
            max_block_ms=int(ACK_S * 1000),
            delivery_timeout_ms=int(ACK_S * 1000),
            request_timeout_ms=int(ACK_S * 1000) - 500,
            **{k: v for k, v in self._patience().items() if k != "request_timeout_ms"},
        )

    def _patience(self) -> dict[str, Any]:
        attempt_ms = int(min(ATTEMPT_S, self.timeout_s) * 1000)
        return {"bootstrap_timeout_ms": attempt_ms, "reconnect_backoff_max_ms": 500, "retry_backoff_ms": 50}

    def _create(self, wanted: dict[str, Any], *, is_newborn: bool) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, client_id=self.client_id, **self._patience())
        try:
            if is_newborn and self._has_short_topic(admin, wanted):
                admin.delete_topics(sorted(set(wanted) & set(admin.list_topics())))
            for topic in admin.create_topics(wanted, raise_errors=False)["topics"]:
                if topic["error_code"] not in (0, TOPIC_ALREADY_EXISTS):
                    raise self._unreachable(f"it refuses topic {topic['name']}: {topic['error_message']}")
        finally:
            admin.close()

    @staticmethod
    def _has_short_topic(admin: KafkaAdminClient, wanted: dict[str, Any]) -> bool:
        there = sorted(set(wanted) & set(admin.list_topics()))
        found = admin.describe_topics(there) if there else []
        return any(len(topic["partitions"]) < wanted[topic["name"]]["num_partitions"] for topic in found)

    def _layout_of(self, topic: Topic[Any]) -> dict[str, Any]:
        if topic.key is None:
            return self._layout(self.partitions)
        return self._layout(1, {"cleanup.policy": "compact"})

    def _layout(self, partitions: int, configs: dict[str, str] | None = None) -> dict[str, Any]:
        return {
            "num_partitions": partitions,
            "replication_factor": self.replication_factor,
            "configs": configs or {},
        }

    def _name(self, topic: str) -> str:
        return f"{self.topic_prefix}{topic}"

    def _reached(self, connect: Callable[[], Client]) -> Client:
        """What `connect` makes, tried until `timeout_s` is over."""
        attempts = Retrying(
            retry=retry_if_exception_type(KafkaError),
            stop=stop_after_delay(self.timeout_s),
            wait=wait_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        try:
            return attempts(connect)
        except KafkaError as error:
            raise self._unreachable(_said(error)) from error

    def _unreachable(self, reason: str) -> BrokerUnreachableError:
        return BrokerUnreachableError(self.bootstrap_servers, reason)


class Publisher:
    """Publishes typed messages; nothing is published for certain before `flush` returns.

    A broker that restarts meanwhile is met with a new producer and everything unacknowledged is sent again, in order,
    so a message may arrive twice and none is lost.
    """

    def __init__(self, bus: Bus) -> None:
        """Publish over `bus`; connects with the first `flush`."""
        self._bus = bus
        self._producer: KafkaProducer | None = None
        self._unacknowledged: list[tuple[str, bytes, int, bytes | None, Headers]] = []

    def publish(self, topic: Topic[M], message: M, *, partition: int, headers: Headers = ()) -> None:
        """Take `message` for `partition` of `topic`; `flush` sends it."""
        taken = self._bus.prefixed(topic), topic.encode(message), partition, topic.key, tuple(headers)
        self._unacknowledged.append(taken)

    def resend(self, topic: Topic[Any], original: bytes, *, partition: int) -> None:
        """Take bytes that were on `topic` once, as they are; `flush` sends them."""
        self._unacknowledged.append((self._bus.prefixed(topic), original, partition, topic.key, ()))

    def flush(self, timeout_s: float | None = None, *, incarnation: str | None = None) -> None:
        """Return once the broker has acknowledged everything published.

        Args:
            timeout_s: How long to try; the bus's own when None.
            incarnation: Whom it is for, where one that lost its memory is to be told other things first.

        Raises:
            BrokerUnreachableError: not in time, or the broker is of another incarnation; what is unacknowledged stays
                taken, and the next `flush` sends it.
            MessageError: the broker takes no message of that size; it is dropped, the others stay taken.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(KafkaError),
            stop=stop_after_delay(self._bus.timeout_s if timeout_s is None else timeout_s),
            wait=wait_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        try:
            attempts(self._send_all, incarnation)
        except KafkaError as error:
            raise BrokerUnreachableError(self._bus.bootstrap_servers, f"not acknowledged: {_said(error)}") from error

    def forget(self, *, but: Topic[Any] | None = None) -> None:
        """Drop what is unacknowledged, `but` what is for one topic: the caller has kept it, or it is out of date."""
        kept = self._bus.prefixed(but) if but else None
        self._unacknowledged = [message for message in self._unacknowledged if message[0] == kept]
        self.close()

    def close(self) -> None:
        """Give the connection back; what was not flushed is not sent."""
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None

    def _send_all(self, incarnation: str | None) -> None:
        if not self._unacknowledged:
            return
        if incarnation is not None:
            self._expect(incarnation)
        try:
            if self._producer is None:
                self._producer = self._bus._producer()
            sent = [self._send(*message) for message in list(self._unacknowledged)]
            for future in sent:
                future.get(timeout=ACK_S)
                self._unacknowledged.pop(0)
        except KafkaError:
            self.close()  # a producer that failed once may fail for good
            raise

    def _expect(self, incarnation: str) -> None:
        current = self._bus.current_incarnation(within_s=0.0)
        if current is None:
            raise KafkaConnectionError("it does not answer")
        if current != incarnation:
            raise BrokerUnreachableError(self._bus.bootstrap_servers, f"incarnation {incarnation} became {current}")

    def _send(self, topic: str, payload: bytes, partition: int, key: bytes | None, headers: Headers) -> Any:
        assert self._producer is not None
        try:
            return self._producer.send(topic, value=payload, partition=partition, key=key, headers=list(headers))
        except MessageSizeTooLargeError as error:
            self._unacknowledged.remove((topic, payload, partition, key, headers))
            raise MessageError(topic, f"{len(payload)} bytes are more than a message may have") from error


def _said(error: KafkaError) -> str:
    return str(error) or type(error).__name__
