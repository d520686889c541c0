"""`make soak`, second part: the streamer alone watches twenty cameras, and its memory, files and threads are watched.

The cameras are streams of GStreamer's RTSP server, made from the clips; whoever answers for the analyzer here only says
that a segment is done, and takes its video away. A short form runs in the tests; figures are in docs/performance.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import SecretStr

from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.camera_report import CamerasReport, Connection
from streamer.bus.client import Bus, Received
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentAnalyzed
from streamer.bus.topics import PEOPLE, SEGMENTS
from tests.builders_bus import embedded_broker, wait_until
from tests.builders_cameras import ReportReader
from tests.builders_rtsp import clip_frames, rtsp_server, write_stream
from tests.conftest import DATA

CLIPS = ("one-by-one.mp4", "store-aisle.mp4", "worker-zone.mp4", "classroom.mp4")
FPS, STREAM_S = 15, 8
SIZE_WH = (640, 360)
MOST_GROWTH = 1.05  # of what is resident in the first third, once all cameras are live
MOST_BYTES = 1.0e9


@dataclass(frozen=True, slots=True)
class Held:
    """What the streamer holds at one moment."""

    at_s: float
    resident_bytes: int
    files: int
    threads: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak has seen."""

    held: list[Held]
    report: CamerasReport
    answered: int

    @property
    def cores(self) -> float:
        """How much of one core the streamer took."""
        first, last = self.held[0], self.held[-1]
        return (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s)


def camera_streams(folder: Path, clips: Sequence[Path]) -> list[Path]:
    """A stream of every clip, as a camera would send it."""
    return [
        write_stream(
            folder / clip.stem,
            clip_frames(clip, STREAM_S * FPS, size_wh=SIZE_WH),
            fps=FPS,
            keyframe_every=FPS,
            codec="h265" if number % 4 == 3 else "h264",
        )
        for number, clip in enumerate(clips)
    ]


def soak(streams: Sequence[Path], *, cameras: int, duration_s: float, every_s: float) -> Soaked:
    """Watch `cameras` cameras for `duration_s` once all are live, looking at the streamer `every_s`."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        broker = running.enter_context(embedded_broker(folder))
        mounts = {f"camera-{number:02d}": streams[number % len(streams)] for number in range(cameras)}
        server = running.enter_context(rtsp_server(mounts))
        file = CameraFile(folder / "state" / "cameras.yaml")
        for name in mounts:
            file.put(CameraSpec(camera=name, url=SecretStr(server.url(name))))
        bus = Bus(broker.address, partitions=4)
        running.callback(bus.close)
        bus.ensure_topics()
        reports = ReportReader(bus)
        running.callback(reports.close)
        streamer = running.enter_context(_streamer(folder, broker.address))
        answers = running.enter_context(_answering(bus, MediaStore(str(folder / "state" / "media"))))

        def are_live() -> bool:
            next(answers)
            report = reports.newest()
            live = (
                [c for c in report.cameras if c.connection is Connection.LIVE and c.counts.segments] if report else []
            )
            return len(live) == cameras

        wait_until(are_live, within_s=60)
        held: list[Held] = []
        answered, began_s = 0, time.monotonic()
        while (at_s := time.monotonic() - began_s) < duration_s:
            answered = next(answers)
            if not held or at_s - held[-1].at_s >= every_s:
                held.append(_held(streamer, at_s))
        report = reports.newest()
        assert report is not None
        return Soaked(held, report, answered)


def verdict(soaked: Soaked) -> str | None:
    """What is wrong, or None."""
    first = soaked.held[: max(1, len(soaked.held) // 3)]
    settled, most = max(each.resident_bytes for each in first), max(each.resident_bytes for each in soaked.held)
    if most > MOST_BYTES:
        return f"{most / 1e6:.0f} MB resident, more than {MOST_BYTES / 1e6:.0f}"
    if most > MOST_GROWTH * settled:
        return f"grew from {settled / 1e6:.0f} MB to {most / 1e6:.0f} MB"
    for what in ("files", "threads"):
        before, after = max(getattr(each, what) for each in first), getattr(soaked.held[-1], what)
        if after > before:
            return f"{after} {what} open, {before} at first"
    for camera in soaked.report.cameras:
        if camera.connection is not Connection.LIVE or camera.counts.gaps or camera.counts.skipped_segments:
            return f"{camera.camera_id} is {camera.connection}, {camera.counts.gaps} gaps, {camera.reason}"
    return None


def _held(streamer: psutil.Process, at_s: float) -> Held:
    with streamer.oneshot():
        cpu = streamer.cpu_times()
        resident = streamer.memory_info().rss
        return Held(at_s, resident, streamer.num_fds(), streamer.num_threads(), cpu.user + cpu.system)


@contextmanager
def _streamer(folder: Path, address: str) -> Iterator[psutil.Process]:
    config = folder / "crewsight.yaml"
    config.write_text(
        json.dumps({"state": {"folder": str(folder / "state")}, "bus": {"bootstrap_servers": address}})  # JSON is YAML
    )
    with (folder / "log.txt").open("w") as log:
        command = [sys.executable, "-m", "crewsight", "streamer", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(15)


@contextmanager
def _answering(bus: Bus, media: MediaStore) -> Iterator[Iterator[int]]:
    """Each step answers for what has come, and tells how many segments that were in all."""
    consumer, publisher = bus.consumer([SEGMENTS], "soak"), bus.publisher()

    def step() -> Iterator[int]:
        count = 0
        while True:
            for ready in [each.message for each in consumer.poll(100) if isinstance(each, Received)]:
                media.remove(ready.uri)
                analyzed = SegmentAnalyzed(
                    segment_id=ready.segment_id,
                    camera_id=ready.camera_id,
                    analysis_revision="soak",
                    manifest_uri="media:///none",
                    person_count=0,
                )
                publisher.publish(PEOPLE, analyzed, partition=0)
                count += 1
            publisher.flush()
            yield count

    try:
        yield step()
    finally:
        publisher.close()
        consumer.close()


def main(arguments: Sequence[str]) -> int:
    """Print what the streamer holds; exit status 1 when it grows or a camera is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=30)
    parser.add_argument("--clips", type=Path, nargs="+", default=[DATA / "videos" / name for name in CLIPS])
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        streams = camera_streams(Path(folder), chosen.clips)
        soaked = soak(streams, cameras=chosen.cameras, duration_s=chosen.seconds, every_s=chosen.every)
    for each in soaked.held:
        sys.stdout.write(
            f"{each.at_s:5.0f} s: {each.resident_bytes / 1e6:.0f} MB resident, {each.files} files, "
            f"{each.threads} threads\n"
        )
    sys.stdout.write(f"{soaked.answered} segments; {soaked.cores:.2f} of a core\n")
    wrong = verdict(soaked)
    sys.stdout.write(f"{'FAILED: ' + wrong if wrong else 'holds'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
