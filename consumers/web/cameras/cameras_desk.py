"""The cameras for whoever looks after them: how each is, its newest frame, and the file that says which there are."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np

from consumers.errors import NoSuchCameraError
from consumers.indexer.people import PeopleReader
from consumers.indexer.rows import CameraSegment
from consumers.web.alerts.frames import Frames
from consumers.web.cameras.changing import changed
from consumers.web.cameras.hearing import Heard, Reports
from consumers.web.cameras.shapes import CameraChangeShape, WatchedCamerasShape
from consumers.web.cameras.shaping import Known, shape_camera
from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.errors import CameraFileError

DAY = timedelta(days=1)
SMALL_PX = 640  # a tile's picture; the whole one is for drawing zones
KEPT = 200  # small pictures, some 40 kB each
COUNTED_EVERY_S = 5.0
Stamp = tuple[int, int, int] | None
Counted = tuple[Mapping[str, CameraSegment], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Watched:
    """The cameras: the file that says which there are, and what the streamers that follow it say."""

    file: CameraFile
    reports: Reports


class CamerasDesk:
    """Everything about cameras; safe to share between threads."""

    def __init__(self, watched: Watched, people: PeopleReader, frames: Frames) -> None:
        """Answer from these.

        Args:
            watched: The cameras.
            people: Who was seen.
            frames: Takes frames out of stored segments.
        """
        self.file, self._reports, self._people, self._frames = watched.file, watched.reports, people, frames
        self._changing, self._counting, self._reading = threading.Lock(), threading.Lock(), threading.Lock()
        self._known: tuple[Stamp, Mapping[str, CameraSpec]] | None = None
        self._counted: tuple[float, datetime, Counted] | None = None
        self._small = lru_cache(KEPT)(self._shrunk)

    @property
    def is_bus_there(self) -> bool:
        """Whether the broker answered a moment ago."""
        return self._reports.is_bus_there

    def cameras(self, people_since: datetime | None = None) -> WatchedCamerasShape:
        """Every camera, by name; a cameras file that cannot be read is told beside those that are reported.

        Raises:
            PeopleTableError: the person table cannot be read.
        """
        now = datetime.now(UTC)
        specs, fault = self._specs()
        heard = self._reports.heard()
        reports = {report.camera_id: (report, each) for each in heard for report in each.last.cameras}
        newest = max((each.last for each in heard), key=lambda report: report.at, default=None)
        seen, people = self._count(people_since or (now - DAY).replace(second=0, microsecond=0))
        names = sorted({*specs, *reports, *seen}, key=str.casefold)
        faults = [fault, *(each.last.fault for each in heard)]
        return WatchedCamerasShape(
            cameras=tuple(
                shape_camera(
                    Known(name, specs.get(name), reports.get(name), newest, seen.get(name), people.get(name, 0)), now
                )
                for name in names
            ),
            file=str(self.file.path),
            fault=next((each for each in faults if each), None),
            is_bus_there=self._reports.is_bus_there,
            reported_at=newest.at if newest else None,
        )

    def put(self, camera_id: str, asked: CameraChangeShape) -> CameraSpec | None:
        """Add the camera, or change it; returns how it was. The streamer follows within a second.

        Raises:
            CameraChangeError: it cannot be so.
            CameraFileError: it does not fit, or the file cannot be read or written.
        """
        with self._changing:
            before = next((spec for spec in self.file.read() if spec.camera == camera_id), None)
            self.file.put(self.file.checked(changed(camera_id, before, asked)))
        return before

    def remove(self, camera_id: str) -> CameraSpec:
        """Take a camera out of the file; returns how it was. Its footage and the people in it stay.

        Raises:
            NoSuchCameraError: the file has no such camera.
            CameraFileError: the file cannot be read or written.
        """
        with self._changing:
            before = next((spec for spec in self.file.read() if spec.camera == camera_id), None)
            if before is None or not self.file.remove(camera_id):
                raise NoSuchCameraError(camera_id)
        return before

    def restore(self, spec: CameraSpec) -> None:
        """Put a camera back as it was.

        Raises:
            CameraFileError: the file cannot be read or written.
        """
        self.file.put(spec)

    def frame(self, camera_id: str, *, is_small: bool) -> bytes:
        """The newest stored frame of a camera, as JPEG.

        Raises:
            NoSuchCameraError: nothing of it is stored.
            VideoReadError: the segment cannot be read.
            MediaStoreError: the segment is gone.
        """
        uri = self._newest_segment(camera_id, self._reports.heard())
        if uri is None:
            raise NoSuchCameraError(camera_id)
        if not is_small:
            return self._frames.jpeg(uri, 0.0)
        self._frames.refuse_gone(uri)
        return self._small(uri)

    def _newest_segment(self, camera_id: str, heard: Sequence[Heard]) -> str | None:
        reported = (report for each in heard for report in each.last.cameras if report.camera_id == camera_id)
        uri = next((report.last_segment_uri for report in reported), None)
        if uri is not None:
            return uri
        seen = self._people.camera_segments().get(camera_id)
        return seen.uri if seen else None

    def _count(self, since: datetime) -> Counted:
        """What the person table says of cameras; asked every few seconds for all pages together."""
        with self._counting:
            now_s = time.monotonic()
            if self._counted is None or now_s - self._counted[0] > COUNTED_EVERY_S or since != self._counted[1]:
                counted = self._people.camera_segments(), self._people.people_since(since)
                self._counted = now_s, since, counted
            return self._counted[2]

    def _shrunk(self, uri: str) -> bytes:
        whole = cv2.imdecode(np.frombuffer(self._frames.jpeg(uri, 0.0), np.uint8), cv2.IMREAD_COLOR)
        assert whole is not None, "we encoded it"
        height, width = whole.shape[:2]
        scale = min(1.0, SMALL_PX / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        _, encoded = cv2.imencode(".jpg", cv2.resize(whole, size, interpolation=cv2.INTER_AREA))
        return encoded.tobytes()

    def _specs(self) -> tuple[Mapping[str, CameraSpec], str | None]:
        """What stands in the file, or why it cannot be read; every page asks, so it is read when it has changed."""
        with self._reading:
            stamp = self.file.stamp()
            if self._known is None or self._known[0] != stamp:
                try:
                    self._known = stamp, {spec.camera: spec for spec in self.file.read()}
                except CameraFileError as error:  # tried anew: rights may be mended without a change of the file
                    return {}, str(error)
            return self._known[1], None
