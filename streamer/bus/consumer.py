"""One member of a consumer group, reading typed messages.

Not thread-safe: everything is called from the thread that polls; paused partitions stay assigned as long as polling
goes on. The broker's incarnation is part of the group's name there, so an offset committed in another incarnation is
never found again, and a member left over from one cannot hold partitions of the next.
"""

import base64
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import kafka
from kafka import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import MemberState
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata

from streamer.bus.errors import IncarnationChangedError, MessageError
from streamer.bus.identity import rejected_id
from streamer.bus.incarnation import EMBEDDED_CLUSTER
from streamer.bus.messages import Message, Rejected
from streamer.bus.topics import Topic

if TYPE_CHECKING:
    from streamer.bus.client import Bus

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

SESSION_MS = 6000  # Kafka's least: a killed member's partitions are free after this
HEARTBEAT_MS = 1500
COMMIT_MS = 5000
AWAY_MS = 100  # between looks for a broker that does not answer
EAGER_MS = 20  # a fetch waits so long; poll sleeps half of it: Kafka's usual 500 costs 130 ms a message
CALM_MS = 100  # while nothing comes: a third of the work of consumer and broker, 50 ms more for the first message
EAGER_FOR_S = 5.0  # after a message; cameras send every few seconds
KEPT_BYTES = 256 * 1024  # of an unreadable message: a dead letter must itself fit into a message
REASON_LETTERS = 2000  # at most, as it may name a field that is as long as the message


class TopicPartition(NamedTuple):
    """One partition of one topic, by our own names for them."""

    topic: str
    partition: int


Listener = Callable[[set[TopicPartition]], None]


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message and where it stood."""

    topic: str
    partition: int
    offset: int
    incarnation: str
    message: M
    original: bytes
    published_at_s: float | None = None  # seconds since 1970, by the broker's or the publisher's clock
    headers: Sequence[tuple[str, bytes]] = ()

    @property
    def topic_partition(self) -> TopicPartition:
        """What `commit`, `pause` and `resume` ask for."""
        return TopicPartition(self.topic, self.partition)

    def rejected(self, reason: str, *, camera_id: str | None = None, segment_id: str | None = None) -> Rejected:
        """The dead letter that says why this message leads nowhere."""
        return _rejected(self, reason, camera_id=camera_id, segment_id=segment_id)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are not their topic's message, and where they stood."""

    topic: str
    partition: int
    offset: int
    incarnation: str
    reason: str
    original: bytes

    @property
    def topic_partition(self) -> TopicPartition:
        """What `commit`, `pause` and `resume` ask for."""
        return TopicPartition(self.topic, self.partition)

    def rejected(self) -> Rejected:
        """The dead letter for these bytes."""
        return _rejected(self, self.reason)


