"""A person as JSON, word for word what a `PersonShape` says: a search tells of two dozen, hundreds of times a second.

Pydantic's models take four times as long, for values that come from our own table. Pure.
"""

from collections.abc import Mapping

import orjson

from consumers.indexer.people import Person
from consumers.web.shaping import Questions, crop_size, media_address
from model.questions import CANNOT_TELL, UNMEASURED
from streamer.bus.messages import AskedQuestion

AS_PYDANTIC_DOES = orjson.OPT_UTC_Z


def person_json(person: Person, questions: Questions) -> bytes:
    """The JSON of `shape_person`."""
    width_px, height_px = crop_size(person)
    frame_width_px, frame_height_px = person.frame_size_wh
    said = {
        "id": person.id,
        "person_id": person.person_id,
        "track_id": person.track_id,
        "chain_id": person.chain_id,
        "camera_id": person.camera_id,
        "first_seen_at": person.first_seen_at,
        "last_seen_at": person.last_seen_at,
        "time_origin": person.time_origin,
        "caption": person.caption,
        "crop": {"url": media_address(person.crop_uri), "width_px": width_px, "height_px": height_px},
        "clip": {
            "url": media_address(person.segment_uri),
            "started_at": person.segment_started_at,
            "at_s": person.best_at_s,
            "width_px": frame_width_px,
            "height_px": frame_height_px,
        },
        "answers": [
            _answer(question, person.answers[question_id], person.reasons.get(question_id))
            for question_id, question in questions.items()
            if question_id in person.answers
        ],
        "detection_score": person.detection_score,
        "analysis_revision": person.analysis_revision,
        "revisions": person.revisions,
    }
    return orjson.dumps(said, option=AS_PYDANTIC_DOES)


def _answer(question: AskedQuestion, probabilities: Mapping[str, float], reason: str | None) -> dict[str, object]:
    """The JSON of `shape_answer`."""
    ordered = {answer: probabilities[answer] for answer in question.answers if answer in probabilities}
    if CANNOT_TELL in probabilities:
        ordered[CANNOT_TELL] = probabilities[CANNOT_TELL]
    answer = max(ordered, key=ordered.__getitem__)
    return {
        "question_id": question.question_id,
        "text": question.text,
        "label": question.label,
        "kind": question.kind,
        "answer": answer,
        "probabilities": ordered,
        "reason": reason if answer == CANNOT_TELL or reason == UNMEASURED else None,
    }
