"""What a camera's thread tells of itself and of what it made."""

from dataclasses import dataclass
from datetime import datetime

from streamer.bus.camera_report import Connection
from streamer.bus.errors import MediaStoreError
from streamer.bus.messages import SegmentReady, TimeOrigin


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """One finished segment, to be entered, stored and published."""

    ready: SegmentReady
    size_bytes: int
    gap_since: datetime | None  # None: it continues the one before, or is the first ever
    is_encoded: bool


@dataclass(frozen=True, slots=True)
class CameraFailed:
    """A broken world, met in a camera's thread: the process ends with it."""

    error: MediaStoreError


Told = LiveSegment | CameraFailed


@dataclass(frozen=True, slots=True)
class CameraState:
    """How a camera is at this moment; replaced whole by its thread."""

    connection: Connection
    since: datetime
    reason: str | None = None
    last_frame_at: datetime | None = None
    codec: str | None = None
    fps: float | None = None
    size_wh: tuple[int, int] | None = None
    encoded_because: str | None = None
    time_origin: TimeOrigin | None = None
    clock_off_s: float | None = None
    connects: int = 0
    failures: int = 0
