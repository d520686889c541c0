"""The runner, over a real broker: nothing lost, nothing committed too early, every refusal told."""

import base64
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kafka import KafkaProducer

from consumers.runner import Runner
from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Bus, TopicPartition
from streamer.bus.messages import Rejected, SegmentReady
from streamer.bus.topics import DEAD_LETTERS, PEOPLE, SEGMENTS
from tests.builders_bus import embedded_broker, kill, wait_until
from tests.builders_consumers import RecordingStage, a_segment, arriving, publish_segments, running

MakeBus = Callable[[], Bus]
NAMES = [f"s{number}" for number in range(12)]


def a_runner(bus: Bus, stage: RecordingStage, *, batch_size: int = 4) -> Runner[SegmentReady]:
    return Runner(bus, [SEGMENTS], "workers", stage, batch_size=batch_size)


def test_every_message_is_worked_on_once_and_its_result_is_published_on_its_own_partition(make_bus: MakeBus) -> None:
    bus, stage = make_bus(), RecordingStage()
    bus.ensure_topics()
    publish_segments(bus, NAMES[:5], partition=2)
    publish_segments(bus, NAMES[5:], partition=0)
    with running(a_runner(bus, stage)):
        results = arriving(make_bus(), PEOPLE, len(NAMES))
        wait_until(lambda: stage.committed_offsets.get(TopicPartition("segments", 0)) == 7)
    assert sorted(stage.worked) == sorted(NAMES)
    assert {result.message.segment_id: result.partition for result in results} == {
        name: 2 if name in NAMES[:5] else 0 for name in NAMES
    }
    assert stage.committed_offsets[TopicPartition("segments", 2)] == 5


def test_a_message_whose_result_did_not_become_durable_comes_again_and_those_before_it_do_not(
    make_bus: MakeBus,
) -> None:
    bus = make_bus()
    bus.ensure_topics()
    publish_segments(bus, NAMES)
    failing = RecordingStage(fail_at="s5")
    with running(a_runner(bus, failing, batch_size=1)) as failure:
        wait_until(lambda: failure() is not None)
        assert isinstance(failure(), OSError)
    healed = RecordingStage()
    with running(a_runner(make_bus(), healed, batch_size=3)):
        wait_until(lambda: healed.committed_offsets.get(TopicPartition("segments", 0)) == len(NAMES))
    assert failing.worked == NAMES[:5]
    assert healed.worked == NAMES[5:]


def test_bytes_that_are_no_message_become_one_dead_letter_and_the_next_message_goes_through(make_bus: MakeBus) -> None:
    bus, stage = make_bus(), RecordingStage()
    bus.ensure_topics()
    producer = KafkaProducer(bootstrap_servers=bus.bootstrap_servers, enable_idempotence=False)
    producer.send(bus.prefixed(SEGMENTS), value=b'{"segment_id": "half', partition=1).get(timeout=10)
    producer.close()
    publish_segments(bus, ["after"], partition=1)
    with running(a_runner(bus, stage)):
        (letter,) = arriving(make_bus(), DEAD_LETTERS, 1)
        wait_until(lambda: stage.committed_offsets.get(TopicPartition("segments", 1)) == 2)
    rejected = letter.message
    assert isinstance(rejected, Rejected)
    assert (rejected.source_topic, rejected.partition, rejected.offset) == ("segments", 1, 0)
    assert rejected.incarnation == letter.incarnation
    assert base64.b64decode(rejected.original_base64) == b'{"segment_id": "half'
    assert "EOF" in rejected.reason
    assert letter.partition == 1
    assert stage.worked == ["after"]


def test_a_message_whose_camera_is_no_path_name_becomes_a_dead_letter_and_the_next_message_goes_through(
    make_bus: MakeBus,
) -> None:
    bus, stage = make_bus(), RecordingStage()
    bus.ensure_topics()
    publisher = bus.publisher()
    publisher.publish(SEGMENTS, a_segment("before").model_copy(update={"camera_id": "../x"}), partition=1)
    publisher.flush()
    publisher.close()
    publish_segments(bus, ["after"], partition=1)
    with running(a_runner(bus, stage)):
        (letter,) = arriving(make_bus(), DEAD_LETTERS, 1)
        wait_until(lambda: stage.committed_offsets.get(TopicPartition("segments", 1)) == 2)
    assert "camera_id" in letter.message.reason
    assert stage.worked == ["after"]


def test_what_has_arrived_is_worked_on_together_and_nothing_is_waited_for(make_bus: MakeBus) -> None:
    bus, gate = make_bus(), threading.Event()
    stage = RecordingStage(wait=gate)
    bus.ensure_topics()
    publish_segments(bus, ["first"])
    with running(a_runner(bus, stage, batch_size=4)):
        assert stage.begun.wait(20), "one message is enough to begin"
        publish_segments(bus, NAMES)
        time.sleep(1)  # the rest arrives while the first is worked on
        gate.set()
        wait_until(lambda: len(stage.worked) == 13)
    assert stage.batches[0] == 1
    assert max(stage.batches) == 4


