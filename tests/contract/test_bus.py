"""What every broker must give us: the embedded one, and any that `CREWSIGHT_TEST_KAFKA` names."""

import json
import threading

import pytest
from kafka import KafkaConsumer, KafkaProducer

from streamer.bus.client import Bus, Received, TopicPartition, Unreadable
from streamer.bus.errors import MessageError
from streamer.bus.topics import DEAD_LETTERS, PEOPLE, SEGMENTS
from tests.builders_bus import analyzed, drain, wait_until
from tests.contract.conftest import MakeBus


def test_what_is_published_arrives_in_order_on_its_partition(make_bus: MakeBus) -> None:
    bus = make_bus()
    bus.ensure_topics()
    publisher = bus.publisher()
    for index in range(20):
        publisher.publish(PEOPLE, analyzed(f"s{index}"), partition=2)
    publisher.flush()
    consumer = bus.consumer([PEOPLE], "readers")
    received = drain(consumer, 20)
    assert [item.message.segment_id for item in received if isinstance(item, Received)] == [
        f"s{index}" for index in range(20)
    ]
    assert {(item.topic, item.partition) for item in received} == {("people", 2)}
    assert [item.offset for item in received] == list(range(20))
    consumer.close()
    publisher.close()


def test_every_topic_has_the_same_partition_count(make_bus: MakeBus) -> None:
    bus = make_bus()
    bus.ensure_topics()
    looker = KafkaConsumer(bootstrap_servers=bus.bootstrap_servers)
    counts = {len(looker.partitions_for_topic(bus.prefixed(topic))) for topic in (SEGMENTS, PEOPLE, DEAD_LETTERS)}
    looker.close()
    assert counts == {3}


def test_all_clients_agree_on_the_incarnation(make_bus: MakeBus) -> None:
    names = {make_bus().ensure_topics() for _ in range(3)}
    assert len(names) == 1
    bus = make_bus()
    assert bus.current_incarnation() in names
    assert not bus.incarnation_changed(names.pop())


def test_bytes_that_are_no_message_come_back_as_a_value_and_the_next_message_goes_through(make_bus: MakeBus) -> None:
    bus = make_bus()
    incarnation = bus.ensure_topics()
    raw = KafkaProducer(bootstrap_servers=bus.bootstrap_servers)
    for payload in (b"not json", json.dumps({"segment_id": 5}).encode(), None):
        raw.send(bus.prefixed(PEOPLE), value=payload, key=b"k", partition=1).get(5)
    raw.close()
    publisher = bus.publisher()
    publisher.publish(PEOPLE, analyzed("good"), partition=1)
    publisher.flush()
    consumer = bus.consumer([PEOPLE], "readers")
    received = drain(consumer, 4)
    bad = [item for item in received if isinstance(item, Unreadable)]
    assert [(item.offset, item.original) for item in bad] == [(0, b"not json"), (1, b'{"segment_id": 5}'), (2, b"")]
    assert "segment_id" in bad[1].reason
    letter = bad[0].rejected()
    assert (letter.source_topic, letter.partition, letter.offset, letter.incarnation) == ("people", 1, 0, incarnation)
    assert letter == bad[0].rejected()
    assert isinstance(received[3], Received)
    consumer.close()
    publisher.close()


def test_what_was_not_committed_is_delivered_again(make_bus: MakeBus) -> None:
    bus = make_bus()
    bus.ensure_topics()
    publisher = bus.publisher()
    for index in range(6):
        publisher.publish(PEOPLE, analyzed(f"s{index}"), partition=0)
    publisher.flush()
    first = bus.consumer([PEOPLE], "readers")
    drain(first, 6)
    assert first.commit({TopicPartition("people", 0): 4})
    assert first.committed(TopicPartition("people", 0)) == 4
    first.close()
    second = bus.consumer([PEOPLE], "readers")
    assert [item.offset for item in drain(second, 2)] == [4, 5]
    second.close()
    publisher.close()


class Member(threading.Thread):
    """A group member that polls in a thread of its own until told to leave."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(daemon=True)
        self._bus, self._is_leaving = bus, threading.Event()
        self.holds: set[TopicPartition] = set()
        self.told: list[tuple[str, set[TopicPartition]]] = []
        self.start()

    def run(self) -> None:
        consumer = self._bus.consumer(
            [PEOPLE],
            "readers",
            on_assigned=lambda places: self.told.append(("assigned", places)),
            on_revoked=lambda places: self.told.append(("revoked", places)),
        )
        while not self._is_leaving.is_set():
            consumer.poll(50)
            self.holds = consumer.assignment()
        consumer.close()

    def leave(self) -> None:
        self._is_leaving.set()
        self.join(20)


def test_two_consumers_share_the_partitions_and_the_one_left_takes_all(make_bus: MakeBus) -> None:
    one = Member(make_bus())
    wait_until(lambda: len(one.holds) == 3)
    other = Member(make_bus())
    wait_until(lambda: bool(one.holds and other.holds) and len(one.holds) + len(other.holds) == 3, within_s=60)
    assert not one.holds & other.holds
    # Cooperative: what stays with us is never taken away in between.
    assert [kind for kind, _ in one.told][:2] == ["assigned", "revoked"]
    assert not one.holds & one.told[1][1]
    other.leave()
    wait_until(lambda: len(one.holds) == 3, within_s=60)
    one.leave()


def test_a_paused_partition_stays_ours_and_silent_while_polling_goes_on(make_bus: MakeBus) -> None:
    bus = make_bus()
    consumer = bus.consumer([PEOPLE], "readers")
    wait_until(lambda: consumer.poll(50) == [] and len(consumer.assignment()) == 3)
    consumer.pause([TopicPartition("people", 0)])
    publisher = bus.publisher()
    publisher.publish(PEOPLE, analyzed("held"), partition=0)
    publisher.publish(PEOPLE, analyzed("free"), partition=1)
    publisher.flush()
    assert [item.partition for item in drain(consumer, 1)] == [1]
    assert consumer.poll(300) == []
    consumer.resume([TopicPartition("people", 0)])
    assert [item.partition for item in drain(consumer, 1)] == [0]
    assert set(consumer.lag().values()) == {0}
    consumer.close()
    publisher.close()


def test_a_commit_for_a_partition_that_is_not_ours_changes_nothing(make_bus: MakeBus) -> None:
    bus = make_bus()
    consumer = bus.consumer([PEOPLE], "readers")
    assert consumer.commit({TopicPartition("people", 0): 7})
    wait_until(lambda: consumer.poll(50) == [] and len(consumer.assignment()) == 3)
    assert consumer.committed(TopicPartition("people", 0)) is None
    consumer.close()


def test_a_message_too_large_is_refused_and_the_others_go_through(make_bus: MakeBus) -> None:
    bus = make_bus()
    bus.ensure_topics()
    publisher = bus.publisher()
    large = analyzed("large").model_copy(update={"timings_s": {"x" * 2_000_000: 1.0}})
    publisher.publish(PEOPLE, large, partition=0)
    publisher.publish(PEOPLE, analyzed("small"), partition=0)
    with pytest.raises(MessageError, match="more than a message may have"):
        publisher.flush()
    publisher.flush()
    consumer = bus.consumer([PEOPLE], "readers")
    received = drain(consumer, 1)
    assert isinstance(received[0], Received)
    assert received[0].message.segment_id == "small"
    consumer.close()
    publisher.close()
