"""What the API says: the shapes of its answers. Pure.

Times are UTC instants; an address (`url`) is relative to the page's own origin.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["good", "behind", "down"]


class Shape(BaseModel):
    """The base of everything the API says."""

    model_config = ConfigDict(frozen=True)


class AnswerShape(Shape):
    """One question and every allowed answer's probability; *cannot tell* is among the answers."""

    question_id: str
    text: str
    label: str = Field(description="What the question is about, in a word or two.")
    kind: Literal["predicate", "choice", "score"]
    answer: str = Field(description="The most probable answer.")
    probabilities: dict[str, float]
    reason: str | None = Field(None, description="Why *cannot tell*; of another answer, that it is *unmeasured*.")


class CropShape(Shape):
    """A person's best picture."""

    url: str
    width_px: int
    height_px: int


class ClipShape(Shape):
    """The segment a person was seen in, and the second of their best look."""

    url: str = Field(description="A video; where the source is a picture, that picture, a JPEG.")
    started_at: datetime
    at_s: float = Field(description="Seconds from the segment's first frame.")
    width_px: int
    height_px: int


class PersonShape(Shape):
    """One person in one segment."""

    id: int = Field(description="Grows with arrival: the cursor of `after` and `before`.")
    person_id: str
    track_id: str
    chain_id: str = Field(description="The same for tracks that continue one another across segments.")
    camera_id: str
    first_seen_at: datetime
    last_seen_at: datetime
    time_origin: str
    caption: str
    crop: CropShape
    clip: ClipShape
    answers: tuple[AnswerShape, ...]
    detection_score: float
    analysis_revision: str
    revisions: dict[str, str] = Field(description="Which model said what.")


class StepShape(Shape):
    """Where a person is at one second of the clip: a box in fractions of the frame, 0..1."""

    at_s: float
    left: float
    top: float
    width: float
    height: float


class SightingShape(Shape):
    """One of the segments in which the same person was seen."""

    person_id: str
    first_seen_at: datetime
    crop: CropShape


class PersonDetailShape(PersonShape):
    """One person, the way they took through the picture, and the other sightings of the same chain."""

    path: tuple[StepShape, ...]
    chain: tuple[SightingShape, ...] = Field(description="Every sighting of the chain, oldest first.")


class PeopleShape(Shape):
    """A page of people, newest first."""

    people: tuple[PersonShape, ...]
    before: int | None = Field(None, description="Cursor of the next older page; none: there is no older person.")
    after: int | None = Field(None, description="Cursor for asking later who has come since.")


class CorrectionShape(Shape):
    """What should have been answered about somebody."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    question_id: str
    right_answer: str


class CameraShape(Shape):
    """A camera that has sent something."""

    camera_id: str
    people: int
    last_segment_at: datetime


class StatusShape(Shape):
    """How the system stands, in a light and a sentence."""

    level: Level
    reason: str
    people: int
    sightings: int = Field(description="A person who is seen in three segments is one person and three sightings.")
    segments: int
    rejections: int
    search_answers: bool


class HealthShape(Shape):
    """The API is up."""

    status: Literal["ok"] = "ok"


class ProblemShape(Shape):
    """An error (RFC 9457, application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
