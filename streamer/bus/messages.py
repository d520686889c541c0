"""What processes tell each other: small frozen messages that name media by URI and never carry pixels.

Pure: no I/O, no clock. A reader ignores fields it does not know, so an old reader can meet a new writer; a field
may be added with a default and never re-meant. Ids are derived (`streamer.bus.identity`), never drawn.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

CAMERA_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"  # it becomes part of paths, URIs and topics' messages
_PATH_NAME = r"^[A-Za-z0-9_-]{1,64}$"

CameraId = Annotated[str, Field(pattern=CAMERA_PATTERN)]
SegmentId = Annotated[str, Field(pattern=_PATH_NAME)]
Revision = Annotated[str, Field(pattern=_PATH_NAME)]


def _within_the_store(uri: str) -> str:
    path = uri.removeprefix("media:///")
    if path == uri or path.startswith("/") or ".." in path.split("/"):
        raise ValueError("must be a media:///… URI that does not leave the media store")
    return uri


# S3 takes no key beyond 1,024 bytes, PostgreSQL no NUL.
MediaUri = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00-\x1f]+$"), AfterValidator(_within_the_store)]

_ASKED_OF = re.compile(
    r"^(?:is|are|does|do|has|have)\s+(?:the|this|that)?\s*(?:person|worker|man|woman|they)?\s*"
    r"(?:wearing|wear|have|has|got|holding|carrying|using|use|in|on)?\s*(?:an?|any|the|their|some)?\s+",
    re.IGNORECASE,
)
_WHICH = re.compile(r"^what\s+(colou?r|kind|type)\s+(?:is|are|of)\s+(?:the|their|this person'?s)?\s*", re.IGNORECASE)


class Message(BaseModel):
    """Anything that crosses a process boundary as JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1


class TimeOrigin(StrEnum):
    """Where a segment's `started_at` was read."""

    CONTAINER = "container"  # the file's own creation time
    FILE = "file"  # the file system's modification time, less the duration
    EXIF = "exif"  # a picture's own date, with its own offset from UTC
    EXIF_ZONE = "exif-zone"  # a picture's own date, in the time zone that its source is set to
    CLOCK = "clock"  # this machine's clock when the frame arrived
    RTCP = "rtcp"  # the camera's own clock, as its RTCP sender reports tell it

    @property
    def is_live(self) -> bool:
        """Whether it is the time of a frame that had just been taken, which a latency can be counted from."""
        return self in (TimeOrigin.CLOCK, TimeOrigin.RTCP)


class SegmentReady(Message):
    """One stretch of one camera's video, or one picture, readable at `uri`."""

    segment_id: SegmentId
    previous_segment_id: SegmentId | None = Field(None, description="The segment that ends where this one begins.")
    camera_id: CameraId
    uri: MediaUri = Field(description="media:///… relative to the configured media store")
    started_at: AwareDatetime = Field(description="When the first frame was seen, UTC.")
    time_origin: TimeOrigin
    duration_s: PositiveFloat
    fps: PositiveFloat
    width_px: PositiveInt
    height_px: PositiveInt
    sampling_fps_at_most: PositiveFloat | None = Field(
        None, description="Look at no more frames a second than this: analysis was behind. Never changes for a segment."
    )
    gap_before_s: NonNegativeFloat | None = Field(
        None, description="Seconds before this segment that nobody has or nobody looks at; then it continues nothing."
    )
    gap_reason: str | None = Field(None, description="Why they are missing, in words.")


class SegmentAnalyzed(Message):
    """One segment's result is durable at `manifest_uri`."""

    segment_id: SegmentId
    previous_segment_id: SegmentId | None = None
    camera_id: CameraId
    analysis_revision: Revision
    manifest_uri: MediaUri
    person_count: NonNegativeInt
    timings_s: dict[str, float] = Field(default_factory=dict, description="Seconds per leg: decode, detect, …")


class Rejected(Message):
    """Something nobody can read: why, where it stands, and its own bytes, so that it can be replayed.

    A file refused before it became a segment has no offset: its place is `origin`, and `source_topic` is None.
    """

    rejected_id: str
    reason: str
    camera_id: str | None = None
    segment_id: str | None = None
    origin: str | None = Field(None, description="The file or URI that could not be read.")
    source_topic: str | None = None
    partition: NonNegativeInt | None = None
    offset: NonNegativeInt | None = None
    incarnation: str | None = None
    original_base64: str = Field("", description="The bytes of the message that was refused.")


class AskedQuestion(Message):
    """One typed question as it was asked."""

    question_id: str
    kind: Literal["predicate", "choice", "score"]
    text: str
    answers: tuple[str, ...] = Field(description="The allowed answers, without *cannot tell*.")

    @property
    def label(self) -> str:
        """The question in as few words as a chip holds.

        >>> ask = lambda text: AskedQuestion(question_id="x", kind="predicate", text=text, answers=("yes", "no")).label
        >>> ask("Is this person wearing a hard hat?"), ask("What colour is the hard hat?")
        ('hard hat', 'hard hat colour')
        """
        return _label(self.text)


@lru_cache(1024)
def _label(text: str) -> str:
    plain = text.strip().rstrip("?. ")
    if which := _WHICH.match(plain):
        return f"{plain[which.end() :]} {which[1].lower()}"
    return _ASKED_OF.sub("", plain).strip() or plain


class QuestionSet(Message):
    """Everything that the rules in force ask, whole: the newest set takes the place of the one before."""

    revision: str = Field(description="Names the questions, whatever their order.")
    questions: tuple[AskedQuestion, ...]
