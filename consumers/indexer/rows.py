"""What stands in the person table, as values: no one outside this folder sees a database row. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Row

from consumers.indexer.schema import PersonRecord, SegmentRecord
from consumers.search.vector_index import IndexedPerson
from model.questions import UNMEASURED
from streamer.bus.manifest import Manifest, PersonSeen


@dataclass(frozen=True, slots=True)
class Person:
    """One track of one segment, as the page and the command line show it."""

    id: int
    person_id: str
    track_id: str
    chain_id: str
    camera_id: str
    segment_id: str
    segment_uri: str
    segment_started_at: datetime
    time_origin: str
    analysis_revision: str
    first_seen_at: datetime
    last_seen_at: datetime
    best_at_s: float
    crop_uri: str
    box_xyxy: tuple[float, float, float, float]
    crop_size_wh: tuple[int, int]
    frame_size_wh: tuple[int, int]
    caption: str
    answers: Mapping[str, Mapping[str, float]]
    reasons: Mapping[str, str]
    revisions: Mapping[str, str]
    detection_score: float


@dataclass(frozen=True, slots=True)
class Sight:
    """When and by which camera somebody was seen."""

    key: int
    chain_id: str
    camera_id: str
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class PersonPlace:
    """Somebody's sight and where they lie: a vector (d,) float32 of their embedding space."""

    sight: Sight
    embedding_space: str
    vector: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the table holds."""

    people: int
    segments: int
    rejections: int
    chains: int


@dataclass(frozen=True, slots=True)
class LastRows:
    """What was entered last from the topics; zero: nothing was. A table that has less lacks something it once had."""

    segment: int = 0
    rejection: int = 0


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """One camera that has sent at least one segment."""

    camera_id: str
    segments: int
    people: int
    last_segment_at: datetime


@dataclass(frozen=True, slots=True)
class CameraSegment:
    """The newest indexed segment of one camera."""

    uri: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class SegmentSeen:
    """One indexed segment."""

    segment_id: str
    analysis_revision: str
    camera_id: str
    uri: str
    manifest_uri: str
    started_at: datetime
    duration_s: float
    previous_segment_id: str | None
    person_count: int


def person_record(manifest: Manifest, person: PersonSeen, embedding: bytes) -> PersonRecord:
    """The row of one person of a manifest, alone in their chain."""
    best = person.looks[person.best_look]
    return PersonRecord(
        person_id=person.person_id,
        track_id=person.track_id,
        chain_id=person.person_id,
        camera_id=manifest.camera_id,
        segment_id=manifest.segment_id,
        segment_uri=manifest.segment_uri,
        segment_started_at=manifest.started_at,
        time_origin=manifest.time_origin.value,
        analysis_revision=manifest.analysis_revision,
        first_seen_at=person.first_seen_at,
        last_seen_at=person.last_seen_at,
        best_at_s=best.at_s,
        crop_uri=best.crop_uri,
        box_xyxy=list(best.box_xyxy),
        crop_size_wh=list(best.crop_size_wh),
        frame_size_wh=[manifest.width_px, manifest.height_px],
        caption=person.caption,
        answers={question: dict(answers) for question, answers in person.answers.items()},
        reasons={**dict.fromkeys(person.unmeasured, UNMEASURED), **person.reasons},
        revisions=manifest.revisions.model_dump(),
        embedding=embedding,
        embedding_space=manifest.revisions.embedding_space,
        detection_score=person.detection_score,
    )


PEOPLE = PersonRecord.__table__.c
PERSON_COLUMNS = (
    PEOPLE.id,
    PEOPLE.person_id,
    PEOPLE.track_id,
    PEOPLE.chain_id,
    PEOPLE.camera_id,
    PEOPLE.segment_id,
    PEOPLE.segment_uri,
    PEOPLE.segment_started_at,
    PEOPLE.time_origin,
    PEOPLE.analysis_revision,
    PEOPLE.first_seen_at,
    PEOPLE.last_seen_at,
    PEOPLE.best_at_s,
    PEOPLE.crop_uri,
    PEOPLE.box_xyxy,
    PEOPLE.crop_size_wh,
    PEOPLE.frame_size_wh,
    PEOPLE.caption,
    PEOPLE.answers,
    PEOPLE.reasons,
    PEOPLE.revisions,
    PEOPLE.detection_score,
)
"""What a `Person` is read from, in the order of its fields: without the embedding, and past SQLAlchemy's objects."""
SIGHT_COLUMNS = (PEOPLE.id, PEOPLE.chain_id, PEOPLE.camera_id, PEOPLE.first_seen_at, PEOPLE.last_seen_at)
PLACE_COLUMNS = (*SIGHT_COLUMNS, PEOPLE.embedding_space, PEOPLE.embedding)


def person_of(row: Row[Any]) -> Person:
    """The person in a row of `PERSON_COLUMNS`."""
    values = list(row)
    for place in _TUPLES:
        values[place] = tuple(values[place])
    return Person(*values)


_TUPLES = [
    place for place, column in enumerate(PERSON_COLUMNS) if column.name in ("box_xyxy", "crop_size_wh", "frame_size_wh")
]


def place_of(row: Row[Any]) -> PersonPlace:
    """The place in a row of `PLACE_COLUMNS`."""
    *sight, embedding_space, embedding = tuple(row)
    return PersonPlace(Sight(*sight), embedding_space, np.frombuffer(embedding, dtype="<f2").astype(np.float32))


def sight_of(row: Row[Any]) -> Sight:
    """The sight in a row of `SIGHT_COLUMNS`."""
    return Sight(*tuple(row))


def indexed_seen(key: int, manifest: Manifest, person: PersonSeen, partition: int) -> IndexedPerson:
    """What the vector index keeps of one person of a manifest."""
    return IndexedPerson(
        key=key,
        camera_id=manifest.camera_id,
        partition=partition,
        first_seen_at=person.first_seen_at,
        detection_score=person.detection_score,
        answers=person.answers,
        caption=person.caption,
    )


def segment_of(row: SegmentRecord) -> SegmentSeen:
    """The segment in a row."""
    return SegmentSeen(
        segment_id=row.segment_id,
        analysis_revision=row.analysis_revision,
        camera_id=row.camera_id,
        uri=row.uri,
        manifest_uri=row.manifest_uri,
        started_at=row.started_at,
        duration_s=row.duration_s,
        previous_segment_id=row.previous_segment_id,
        person_count=row.person_count,
    )