def test_a_stage_slower_than_the_session_keeps_its_partitions(make_bus: MakeBus) -> None:
    bus, gate = make_bus(), threading.Event()
    stage = RecordingStage(wait=gate)
    bus.ensure_topics()
    publish_segments(bus, NAMES[:2])
    with running(a_runner(bus, stage, batch_size=1)):
        assert stage.begun.wait(20)
        time.sleep(8)  # the session of a member that does not poll and beat ends after 6 s
        gate.set()
        wait_until(lambda: stage.committed_offsets.get(TopicPartition("segments", 0)) == 2)
    assert stage.worked == NAMES[:2]


def test_told_to_stop_it_ends_within_five_seconds_and_what_was_dropped_comes_again(make_bus: MakeBus) -> None:
    bus, stuck = make_bus(), RecordingStage(wait=threading.Event())
    bus.ensure_topics()
    publish_segments(bus, NAMES[:3])
    with running(a_runner(bus, stuck)):
        assert stuck.begun.wait(20)
        told_s = time.monotonic()
    assert time.monotonic() - told_s < 5
    after = RecordingStage()
    with running(a_runner(make_bus(), after)):
        wait_until(lambda: after.committed_offsets.get(TopicPartition("segments", 0)) == 3)
    assert (stuck.worked, after.worked) == ([], NAMES[:3])


def test_a_second_member_takes_over_partitions_and_no_message_is_lost(make_bus: MakeBus) -> None:
    bus, first, second = make_bus(), RecordingStage(), RecordingStage()
    bus.ensure_topics()
    with running(a_runner(bus, first)):
        publish_segments(bus, ["early"], partition=0)
        wait_until(lambda: first.worked == ["early"])
        with running(a_runner(make_bus(), second)):
            sent = []

            def second_has_worked() -> bool:
                for partition in range(3):
                    sent.append(f"n{len(sent)}")
                    publish_segments(bus, sent[-1:], partition=partition)
                return bool(second.worked)

            wait_until(second_has_worked, within_s=40)
            wait_until(lambda: set(sent) <= set(first.worked) | set(second.worked))


def test_a_stage_may_begin_elsewhere_than_the_group(make_bus: MakeBus) -> None:
    bus, again = make_bus(), RecordingStage()
    bus.ensure_topics()
    publish_segments(bus, NAMES)
    with running(a_runner(bus, RecordingStage())):
        arriving(make_bus(), PEOPLE, len(NAMES))
    again.start_at = {TopicPartition("segments", 0): 8}
    with running(a_runner(make_bus(), again)):
        wait_until(lambda: len(again.worked) >= 4)
    assert again.worked == NAMES[8:]


def test_a_broker_that_lost_its_memory_is_joined_anew_with_the_same_stage(tmp_path: Path) -> None:
    with embedded_broker(tmp_path) as before:
        bus, stage = Bus(before.address, partitions=3, timeout_s=4), RecordingStage()
        bus.ensure_topics()
        publish_segments(bus, NAMES[:3])
        with running(a_runner(bus, stage)):
            wait_until(lambda: stage.worked == NAMES[:3])
            kill(before)
            with embedded_broker(tmp_path, before.address):
                other = Bus(before.address, partitions=3)
                other.ensure_topics(is_newborn=True)
                publish_segments(other, NAMES[3:6])
                wait_until(lambda: stage.worked == NAMES[:6], within_s=30)
                wait_until(lambda: stage.committed_offsets == {TopicPartition("segments", 0): 3})
        other.close()
        bus.close()


def test_what_was_owed_to_a_broker_that_lost_its_memory_does_not_overtake_what_the_next_asks_for(
    tmp_path: Path,
) -> None:
    with embedded_broker(tmp_path) as before:
        bus, held = Bus(before.address, partitions=3, timeout_s=4), threading.Event()
        stage = RecordingStage(wait=held)
        bus.ensure_topics()
        publish_segments(bus, NAMES[1:2])
        with running(a_runner(bus, stage)):
            wait_until(stage.begun.is_set)
            kill(before)
            held.set()
            wait_until(lambda: stage.worked == NAMES[1:2])
            wait_until(lambda: bus.current_incarnation() is None)
            with embedded_broker(tmp_path, before.address):
                other = Bus(before.address, partitions=3)
                other.ensure_topics(is_newborn=True)
                publish_segments(other, NAMES[:2])
                results = arriving(other, PEOPLE, 2)
        other.close()
        bus.close()
    assert [result.message.segment_id for result in results] == NAMES[:2]


def test_told_to_stop_while_the_broker_is_away_it_ends_within_five_seconds(broker: EmbeddedBroker) -> None:
    bus, stage = Bus(broker.address, partitions=3, timeout_s=4), RecordingStage()
    bus.ensure_topics()
    publish_segments(bus, NAMES[:1])
    with running(a_runner(bus, stage)):
        wait_until(lambda: stage.worked == NAMES[:1])
        kill(broker)
        wait_until(lambda: bus.current_incarnation() is None)
        told_s = time.monotonic()
    assert time.monotonic() - told_s < 5
    bus.close()
