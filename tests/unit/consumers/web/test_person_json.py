"""What a search says of somebody is what every other answer of the API says of them, word for word."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.indexer.people import Person
from consumers.questions import asked_question
from consumers.web.search.person_json import person_json
from consumers.web.shaping import shape_person
from model.questions import CANNOT_TELL, UNMEASURED, Question

HAT = asked_question(Question("predicate", "Is this person wearing a hard hat?"))
TOP = asked_question(Question("choice", "What colour is the top?", ("red", "blue")))
FORGOTTEN = asked_question(Question("predicate", "Is this person asleep?"))
PERSON = Person(
    id=7,
    person_id="p-7",
    track_id="s1/7",
    chain_id="p-6",
    camera_id="gate “ü”",
    segment_id="s1",
    segment_uri="media:///media/gate/2026-03-01/s1.mp4",
    segment_started_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    time_origin="clock",
    analysis_revision="r1",
    first_seen_at=datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(microseconds=120_000),
    last_seen_at=datetime(2026, 3, 1, 12, 0, 9, 999_999, tzinfo=UTC),
    best_at_s=2.0,
    crop_uri="media:///crops/gate/s1.r1/001-002000.jpg",
    box_xyxy=(10.0, 20.4, 60.6, 170.0),
    crop_size_wh=(84, 231),
    frame_size_wh=(1280, 720),
    caption='A worker, "in" a hat.\n',
    answers={
        HAT.question_id: {"yes": 0.25, "no": 1e-7, CANNOT_TELL: 0.7499999},
        TOP.question_id: {"blue": 0.5, "red": 0.5},
        FORGOTTEN.question_id: {"yes": 1.0, "no": 0.0},
    },
    reasons={HAT.question_id: "the head is out of sight", TOP.question_id: UNMEASURED},
    revisions={"detector": "d", "answer": "a"},
    detection_score=0.75,
)


@pytest.mark.parametrize(
    "person",
    [
        PERSON,
        replace(PERSON, crop_size_wh=(0, 0)),
        replace(PERSON, reasons={TOP.question_id: "only of cannot tell"}),
        replace(PERSON, answers={}, caption=""),
    ],
    ids=["whole", "without the crop's size", "another reason", "never asked"],
)
def test_the_json_is_that_of_the_shape(person: Person) -> None:
    questions = {one.question_id: one for one in (TOP, HAT)}
    assert json.loads(person_json(person, questions)) == json.loads(shape_person(person, questions).model_dump_json())
