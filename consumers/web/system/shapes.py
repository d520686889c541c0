"""What the API says of the system. Pure."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from consumers.web.schemas import Level, Shape

ProcessState = Literal["ready", "waits", "silent"]


class FindingShape(Shape):
    """Something that an operator should know, and what to do about it."""

    level: Level
    about: str
    words: str
    to_do: str


class ProcessShape(Shape):
    """One process, from what it exports."""

    job: str
    address: str
    state: ProcessState = Field(description="`waits`: for something that it needs; `silent`: it does not answer.")
    words: str = Field(description="What it waits for, or how it fails to answer.")
    messages: int = Field(description="Since it started.")
    messages_per_s: float | None = Field(description="Since the last look; none at the first one.")
    in_flight: int
    dead_letters: int = Field(description="Since it started.")
    memory_bytes: int


class LagShape(Shape):
    """Messages of one partition that its consumer group has not polled."""

    group: str
    topic: str
    partition: int
    messages: int


class LegShape(Shape):
    """How long segments take on one leg of their way, since the processes started."""

    leg: str
    segments: int
    mean_s: float


class DiskShape(Shape):
    """The disk of one folder."""

    folder: str
    free_bytes: int
    size_bytes: int


class SystemShape(Shape):
    """How the whole installation stands."""

    at: datetime
    version: str
    level: Level
    findings: tuple[FindingShape, ...] = Field(description="What is not as it should be, the worst first.")
    processes: tuple[ProcessShape, ...]
    lags: tuple[LagShape, ...]
    legs: tuple[LegShape, ...]
    disks: tuple[DiskShape, ...]
    broker: str
    is_bus_there: bool
    media: str
    models: dict[str, str] = Field(description="Revisions of what looked at the last person who was seen.")
    keep_people_days: float | None = Field(description="None: for good.")
    keep_evidence_days: float | None = Field(description="None: for good.")
    open_dead_letters: int


class DeadLetterShape(Shape):
    """Something that nobody could read, and what became of it."""

    rejected_id: str
    reason: str
    noticed_at: datetime
    camera_id: str | None
    segment_id: str | None
    place: str = Field(description="Topic, partition and offset; of a file, where it lies.")
    is_message: bool = Field(description="Whether it can be put back on its topic.")
    original: str = Field(description="The beginning of what was refused; bytes that are no text are escaped.")
    handled: str | None = Field(description="`replaying`, `replayed` or `dropped`; none: it is open.")
    handled_at: datetime | None
    handled_by: str | None


class ReplayShape(BaseModel):
    """How a dead letter is replayed."""

    model_config = ConfigDict(extra="forbid")
    is_again: Annotated[bool, Field(description="Even if that was done before, or broke off.")] = False
