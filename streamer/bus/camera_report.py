"""What the streamer tells of its cameras: how each is, what waits, what was thinned, skipped or never came. Pure."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt

from streamer.bus.messages import Message, TimeOrigin


class Connection(StrEnum):
    """Whether a camera's pictures come."""

    CONNECTING = "connecting"  # not seen yet since it was added
    LIVE = "live"
    LOST = "lost"  # it was seen, and is tried again: a gap grows
    REFUSED = "refused"  # it answers and says no: the user name, the password or the path is wrong


class Pressure(StrEnum):
    """What is done because analysis is behind; each step includes the one before."""

    NONE = "none"
    WAITING = "waiting"  # segments wait on disk
    THINNED = "thinned"  # fewer frames of each are looked at
    SKIPPING = "skipping"  # the oldest are given up unseen


class Part(BaseModel):
    """A piece of a report."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class GapSeen(Part):
    """A stretch of a camera's time that nobody has, or that nobody looked at."""

    since: AwareDatetime
    until: AwareDatetime
    reason: str


class CameraCounts(Part):
    """Counted since the streamer started; only grows, so that rates can be taken from it."""

    segments: NonNegativeInt = 0
    segments_s: NonNegativeFloat = Field(0.0, description="Seconds of footage in them.")
    segments_bytes: NonNegativeInt = 0
    encoded_segments: NonNegativeInt = 0
    connects: NonNegativeInt = Field(0, description="Connections that showed pictures.")
    failures: NonNegativeInt = Field(0, description="Tries that failed, and connections that were lost.")
    gaps: NonNegativeInt = 0
    gaps_s: NonNegativeFloat = 0.0
    analysed_segments: NonNegativeInt = 0
    thinned_segments: NonNegativeInt = 0
    skipped_segments: NonNegativeInt = 0
    skipped_s: NonNegativeFloat = 0.0
    skipped_over_quota: NonNegativeInt = Field(0, description="Of the skipped segments, those that had no room.")


class CameraReport(Part):
    """One camera at one moment."""

    camera_id: str
    url: str = Field(description="Without user, password and keys.")
    connection: Connection
    reason: str | None = Field(None, description="Why it is not live, in words.")
    since: AwareDatetime = Field(description="Since when the connection is as it is.")
    last_frame_at: AwareDatetime | None = Field(None, description="When its last frame came, by the streamer's clock.")
    last_segment_at: AwareDatetime | None = Field(None, description="When its last segment began.")
    last_segment_uri: str | None = None
    codec: str | None = None
    fps: NonNegativeFloat | None = None
    width_px: NonNegativeInt | None = None
    height_px: NonNegativeInt | None = None
    encoded_because: str | None = Field(None, description="Why its stream is encoded anew, if it is.")
    time_origin: TimeOrigin | None = None
    clock_off_s: float | None = Field(None, description="By how much its clock is off, when that is too much.")
    pressure: Pressure = Pressure.NONE
    waiting_segments: NonNegativeInt = Field(0, description="Not analysed yet, those on the bus included.")
    waiting_s: NonNegativeFloat = 0.0
    waiting_bytes: NonNegativeInt = 0
    unstored_segments: NonNegativeInt = Field(0, description="Of these, those that the media store does not have yet.")
    oldest_waiting_s: NonNegativeFloat = Field(0.0, description="How long the oldest of them has waited.")
    counts: CameraCounts = CameraCounts()
    last_gaps: tuple[GapSeen, ...] = ()


class CamerasReport(Message):
    """All cameras of one streamer; the newest takes the place of the one before."""

    streamer_id: str
    at: AwareDatetime
    since: AwareDatetime = Field(description="When the streamer started: the counts begin there.")
    cameras: tuple[CameraReport, ...]
    fault: str | None = Field(None, description="Why the cameras file is not followed, in words.")
    store_fault: str | None = Field(None, description="Why the media store takes no footage, in words.")
