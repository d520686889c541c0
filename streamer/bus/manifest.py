"""The write-once result of one segment: who is in it, what was asked, what was answered, and by which models.

Pure. Written by the analyzer, read by every consumer downstream; what the media store holds at
`results/<camera>/<segment_id>.<analysis_revision>.json`.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from streamer.bus.messages import AskedQuestion, Message, TimeOrigin

Probabilities = dict[str, float]  # answer -> probability; sums to 1; holds "cannot tell"


class Part(BaseModel):
    """A piece of a manifest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Revisions(Part):
    """Which model said what: each is named and versioned apart."""

    detector: str
    answer: str
    caption: str
    embedding_space: str


class LookSeen(Part):
    """The best crop of one second of one track, and the answers read from it."""

    at: AwareDatetime
    at_s: NonNegativeFloat = Field(description="Seconds from the segment's first frame.")
    box_xyxy: tuple[float, float, float, float] = Field(description="Pixels of the full frame.")
    sharpness: NonNegativeFloat
    crop_uri: str
    crop_size_wh: tuple[int, int] = Field((0, 0), description="Pixels of the stored crop, margin included.")
    answers: dict[str, Probabilities] = Field(description="question_id -> answer -> probability")
    reasons: dict[str, str] = Field(default_factory=dict, description="question_id -> why *cannot tell*")


class PathPoint(Part):
    """Where a person's feet are in one sampled frame; x and y are fractions of the frame, 0..1."""

    at_s: NonNegativeFloat
    x: float
    y: float
    box_xyxy: tuple[float, float, float, float] = Field(description="Pixels of the full frame.")


class PersonSeen(Part):
    """One track of one segment."""

    person_id: str
    track_id: str
    first_seen_at: AwareDatetime
    last_seen_at: AwareDatetime
    looks: tuple[LookSeen, ...]
    best_look: int = Field(0, ge=0, description="Position in `looks` of the one that `caption` describes.")
    path: tuple[PathPoint, ...]
    answers: dict[str, Probabilities] = Field(description="Combined over the looks by `combination`.")
    reasons: dict[str, str] = Field(default_factory=dict, description="question_id -> why *cannot tell*")
    unmeasured: tuple[str, ...] = Field((), description="Questions that the answering model was not measured on.")
    combination: str = Field(description="The rule that combined the looks' answers.")
    caption: str
    embedding_base64: str = Field(description="float16, little endian, unit length")
    detection_score: float = Field(ge=0, le=1, description="Mean detector score over the track.")


class Manifest(Message):
    """Everything known of one segment."""

    segment_id: str
    previous_segment_id: str | None = None
    camera_id: str
    segment_uri: str
    started_at: AwareDatetime
    time_origin: TimeOrigin
    duration_s: PositiveFloat
    width_px: PositiveInt
    height_px: PositiveInt
    analysis_revision: str
    revisions: Revisions
    sampling_fps: PositiveFloat
    frame_count: int = Field(description="Sampled frames that were looked at.")
    question_set_revision: str
    questions: tuple[AskedQuestion, ...]
    people: tuple[PersonSeen, ...]
    timings_s: dict[str, float] = Field(default_factory=dict)
    truncated_after_s: float | None = Field(None, description="Where decoding broke off, if it did.")
