"""From what the tables and manifests hold to what the API says. Pure."""

from collections.abc import Mapping, Sequence

from consumers.indexer.people import Person
from consumers.web.schemas import (
    AnswerShape,
    ClipShape,
    CropShape,
    PersonDetailShape,
    PersonShape,
    SightingShape,
    StepShape,
)
from model.questions import CANNOT_TELL, UNMEASURED
from streamer.bus.manifest import Manifest
from streamer.bus.media import SCHEME
from streamer.bus.messages import AskedQuestion

Questions = Mapping[str, AskedQuestion]


def media_address(uri: str) -> str:
    """Where the page serves what lies at a media URI.

    >>> media_address("media:///crops/gate/1.jpg")
    '/media/crops/gate/1.jpg'
    """
    return "/media/" + uri.removeprefix(SCHEME)


def media_uri(address: str) -> str:
    """What lies behind an address that `media_address` made.

    >>> media_uri("/media/crops/gate/1.jpg")
    'media:///crops/gate/1.jpg'
    """
    return SCHEME + address.removeprefix("/media/")


def shape_person(person: Person, questions: Questions) -> PersonShape:
    """What the API says of one person; questions nobody knows any more are left out."""
    return PersonShape(
        id=person.id,
        person_id=person.person_id,
        track_id=person.track_id,
        chain_id=person.chain_id,
        camera_id=person.camera_id,
        first_seen_at=person.first_seen_at,
        last_seen_at=person.last_seen_at,
        time_origin=person.time_origin,
        caption=person.caption,
        crop=_crop(person),
        clip=ClipShape(
            url=media_address(person.segment_uri),
            started_at=person.segment_started_at,
            at_s=person.best_at_s,
            width_px=person.frame_size_wh[0],
            height_px=person.frame_size_wh[1],
        ),
        answers=tuple(
            shape_answer(question, person.answers[question_id], person.reasons.get(question_id))
            for question_id, question in questions.items()
            if question_id in person.answers
        ),
        detection_score=person.detection_score,
        analysis_revision=person.analysis_revision,
        revisions=dict(person.revisions),
    )


def shape_answer(question: AskedQuestion, probabilities: Mapping[str, float], reason: str | None) -> AnswerShape:
    """One answered question; allowed answers in the question's order, *cannot tell* last."""
    order = (*question.answers, CANNOT_TELL)
    ordered = {answer: probabilities[answer] for answer in order if answer in probabilities}
    answer = max(ordered, key=ordered.__getitem__)
    return AnswerShape(
        question_id=question.question_id,
        text=question.text,
        label=question.label,
        kind=question.kind,
        answer=answer,
        probabilities=ordered,
        reason=reason if answer == CANNOT_TELL or reason == UNMEASURED else None,
    )


def shape_detail(
    person: Person, questions: Questions, manifest: Manifest | None, chain: Sequence[Person]
) -> PersonDetailShape:
    """What the API says of one person when asked for that person alone."""
    return PersonDetailShape(
        **dict(shape_person(person, questions)),
        path=_path(person, manifest) if manifest else (_box_alone(person),),
        chain=tuple(
            SightingShape(person_id=other.person_id, first_seen_at=other.first_seen_at, crop=_crop(other))
            for other in chain
        ),
    )


def _crop(person: Person) -> CropShape:
    width_px, height_px = crop_size(person)
    return CropShape(url=media_address(person.crop_uri), width_px=width_px, height_px=height_px)


def crop_size(person: Person) -> tuple[int, int]:
    """Width and height of a person's best picture, in pixels."""
    width_px, height_px = person.crop_size_wh
    if width_px and height_px:
        return width_px, height_px
    left, top, right, bottom = person.box_xyxy  # a manifest from before crops said their size
    return max(1, round(right - left)), max(1, round(bottom - top))


def _path(person: Person, manifest: Manifest) -> tuple[StepShape, ...]:
    walked = next((seen.path for seen in manifest.people if seen.person_id == person.person_id), ())
    size_wh = (manifest.width_px, manifest.height_px)
    return tuple(_step(point.at_s, point.box_xyxy, size_wh) for point in walked) or (_box_alone(person),)


def _box_alone(person: Person) -> StepShape:
    return _step(person.best_at_s, person.box_xyxy, person.frame_size_wh)


def _step(at_s: float, box_xyxy: tuple[float, float, float, float], size_wh: tuple[int, int]) -> StepShape:
    (left, top, right, bottom), (width, height) = box_xyxy, size_wh
    return StepShape(
        at_s=at_s, left=left / width, top=top / height, width=(right - left) / width, height=(bottom - top) / height
    )
