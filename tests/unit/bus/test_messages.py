from typing import Any

import pytest

from streamer.bus.consumer import Unreadable
from streamer.bus.errors import MessageError
from streamer.bus.messages import AskedQuestion
from streamer.bus.topics import DEAD_LETTERS, PEOPLE, SEGMENTS
from tests.builders_bus import analyzed
from tests.builders_consumers import a_segment

NO_PATH_NAMES = {"none": "", "leading out": "../x", "two names": "a/b", "NUL": "a\0b", "too long": "a" * 300}
NO_MEDIA_URIS = {
    "none": "",
    "another scheme": "file:///etc/passwd",
    "leading out": "media:///../../etc/passwd",
    "from the root": "media:////etc/passwd",
    "NUL": "media:///a\0b.mp4",
    "too long": "media:///" + "a/" * 160_000 + "b.mp4",
}


def every(fields: tuple[str, ...], values: dict[str, str]) -> list[Any]:
    return [pytest.param(field, value, id=f"{field}: {name}") for field in fields for name, value in values.items()]


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("Is this person wearing a hard hat?", "hard hat"),
        ("Is the worker wearing safety glasses?", "safety glasses"),
        ("Does this person carry a ladder?", "carry a ladder"),
        ("What colour is the safety vest?", "safety vest colour"),
        ("Is this person kneeling?", "kneeling"),
    ],
)
def test_a_question_has_a_short_name(question: str, label: str) -> None:
    asked = AskedQuestion(question_id="q", kind="predicate", text=question, answers=("yes", "no"))
    assert asked.label == label


@pytest.mark.parametrize(
    ("field", "value"),
    every(("camera_id", "segment_id", "previous_segment_id"), NO_PATH_NAMES) + every(("uri",), NO_MEDIA_URIS),
)
def test_what_would_lead_out_of_the_media_store_or_fit_nowhere_in_it_is_no_segment(field: str, value: str) -> None:
    payload = SEGMENTS.encode(a_segment("s1").model_copy(update={field: value}))
    with pytest.raises(MessageError, match=field):
        SEGMENTS.decode(payload)


@pytest.mark.parametrize(
    ("field", "value"),
    every(("camera_id", "segment_id", "analysis_revision"), NO_PATH_NAMES) + every(("manifest_uri",), NO_MEDIA_URIS),
)
def test_what_would_lead_out_of_the_media_store_or_fit_nowhere_in_it_is_no_result(field: str, value: str) -> None:
    payload = PEOPLE.encode(analyzed("s1").model_copy(update={field: value}))
    with pytest.raises(MessageError, match=field):
        PEOPLE.decode(payload)


def test_the_dead_letter_of_a_large_message_that_cannot_be_read_is_itself_no_larger_than_a_message_may_be() -> None:
    payload = b'{"timings_s": {"%s": "soon"}}' % (b"x" * 900_000)
    with pytest.raises(MessageError) as refused:
        PEOPLE.decode(payload)
    letter = Unreadable("people", 0, 0, "i1", refused.value.reason, payload).rejected()
    assert len(DEAD_LETTERS.encode(letter)) < 2**20, "Kafka's own limit"
