"""The streamer's settings: the sources, each belonging to one camera."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from streamer.bus.camera_file import CameraName
from streamer.bus.settings import Group, Live, ProcessSettings, ZoneName


class Source(Group):
    """One file, or one folder that is watched, as the footage of one camera."""

    camera: CameraName = Field(
        description="The camera's id: letters, digits, `-` and `_`, at most 64, beginning with a letter or digit.",
    )
    file: Path | None = Field(None, description="A video file, or a picture.")
    folder: Path | None = Field(
        None, description="A folder; every video and picture that comes to rest in it is taken."
    )
    subfolders: bool = Field(False, description="Whether the folders in `folder` belong to it, hidden ones left out.")
    pace: Literal["fast", "live"] = Field("fast", description="As fast as possible, or at the video's own pace.")
    time_zone: ZoneName = Field(
        "", description="Zone of pictures whose date names none, such as Europe/Berlin; empty: this machine's."
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.file is None) == (self.folder is None):
            raise ValueError("a source has either `file` or `folder`")
        return self


class Folders(Group):
    """How folders are watched."""

    rest_s: NonNegativeFloat = Field(5.0, description="A file is taken once size and time rest for this long.")
    look_every_s: PositiveFloat = Field(1.0, description="Seconds between two looks into a folder.")


class Backlog(Group):
    """What happens when analysis of live footage falls behind."""

    in_flight: PositiveInt = Field(8, description="Unanalysed segments of one camera on the bus at most.")
    thin_after_s: PositiveFloat = Field(30.0, description="Older backlogs are looked at with fewer frames.")
    thinned_fps: PositiveFloat = Field(2.0, description="Frames looked at per second of video then.")
    skip_after_s: PositiveFloat = Field(1800.0, description="Footage that waits for longer is skipped.")
    quota_bytes: PositiveInt = Field(
        20_000_000_000, description="Waiting footage may take this much; beyond it the oldest is skipped."
    )


class StreamerSettings(ProcessSettings):
    """Built once, in `streamer.cli`.  Example: CREWSIGHT_SOURCES='[{"camera": "gate", "file": "gate.mp4"}]'."""

    sources: tuple[Source, ...] = Field((), description="The footage: files and folders, each with its camera.")
    folders: Folders = Folders()
    live: Live = Live()
    backlog: Backlog = Backlog()

    @property
    def cameras_path(self) -> Path:
        """Where the cameras file is."""
        return self.live.cameras_in(self.state.folder)
