"""The embedded broker: it dies, comes back without its memory, and nobody has to be started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from streamer.bus.broker import EmbeddedBroker, loopback_address
from streamer.bus.client import Bus, Received, TopicPartition
from streamer.bus.consumer import CALM_MS, EAGER_FOR_S, EAGER_MS
from streamer.bus.errors import BrokerStartError, BrokerUnreachableError, IncarnationChangedError
from streamer.bus.messages import Rejected
from streamer.bus.topics import DEAD_LETTERS, PEOPLE
from tests.builders_bus import analyzed, drain, embedded_broker, kill, wait_until
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def test_a_consumer_notices_a_broker_without_memory_and_a_new_one_reads_from_its_start(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    bus = Bus(broker.address, partitions=3)
    publisher = bus.publisher()
    consumer = bus.consumer([PEOPLE], "readers")
    for index in range(5):
        publisher.publish(PEOPLE, analyzed(f"old{index}"), partition=0)
    publisher.flush()
    drain(consumer, 5)
    assert consumer.commit({TopicPartition("people", 0): 5})
    kill(broker)
    assert consumer.poll(50) == []
    with embedded_broker(tmp_path, broker.address):
        Bus(broker.address, partitions=3).ensure_topics(is_newborn=True)
        publisher.publish(PEOPLE, analyzed("new"), partition=0)
        publisher.flush()
        with pytest.raises(IncarnationChangedError) as changed:
            drain(consumer, 1)
        consumer.close()
        again = bus.consumer([PEOPLE], "readers")
        assert again.incarnation == changed.value.current != changed.value.previous
        received = drain(again, 1)
        assert isinstance(received[0], Received)
        assert (received[0].offset, received[0].message.segment_id) == (0, "new")
        again.close()
    publisher.close()
    bus.close()


def test_a_join_that_completes_between_two_polls_is_kept(broker: EmbeddedBroker) -> None:
    bus = Bus(broker.address, partitions=3)
    consumer = bus.consumer([PEOPLE], "readers")

    def is_assigned_after_a_moment_elsewhere() -> bool:
        consumer.poll(1)
        time.sleep(0.3)  # joins complete here, and almost never in the millisecond above
        return len(consumer.assignment()) == 3

    wait_until(is_assigned_after_a_moment_elsewhere, within_s=15)
    consumer.close()
    bus.close()


def test_whoever_joins_gets_partitions_though_the_groups_leader_leaves_in_that_moment(broker: EmbeddedBroker) -> None:
    bus = Bus(broker.address, partitions=3)
    leader = bus.consumer([PEOPLE], "readers")
    wait_until(lambda: leader.poll(50) == [] and len(leader.assignment()) == 3)
    newcomer = bus.consumer([PEOPLE], "readers")
    joining_until_s = time.monotonic() + 1.0  # the leader, who does not poll now, cannot share anything out
    while time.monotonic() < joining_until_s:
        newcomer.poll(50)
    leader.close()
    wait_until(lambda: newcomer.poll(50) == [] and len(newcomer.assignment()) == 3, within_s=40)
    newcomer.close()
    bus.close()


def test_a_flush_waits_for_a_broker_that_is_away_and_loses_nothing(broker: EmbeddedBroker, tmp_path: Path) -> None:
    bus = Bus(broker.address, partitions=3)
    bus.ensure_topics()
    publisher = bus.publisher()
    publisher.publish(PEOPLE, analyzed("before"), partition=0)
    publisher.flush()
    kill(broker)
    publisher.publish(PEOPLE, analyzed("meanwhile"), partition=0)
    with pytest.raises(BrokerUnreachableError, match="not acknowledged"):
        publisher.flush(timeout_s=0.5)
    assert bus.current_incarnation() is None
    with embedded_broker(tmp_path, broker.address):
        bus.ensure_topics(is_newborn=True)
        publisher.publish(PEOPLE, analyzed("after"), partition=0)
        publisher.flush()
        consumer = bus.consumer([PEOPLE], "readers")
        received = [item.message.segment_id for item in drain(consumer, 2) if isinstance(item, Received)]
        assert received == ["meanwhile", "after"]
        consumer.close()
    publisher.close()
    bus.close()


def test_what_is_forgotten_is_not_sent_and_what_is_for_the_topic_that_is_kept_is(broker: EmbeddedBroker) -> None:
    bus = Bus(broker.address, partitions=3)
    bus.ensure_topics()
    publisher = bus.publisher()
    publisher.publish(PEOPLE, analyzed("old"), partition=0)
    publisher.publish(DEAD_LETTERS, Rejected(rejected_id="r1", reason="no video", segment_id="odd"), partition=0)
    publisher.forget(but=DEAD_LETTERS)
    publisher.publish(PEOPLE, analyzed("new"), partition=0)
    publisher.flush()
    consumer = bus.consumer([PEOPLE, DEAD_LETTERS], "readers")
    received = [item.message.segment_id for item in drain(consumer, 2) if isinstance(item, Received)]
    publisher.close()
    consumer.close()
    bus.close()
    assert sorted(received) == ["new", "odd"]


def test_the_partitions_of_a_killed_member_go_to_the_next_from_its_committed_offset(broker: EmbeddedBroker) -> None:
    bus = Bus(broker.address, partitions=2)
    bus.ensure_topics()
    publisher = bus.publisher()
    for index in range(4):
        publisher.publish(PEOPLE, analyzed(f"s{index}"), partition=0)
    publisher.flush()
    script = (
        "import sys, time\n"
        "from streamer.bus.client import Bus, TopicPartition\n"
        "from streamer.bus.topics import PEOPLE\n"
        "consumer = Bus(sys.argv[1], partitions=2).consumer([PEOPLE], 'readers')\n"
        "seen = 0\n"
        "while seen < 4: seen += len(consumer.poll(100))\n"
        "consumer.commit({TopicPartition('people', 0): 3})\n"
        "sys.stdout.write('committed'); sys.stdout.flush()\n"
        "while True: consumer.poll(100)\n"
    )
    member = subprocess.Popen([sys.executable, "-c", script, broker.address], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert member.stdout is not None
        assert member.stdout.read(9) == b"committed"
    finally:
        member.kill()
        member.communicate()
    survivor = bus.consumer([PEOPLE], "readers")
    assert [item.offset for item in drain(survivor, 1, within_s=30)] == [3]
    survivor.close()
    publisher.close()
    bus.close()


def test_topics_made_too_small_by_an_early_client_are_replaced_in_a_newborn_broker(broker: EmbeddedBroker) -> None:
    early = Bus(broker.address, partitions=1)
    early.ensure_topics()
    bus = Bus(broker.address, partitions=6)
    bus.ensure_topics(is_newborn=True)
    consumer = bus.consumer([PEOPLE], "readers")
    wait_until(lambda: consumer.poll(50) == [] and len(consumer.assignment()) == 6)
    consumer.close()
    bus.close()
    early.close()


def test_a_broker_that_is_not_there_is_one_clear_error() -> None:
    bus = Bus(f"127.0.0.1:{free_port()}", partitions=3, timeout_s=0.3)
    with pytest.raises(BrokerUnreachableError, match=r"no Kafka broker at 127\.0\.0\.1"):
        bus.ensure_topics()
    bus.close()


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    broker = EmbeddedBroker(f"127.0.0.1:{free_port()}", tmp_path / "logs" / "tansu.log")
    with pytest.raises(BrokerStartError, match=r"its log .*tansu\.log cannot be written"):
        broker.start()


def test_a_busy_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(BrokerStartError, match="already in use"):
            EmbeddedBroker(address, tmp_path / "tansu.log").start()


@pytest.mark.parametrize(
    "address", ["0.0.0.0:19092", "kafka:9092", "127.0.0.1", "127.0.0.1:1,127.0.0.1:2", "[::]:90000"]
)
def test_the_embedded_broker_serves_one_loopback_address_only(address: str) -> None:
    with pytest.raises(BrokerStartError):
        loopback_address(address)


def _start_command(tmp_path: Path, address: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "CREWSIGHT_BUS__BOOTSTRAP_SERVERS": address,
        "CREWSIGHT_STATE__FOLDER": str(tmp_path / "state"),
    }
    command = [sys.executable, "-c", "import streamer.cli; streamer.cli.app()", "broker"]
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _server_of(process: subprocess.Popen[bytes]) -> psutil.Process | None:
    children = psutil.Process(process.pid).children()
    return children[0] if children else None


def test_the_broker_command_serves_and_ends_within_five_seconds_of_sigterm(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = _start_command(tmp_path, address)
    try:
        Bus(address, partitions=4).ensure_topics()
        server = _server_of(process)
        assert server is not None
        asked_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - asked_s < 5
        assert not server.is_running()
    finally:
        process.kill()
        process.communicate()


def test_a_killed_broker_command_leaves_no_server_and_can_be_started_again_at_once(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = _start_command(tmp_path, address)
    Bus(address, partitions=4).ensure_topics()
    server = _server_of(process)
    assert server is not None
    process.kill()
    process.communicate()
    again = _start_command(tmp_path, address)
    try:
        Bus(address, partitions=4).ensure_topics()
        wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
        assert again.poll() is None
    finally:
        again.terminate()
        again.communicate()


def test_the_broker_command_fails_when_its_server_dies(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = _start_command(tmp_path, address)
    try:
        Bus(address, partitions=4).ensure_topics()
        server = _server_of(process)
        assert server is not None
        server.kill()
        assert process.wait(10) != 0
    finally:
        process.kill()
        output, _ = process.communicate()
    assert b"it died" in output


SERVED = """
import sys
from pathlib import Path
from streamer.bus.broker import serve
serve(sys.argv[1], Path(sys.argv[2]), partitions=3, replication_factor=1, memory_bytes=int(sys.argv[3]), rest_s=1.0)
"""


def test_a_broker_that_holds_too_much_is_started_anew_and_another_one_is_left_alone(tmp_path: Path) -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    kept = [
        subprocess.Popen([sys.executable, "-c", SERVED, address, str(tmp_path / f"{number}.log"), str(most)])
        for number, (address, most) in enumerate(zip(addresses, (1, 1 << 40), strict=True))
    ]
    buses = [Bus(address, partitions=3) for address in addresses]
    try:
        full, roomy = (bus.ensure_topics() for bus in buses)
        wait_until(lambda: buses[0].incarnation_changed(full), within_s=60)
        assert buses[1].current_incarnation() == roomy
    finally:
        for bus in buses:
            bus.close()
        for process in kept:
            process.terminate()
            process.wait(10)


def test_a_consumer_to_which_nothing_comes_asks_seldom_until_something_does(broker: EmbeddedBroker) -> None:
    bus = Bus(broker.address, partitions=3)
    consumer, publisher = bus.consumer([PEOPLE], "readers"), bus.publisher()

    def patience_ms() -> int:
        return int(consumer._consumer._fetcher.config["fetch_max_wait_ms"])

    publisher.publish(PEOPLE, analyzed("first"), partition=0)
    publisher.flush()
    drain(consumer, 1)
    assert patience_ms() == EAGER_MS
    wait_until(lambda: consumer.poll(100) == [] and patience_ms() == CALM_MS, within_s=EAGER_FOR_S + 20)
    publisher.publish(PEOPLE, analyzed("second"), partition=1)
    publisher.flush()
    drain(consumer, 1)
    assert patience_ms() == EAGER_MS
    consumer.close()
    publisher.close()
    bus.close()
