"""A camera's real thread in a test's folder, and what comes out of it."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from streamer.bus.camera_file import CameraSpec
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentReady
from streamer.live.camera import CameraFailed, LiveCamera, Told
from streamer.settings import Live
from tests.builders_bus import wait_until
from tests.builders_video import numbers_in

FPS = 25
QUICK = Live(segment_s=1.0, longest_gop_s=3.0, connect_s=5.0, stall_s=2.0, retry_at_most_s=0.5)


class WatchedCamera:
    """One camera being watched."""

    def __init__(self, folder: Path, spec: CameraSpec, live: Live = QUICK, last_end: datetime | None = None) -> None:
        self.media = MediaStore(str(folder / "media"))
        self.segments: list[SegmentReady] = []
        self.gaps: list[datetime | None] = []
        self._outbox: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self.camera = LiveCamera(
            spec, live, media=self.media, work_folder=folder / "work", outbox=self._outbox, last_end=last_end
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
        path = self.media.local_path(segment.uri)
        assert path is not None
        return path

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
