"""What stands in the person table, as values: no one outside this folder sees a database row. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

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
class Counts:
    """How much the table holds."""

    people: int
    segments: int
    rejections: int
    chains: int


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """One camera that has sent at least one segment."""

    camera_id: str
    segments: int
    people: int
    last_segment_at: datetime


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


def person_of(row: PersonRecord) -> Person:
    """The person in a row."""
    left, top, right, bottom = row.box_xyxy
    return Person(
        id=row.id,
        person_id=row.person_id,
        track_id=row.track_id,
        chain_id=row.chain_id,
        camera_id=row.camera_id,
        segment_id=row.segment_id,
        segment_uri=row.segment_uri,
        segment_started_at=row.segment_started_at,
        time_origin=row.time_origin,
        analysis_revision=row.analysis_revision,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        best_at_s=row.best_at_s,
        crop_uri=row.crop_uri,
        box_xyxy=(left, top, right, bottom),
        crop_size_wh=(row.crop_size_wh[0], row.crop_size_wh[1]),
        frame_size_wh=(row.frame_size_wh[0], row.frame_size_wh[1]),
        caption=row.caption,
        answers=row.answers,
        reasons=row.reasons,
        revisions=row.revisions,
        detection_score=row.detection_score,
    )


def indexed_person(row: PersonRecord, partition: int) -> IndexedPerson:
    """What the vector index keeps of the person in a row."""
    return IndexedPerson(
        key=row.id,
        camera_id=row.camera_id,
        partition=partition,
        first_seen_at=row.first_seen_at,
        detection_score=row.detection_score,
        answers=row.answers,
        caption=row.caption,
    )


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