def typed(topic: Topic[M], record: Any, incarnation: str) -> Received[M] | Unreadable:
    """What one of kafka-python's records says."""
    original = record.value or b""
    try:
        message = topic.decode(record.value)
    except MessageError as error:
        return Unreadable(topic.name, record.partition, record.offset, incarnation, error.reason, original)
    published_at_s = record.timestamp / 1000 if (record.timestamp or 0) > 0 else None
    return Received(
        topic.name,
        record.partition,
        record.offset,
        incarnation,
        message,
        original,
        published_at_s,
        tuple(record.headers or ()),
    )


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps what the group decided until the polling thread asks: Kafka calls from a thread of its own."""

    def __init__(self) -> None:
        self.events: list[tuple[str, set[Any]]] = []

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self.events.append(("assigned", set(assigned)))

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self.events.append(("revoked", set(revoked)))

    def taken(self) -> list[tuple[str, set[Any]]]:
        events, self.events = self.events, []
        return events


class _UnspentJoin:
    """A join of the group that counts as under way until a poll has taken its result.

    kafka-python 3.0.12 throws away a join that completes between two polls and begins another one, three seconds each:
    a member whose polls kept that rhythm needed up to 39 s to get its partitions.
    """

    is_done = False

    def __init__(self, join: Any) -> None:
        self.add_callback, self.add_errback = join.add_callback, join.add_errback

    @classmethod
    def of(cls, join: Any) -> "_UnspentJoin":
        return join if isinstance(join, cls) else cls(join)


class TypedConsumer(Generic[M]):
    """Made by `Bus.consumer`."""

    def __init__(
        self,
        bus: "Bus",
        consumer: KafkaConsumer,
        topics: Sequence[Topic[M]],
        incarnation: str,
        *,
        on_assigned: Listener | None = None,
        on_revoked: Listener | None = None,
    ) -> None:
        """Read `topics` with a connected `consumer`; `incarnation` is the broker's as it connected."""
        self._bus, self._consumer, self.incarnation = bus, consumer, incarnation
        self._topics = {bus.prefixed(topic): topic for topic in topics}
        self._names = {topic.name: bus.prefixed(topic) for topic in topics}
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._rebalances = _Rebalances()
        self.has_joined = False  # whether the group has given us partitions, or said that there are none for us
        self._came_at_s = time.monotonic()
        consumer.subscribe(list(self._topics), listener=self._rebalances)

    @staticmethod
    def connect(bus: "Bus", group: str, incarnation: str, client_id: str) -> KafkaConsumer:
        """The Kafka consumer of one group member, connected."""
        return KafkaConsumer(
            group_id=f"{bus.topic_prefix}{group}.{incarnation}",
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            **bus.consumer_options(client_id),
        )

    def poll(self, timeout_ms: int = 200, max_records: int = 100) -> list[Received[M] | Unreadable]:
        """What has arrived on the partitions that are not paused, at most `max_records`; waits up to `timeout_ms`.

        Returns nothing while the broker does not answer. Rebalances reach `on_assigned` and `on_revoked` from here.

        Raises:
            IncarnationChangedError: the broker is another one now: close this consumer and make a new one.
        """
        current = self._bus.current_incarnation()
        if current is None:  # away; it may come back as another, and must not be asked for our positions then
            time.sleep(min(timeout_ms, AWAY_MS) / 1000)
            return []
        if current != self.incarnation:
            raise IncarnationChangedError(self.incarnation, current)
        try:
            polled: dict[Any, list[Any]] = self._consumer.poll(timeout_ms, max_records=max_records)
        except KafkaError as error:
            logger.warning("poll failed, trying again", extra={"reason": str(error)})
            time.sleep(min(timeout_ms, AWAY_MS) / 1000)
            return []
        finally:
            self._keep_join()
            self._tell_listeners()
        self._pace(has_come=bool(polled))
        return [
            typed(self._topics[record.topic], record, self.incarnation)
            for records in polled.values()
            for record in records
        ]

    def assignment(self) -> set[TopicPartition]:
        """The partitions that are this member's now."""
        return {self._ours(place) for place in self._consumer.assignment()}

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch nothing from those of `partitions` that are ours, until `resume`."""
        self._consumer.pause(*self._assigned(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch again from those of `partitions` that are ours."""
        self._consumer.resume(*self._assigned(partitions))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Fetch `partition` from `offset` on, if it is ours."""
        for place in self._assigned([partition]):
            self._consumer.seek(place, offset)

    def commit(self, offsets: Mapping[TopicPartition, int], *, timeout_ms: int = COMMIT_MS) -> bool:
        """Note that everything before each offset is done; true once the broker has it.

        Partitions that are not ours any more are left out. False when the broker did not take it: the group has moved
        on or the broker is away, and what was not committed will be delivered again.
        """
        places = self._assigned(offsets)
        if not places:
            return True
        committed = {place: OffsetAndMetadata(offsets[self._ours(place)], "", -1) for place in places}
        try:
            self._consumer.commit(committed, timeout_ms=timeout_ms)
        except CommitFailedError:
            return False
        except KafkaError as error:
            logger.warning("commit failed, will be delivered again", extra={"reason": str(error)})
            return False
        return True

    def committed(self, partition: TopicPartition) -> int | None:
        """The offset committed for `partition` in this incarnation; None without one, or when the broker is away."""
        try:
            offset = self._consumer.committed(self._theirs(partition), timeout_ms=COMMIT_MS)
        except KafkaError:
            return None
        return None if offset is None else int(offset)

    def lag(self) -> dict[TopicPartition, int]:
        """Messages of each of our partitions that were not polled yet, as far as the last fetch knows."""
        # end_offsets of the embedded broker is wrong after batches; the high water of a fetch is right.
        lags = {}
        for place in self._consumer.assignment():
            highwater = self._consumer.highwater(place)
            position = self._consumer._subscription.assignment[place].position
            behind = (highwater or 0) - (position.offset if position is not None else 0)
            lags[self._ours(place)] = max(0, behind)
        return lags

    def incarnation_changed(self) -> bool:
        """Whether the broker has lost the memory this consumer's positions belong to; cheap, at most a second old."""
        return self._bus.incarnation_changed(self.incarnation)

    def close(self) -> None:
        """Leave the group, so that others take over at once; bounded even when the broker is away.

        Whoever may lead a group of the embedded broker says no farewell: others take over when its session is over.
        """
        if self._is_embedded() and self._may_lead():
            self._consumer._coordinator.reset_generation()
        try:
            self._consumer.close(autocommit=False, timeout_ms=2000)
        except KafkaError as error:
            logger.debug("close failed", extra={"reason": str(error)})

    def _pace(self, *, has_come: bool) -> None:
        """Ask often while messages come, and seldom in between."""
        now_s = time.monotonic()
        if has_come:
            self._came_at_s = now_s
        is_eager = now_s - self._came_at_s < EAGER_FOR_S
        self._consumer._fetcher.config["fetch_max_wait_ms"] = EAGER_MS if is_eager else CALM_MS

    def _is_embedded(self) -> bool:
        return bool(self._consumer._client.cluster.cluster_id == EMBEDDED_CLUSTER)

    def _may_lead(self) -> bool:
        """Whether the group may wait for us to share out its partitions.

        Tansu 0.6 still waits for a leader that left while a member was joining, and gives nobody partitions ever after;
        one whose session ended it forgets.
        """
        coordinator = self._consumer._coordinator
        # Only a member that is not just joining knows who leads, and none becomes the leader but by joining.
        return coordinator._is_leader or coordinator.state is not MemberState.STABLE

    def _keep_join(self) -> None:
        coordinator = self._consumer._coordinator
        if coordinator._join_task is not None:
            coordinator._join_task = _UnspentJoin.of(coordinator._join_task)

    def _tell_listeners(self) -> None:
        for kind, places in self._rebalances.taken():
            self.has_joined = self.has_joined or kind == "assigned"
            listener = self._on_assigned if kind == "assigned" else self._on_revoked
            if listener is not None and places:
                listener({self._ours(place) for place in places})

    def _assigned(self, partitions: Iterable[TopicPartition]) -> list[Any]:
        held = self._consumer.assignment()
        return [place for place in map(self._theirs, partitions) if place in held]

    def _ours(self, place: Any) -> TopicPartition:
        return TopicPartition(self._topics[place.topic].name, place.partition)

    def _theirs(self, partition: TopicPartition) -> Any:
        return kafka.TopicPartition(self._names[partition[0]], partition[1])


def _rejected(
    place: Received[Any] | Unreadable, reason: str, *, camera_id: str | None = None, segment_id: str | None = None
) -> Rejected:
    return Rejected(
        rejected_id=rejected_id(place.topic, place.partition, place.offset, place.incarnation),
        reason=reason[:REASON_LETTERS],
        camera_id=camera_id,
        segment_id=segment_id,
        source_topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        incarnation=place.incarnation,
        original_base64=base64.b64encode(place.original[:KEPT_BYTES]).decode(),
    )
