"""A camera's real thread in a test's folder, and what comes out of it."""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from pydantic import SecretStr

from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.camera_report import CameraReport, CamerasReport
from streamer.bus.cameras import CameraTable
from streamer.bus.client import Bus, Received
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.bus.settings import Bus as BusSettings
from streamer.bus.settings import Live, State
from streamer.bus.topics import CAMERAS
from streamer.ledger import Ledger
from streamer.live.camera import LiveCamera
from streamer.live.spool import Spool
from streamer.live.state import CameraFailed, Told
from streamer.process import live_watch
from streamer.publishing import LedgerPublisher
from streamer.settings import Backlog, StreamerSettings
from streamer.streaming import Streamer
from tests.builders_bus import wait_until
from tests.builders_video import numbers_in

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
FPS = 25
QUICK = Live(segment_s=1.0, longest_gop_s=3.0, connect_s=5.0, stall_s=2.0, retry_at_most_s=0.5)


def a_live_ready(number: int, camera: str = "gate", *, links: bool = True) -> SegmentReady:
    """What is told of a camera's segment of two seconds, the first of which begins at `NOW`."""
    return SegmentReady(
        segment_id=f"{camera}-{number}",
        previous_segment_id=f"{camera}-{number - 1}" if links and number else None,
        camera_id=camera,
        uri=f"media:///media/{camera}/2026-11-27/{camera}-{number}.mp4",
        started_at=NOW + timedelta(seconds=2 * number),
        time_origin=TimeOrigin.RTCP,
        duration_s=2.0,
        fps=25,
        width_px=64,
        height_px=48,
    )


class WatchedCamera:
    """One camera being watched."""

    def __init__(self, folder: Path, spec: CameraSpec, live: Live = QUICK, last_end: datetime | None = None) -> None:
        self.spool = Spool(folder / "spool")
        self.segments: list[SegmentReady] = []
        self.gaps: list[datetime | None] = []
        self._outbox: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self.camera = LiveCamera(
            spec, live, spool=self.spool, work_folder=folder / "work", outbox=self._outbox, last_end=last_end
        )

    def wait_for(self, count: int, *, within_s: float = 30.0) -> list[SegmentReady]:
        """The segments so far, once there are `count`."""

        def are_there() -> bool:
            while not self._outbox.empty():
                told = self._outbox.get()
                if isinstance(told, CameraFailed):
                    raise told.error
                self.segments.append(told.ready)
                self.gaps.append(told.gap_since)
            return len(self.segments) >= count

        wait_until(are_there, within_s=within_s)
        return self.segments

    def path(self, segment: SegmentReady) -> Path:
        return self.spool.path(segment.segment_id)

    def numbers(self, segments: list[SegmentReady]) -> list[int]:
        return [number for segment in segments for number in numbers_in(self.path(segment))]


@contextmanager
def watched(
    folder: Path, spec: CameraSpec, live: Live = QUICK, last_end: datetime | None = None
) -> Iterator[WatchedCamera]:
    """A camera that is watched while the block runs."""
    one = WatchedCamera(folder, spec, live, last_end)
    one.camera.start()
    try:
        yield one
    finally:
        one.camera.stop()
        assert one.camera.join(15)


def are_successive(numbers: list[int], *, loop: int) -> bool:
    """Whether frames follow one another, round a loop of so many."""
    return all((after - before) % loop == 1 for before, after in pairwise(numbers))


class LiveHousehold:
    """A streamer's real parts, run in a thread, with a cameras file to change while it runs."""

    def __init__(self, folder: Path, address: str, *, live: Live = QUICK, backlog: Backlog | None = None) -> None:
        self.folder = folder
        self.settings = StreamerSettings(
            state=State(folder=folder),
            bus=BusSettings(bootstrap_servers=address, partitions=3),
            live=live,
            backlog=backlog or Backlog(),
        )
        self.file = CameraFile(self.settings.cameras_path)
        self.media = MediaStore(self.settings.media_url)

    def add(self, name: str, url: str) -> None:
        self.file.put(CameraSpec(camera=name, url=SecretStr(url)))

    def bus(self) -> Bus:
        return Bus(self.settings.bus.bootstrap_servers, partitions=3)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The streamer runs while the block does; what ends it early fails the block."""
        stop = threading.Event()
        with ThreadPoolExecutor(1, "streamer") as thread:
            ran = thread.submit(self._run, stop)
            try:
                yield
            finally:
                stop.set()
            ran.result(30)

    def _run(self, stop: threading.Event) -> None:
        ledger, bus = Ledger.open(self.folder), self.bus()
        publisher = LedgerPublisher(ledger, bus, self.media)
        try:
            Streamer(
                [],
                ledger=ledger,
                cameras=CameraTable(ledger.engine, partitions=3),
                media=self.media,
                publisher=publisher,
                work_folder=self.folder / "cutting",
                live=live_watch(self.settings, ledger, bus, self.media),
            ).run(once=False, is_stopping=stop.is_set)
        finally:
            publisher.close()
            bus.close()
            ledger.close()


class ReportReader:
    """The newest report of all cameras on a broker."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._reader = bus, bus.latest(CAMERAS)
        self.all: list[CamerasReport] = []

    def newest(self) -> CamerasReport | None:
        arrived = self._reader.arrived(self._bus.incarnation())
        self.all += [each.message for each in arrived if isinstance(each, Received)]
        return self.all[-1] if self.all else None

    def camera(self, name: str) -> CameraReport | None:
        report = self.newest()
        return next((camera for camera in report.cameras if camera.camera_id == name), None) if report else None

    def close(self) -> None:
        self._reader.close()
