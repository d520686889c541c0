"""What the API says of cameras, and what it is told. Pure."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from consumers.web.cameras.states import CameraState, Level
from consumers.web.schemas import Shape
from streamer.bus.messages import CAMERA_PATTERN

CameraId = Annotated[str, Field(pattern=CAMERA_PATTERN)]
Share = Annotated[float, Field(ge=0, le=1)]
Corner = tuple[Share, Share]


class GapShape(Shape):
    """A stretch of a camera's time that nobody has, or that nobody looked at."""

    since: datetime
    until: datetime
    reason: str


class StreamShape(Shape):
    """What a camera sends."""

    codec: str | None
    width_px: int | None
    height_px: int | None
    fps: float | None
    mbit_s: float | None = Field(description="Over the last minute; none: not known yet.")
    encoded_because: str | None = Field(description="Why it is encoded anew, if it is.")
    clock_off_s: float | None = Field(description="By how much its clock is off, when that is too much.")


class BacklogShape(Shape):
    """What of a camera's footage nobody has looked at, and what became of the rest since its streamer started."""

    waiting_segments: int
    waiting_s: float
    oldest_waiting_s: float
    segments: int
    analysed_segments: int
    thinned_segments: int
    skipped_segments: int
    skipped_s: float
    gaps: int
    gaps_s: float


class WatchedCameraShape(Shape):
    """One camera: how it is, what comes from it, and whether it can be changed here."""

    camera_id: str
    state: CameraState
    level: Level
    words: str = Field(description="Why it is so, in a sentence.")
    to_do: str | None = Field(description="What somebody should do about it, if anything.")
    url: str | None = Field(description="Its address without user, password and keys; none: it is footage from files.")
    username: str | None = Field(description="Whom it lets in, if that is set beside the address.")
    has_password: bool
    tls_verify: bool = Field(description="Whether its certificate has to be trusted (https, rtsps).")
    is_in_file: bool = Field(description="Whether it stands in the cameras file, and so can be changed here.")
    since: datetime | None = Field(description="Since when the connection is as it is.")
    last_frame_at: datetime | None
    last_segment_at: datetime | None
    frame_url: str | None = Field(description="Its newest frame that is stored; another address for another frame.")
    stream: StreamShape | None
    backlog: BacklogShape | None
    last_gaps: tuple[GapShape, ...] = Field(description="Newest first.")
    people: int = Field(description="Seen in it in the last 24 hours, or since the instant that was asked for.")


class WatchedCamerasShape(Shape):
    """Every camera that is watched, was watched or should be."""

    cameras: tuple[WatchedCameraShape, ...]
    file: str
    fault: str | None = Field(description="Why the cameras file is not followed, in words.")
    is_bus_there: bool
    reported_at: datetime | None = Field(description="When a streamer reported last.")


class CameraChangeShape(BaseModel):
    """A camera as it shall be; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")
    url: Annotated[str, Field(max_length=2000)] | None = Field(
        None, description="rtsp://, rtsps://, http:// or https:// address; needed for a new camera."
    )
    username: Annotated[str, Field(max_length=200)] | None = Field(None, description="Whom the camera lets in.")
    password: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="That user's password, never told again; it has to be given anew when the host changes."
    )
    tls_verify: bool | None = Field(
        None, description="Whether its certificate has to be trusted (https, rtsps); true again when the host changes."
    )
    is_enabled: bool | None = Field(None, description="Whether it is watched.")


class ZoneShape(Shape):
    """A named part of some cameras' picture, and which rules hold in it."""

    name: str
    cameras: tuple[str, ...] = Field(description="Cameras or camera groups.")
    polygon: tuple[Corner, ...] = Field(description="Corners in order, fractions of the frame.")
    rules: tuple[str, ...] = Field(description="Ids of the rules that name it.")


class ZoneChangeShape(BaseModel):
    """A zone as it shall be."""

    model_config = ConfigDict(extra="forbid")
    cameras: Annotated[tuple[CameraId, ...], Field(min_length=1, max_length=100)]
    polygon: Annotated[tuple[Corner, ...], Field(min_length=3, max_length=100)]


class RuleInZoneShape(BaseModel):
    """Whether a rule shall hold in a zone."""

    model_config = ConfigDict(extra="forbid")
    is_in: bool
