"""What a search may ask, and what the API says of those found. Pure."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from consumers.search.query import By
from consumers.web.instants import WallInstant
from consumers.web.schemas import PersonShape, Shape

MOST = 200  # people in one answer
LONGEST = 500  # characters of a query
LONGEST_NAME = 300  # characters of a camera, a question, an answer
PICTURE_MOST = 12_000_000  # characters of base64; 8 MiB of picture
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class Asked(BaseModel):
    """A piece of a search: a misspelt key in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AnswerAsked(Asked):
    """Only people of whom an answer was given, with at least this probability."""

    question: Name = Field(description="Its id, its label such as `hard hat`, or words of it that no other has.")
    answer: Name = Field(description="One of its answers, or `cannot tell`.")
    at_least: Share = Field(0.5, description="Probability from which the answer counts.")


class FilterAsked(Asked):
    """Who is looked for at all: everything has to hold, inside the search and not after it."""

    cameras: Annotated[tuple[Name, ...], Field(max_length=500)] = Field((), description="Cameras or camera groups.")
    since: WallInstant | None = Field(None, description="First seen at this instant or later.")
    until: WallInstant | None = Field(None, description="First seen before this instant.")
    time_zone: str | None = Field(
        None, max_length=64, description="Zone of instants that name none, such as Europe/Berlin."
    )
    answers: Annotated[tuple[AnswerAsked, ...], Field(max_length=20)] = ()
    described: Annotated[tuple[Name, ...], Field(max_length=20)] = Field(
        (), description="Words that the caption must hold, each."
    )
    detected_at_least: Share = Field(0.0, description="How sure the detector must have been of a person.")


class BoxAsked(Asked):
    """A box drawn on a frame, in fractions of it."""

    left: Share
    top: Share
    width: Annotated[float, Field(gt=0, le=1)]
    height: Annotated[float, Field(gt=0, le=1)]


class FrameAsked(Asked):
    """Whoever is in a box drawn on a frame of recorded footage."""

    segment_id: Name
    at_s: Annotated[float, Field(ge=0, le=86_400)] = Field(description="Seconds from the segment's first frame.")
    box: BoxAsked


class SavedAsked(Asked):
    """A search as it may be saved: without a picture, which would be kept beyond its time."""

    words: Annotated[str, Field(max_length=LONGEST)] = Field("", description="What the person looks like.")
    like: Name | None = Field(None, description="A person_id: who looks like them.")
    by: By = Field(By.BOTH, description="What words are compared with.")
    filter: FilterAsked = FilterAsked()


EXAMPLE: JsonDict = {
    "words": "worker without a vest",
    "filter": {
        "cameras": ["yard"],
        "since": "2026-03-01T06:00",
        "time_zone": "Europe/Berlin",
        "answers": [{"question": "hard hat", "answer": "no", "at_least": 0.7}],
    },
    "k": 24,
}


class SearchAsked(SavedAsked):
    """One search: words, or somebody, or a picture, or a box on a frame; none of them: the newest."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    picture: Annotated[str, Field(max_length=PICTURE_MOST)] | None = Field(
        None,
        description="JPEG or PNG as base64, at most 8 MiB: one person and little else.",
        json_schema_extra={"contentEncoding": "base64"},
    )
    frame: FrameAsked | None = None
    k: Annotated[int, Field(ge=1, le=MOST)] = Field(24, description="How many people at most.")
    after: Annotated[str, Field(max_length=500)] | None = Field(None, description="`next` of the page before.")


class WhyShape(Shape):
    """Why somebody was found."""

    similarity: float | None = Field(description="Cosine, at most 1, of their picture with what was asked; none: not.")
    matched_words: tuple[str, ...] = Field(description="Words of the query in their caption or answers.")
    embedding_space: str = Field(description="Similarities of two spaces do not compare.")


class HitShape(Shape):
    """A person found; the score orders the hits of one search and compares with nothing else."""

    score: float
    person: PersonShape
    why: WhyShape = WhyShape(similarity=None, matched_words=(), embedding_space="")


class SearchShape(Shape):
    """What a search found, best first."""

    query: str
    hits: tuple[HitShape, ...]
    unknown_words: tuple[str, ...] = Field(
        (),
        description="Words that the model was not measured on: likeness goes by the others; full text may have them.",
    )
    next: str | None = Field(None, description="Cursor of the page behind this one; none: that was all.")


class AlsoSeenShape(Shape):
    """Another chain of tracks that may be the same person."""

    person: PersonShape = Field(description="The track of it that is most alike.")
    chain_id: str
    tracks: int = Field(description="Tracks of that chain among those alike.")
    similarity: float
    level: Literal["likely", "possible"]


class ElsewhereShape(Shape):
    """Where else somebody may have been seen. Never certain: likeness is of clothes, not of persons."""

    person_id: str
    claim: str = Field(description="What `likely` was measured to mean.")
    found: tuple[AlsoSeenShape, ...]


class QuestionShape(Shape):
    """A question that was asked about people."""

    question_id: str
    text: str
    label: str
    kind: Literal["predicate", "choice", "score"]
    answers: tuple[str, ...]


class GuardShape(Shape):
    """The rule that a saved search stands guard by."""

    rule_id: str
    status: Literal["draft", "in force"]
    why_draft: str | None = Field(description="Why it raises no alerts.")


class SavedSearchShape(Shape):
    """A search with a name."""

    id: int
    name: str
    owner: str
    is_shared: bool = Field(description="Whether everybody who may search sees it.")
    search: SavedAsked
    guard: GuardShape | None
    created_at: datetime
    updated_at: datetime
