"""`make bench`: how much more 2 and 4 analyzers get done than one, and how little with all cameras on one partition.

Each process is a member of the analyzers' group run by the real runner over a real broker with 8 partitions; it decodes
every segment with Decord as the analyzer does and then waits two seconds in place of the models, so that two cores can
stand for many. Throughput is counted from the results as they arrive, beside that of one process times their number;
all cases run at the same time, so that a busy machine slows them alike.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumers.analyzer.decode import sample_frames
from consumers.runner import IsStopping, Publication, Runner
from streamer.bus.client import Bus, Received, TopicPartition
from streamer.bus.messages import SegmentAnalyzed, SegmentReady
from streamer.bus.tether import tethered
from streamer.bus.topics import PEOPLE, SEGMENTS
from tests.builders_bus import embedded_broker
from tests.builders_consumers import a_segment, people_video
from tests.installation import until

PARTITIONS = 8
WORK_S = 2.0
SAMPLING_FPS = 5.0
LEAST_EFFICIENCY, MOST_ON_ONE_PARTITION = 0.9, 0.4
JOIN_S = 240.0
CASES = ((1, False), (2, False), (4, False), (4, True))


@dataclass(frozen=True, slots=True)
class Throughput:
    """What some analyzers got done."""

    analyzers: int
    on_one_partition: bool
    segments: int
    segments_per_s: float

    def efficiency(self, alone: "Throughput") -> float:
        """Its share of what so many times one analyzer alone would do."""
        return self.segments_per_s / (self.analyzers * alone.segments_per_s)


class DecodeAndWait:
    """The runner's stage: decodes for real, waits, and says so."""

    def __init__(self, name: str, clip: Path, joined: Path) -> None:
        """Decode `clip`, and touch `joined` when the first partition is ours."""
        self._name, self._clip, self._joined = name, clip, joined

    def work(self, batch: Sequence[Received[SegmentReady]], is_stopping: IsStopping) -> Sequence[Sequence[Publication]]:
        """One message for each segment."""
        return [[Publication(PEOPLE, self._analyzed(received.message))] for received in batch]

    def first_offset(self, place: TopicPartition, incarnation: str) -> int | None:
        """The group's own."""
        self._joined.touch()
        return None

    def committed(self, offsets: dict[TopicPartition, int], incarnation: str) -> None:
        """Keep nothing."""

    def _analyzed(self, ready: SegmentReady) -> SegmentAnalyzed:
        frames = sample_frames(self._clip, target_fps=SAMPLING_FPS).frames
        time.sleep(WORK_S)
        return SegmentAnalyzed(
            segment_id=ready.segment_id,
            camera_id=ready.camera_id,
            analysis_revision=self._name,
            manifest_uri="media:///none",
            person_count=len(frames),
        )


def throughput(analyzers: int, *, window_s: float, on_one_partition: bool = False) -> Throughput:
    """What `analyzers` processes get done in about `window_s`, once all are members and each has its partitions."""
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        clip = people_video(folder / "clip.mp4", frame_count=10)  # two seconds
        broker = open_things.enter_context(embedded_broker(folder))
        bus = Bus(broker.address, partitions=PARTITIONS)
        open_things.callback(bus.close)
        bus.ensure_topics(is_newborn=True)
        marks = [folder / f"joined-{number}" for number in range(analyzers)]
        for mark in marks:
            open_things.enter_context(_analyzer(broker.address, clip, mark))
        until(lambda: all(mark.exists() for mark in marks), JOIN_S, "every analyzer has partitions")
        results = bus.consumer([PEOPLE], "bench")
        open_things.callback(results.close)
        until(lambda: results.poll(100) == [] and results.assignment(), JOIN_S, "whoever counts is a member")
        _publish(bus, 1 if on_one_partition else PARTITIONS, each=2 + int(window_s / WORK_S) * analyzers)
        arrived_s: list[float] = []
        while not arrived_s or time.monotonic() - arrived_s[0] < window_s:
            arrived_s += [time.monotonic() for _ in results.poll(50)]
    span_s = arrived_s[-1] - arrived_s[0]
    return Throughput(analyzers, on_one_partition, len(arrived_s), (len(arrived_s) - 1) / span_s)


def throughputs(cases: Sequence[tuple[int, bool]], *, window_s: float) -> list[Throughput]:
    """`throughput` of all cases at the same time: whatever else the machine does slows all of them alike."""
    with ThreadPoolExecutor(len(cases)) as at_once:
        runs = [
            at_once.submit(throughput, analyzers, window_s=window_s, on_one_partition=on_one_partition)
            for analyzers, on_one_partition in cases
        ]
        return [run.result() for run in runs]


def _publish(bus: Bus, partitions: int, *, each: int) -> None:
    """Segments enough that no analyzer waits for one: of one camera a partition, or of all cameras on partition 0."""
    publisher = bus.publisher()
    for number in range(each):
        for partition in range(partitions):
            publisher.publish(SEGMENTS, a_segment(f"s{partition}-{number}"), partition=partition)
    publisher.flush()
    publisher.close()


@contextmanager
def _analyzer(address: str, clip: Path, mark: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench_scaling", "--worker", address, str(clip), str(mark)]
    process = subprocess.Popen(tethered(command, signal.SIGKILL))
    try:
        yield
        assert process.poll() is None, "an analyzer ended by itself"
    finally:
        process.kill()
        process.wait()


def _work(address: str, clip: str, mark: str) -> None:
    stage = DecodeAndWait(Path(mark).name, Path(clip), Path(mark))
    Runner(Bus(address, partitions=PARTITIONS), [SEGMENTS], "analyzer", stage, batch_size=1).run()


def main(arguments: Sequence[str]) -> int:
    """Print the table; exit status 1 when it scales badly, or one partition looks as good as eight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", nargs=3, metavar=("ADDRESS", "CLIP", "MARK"), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60, help="counted of each case")
    chosen = parser.parse_args(arguments)
    if chosen.worker:
        _work(*chosen.worker)
        return 0
    sys.stdout.write("| analyzers | partitions in use | segments | segments/s | ideal | efficiency |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    is_well = True
    seen = throughputs(CASES, window_s=chosen.seconds)
    for each in seen:
        efficiency = each.efficiency(seen[0])
        is_well &= efficiency < MOST_ON_ONE_PARTITION if each.on_one_partition else efficiency >= LEAST_EFFICIENCY
        sys.stdout.write(
            f"| {each.analyzers} | {1 if each.on_one_partition else PARTITIONS} | {each.segments} "
            f"| {each.segments_per_s:.2f} | {each.analyzers * seen[0].segments_per_s:.2f} | {efficiency:.2f} |\n"
        )
    return 0 if is_well else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
