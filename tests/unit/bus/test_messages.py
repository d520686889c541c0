import pytest

from streamer.bus.messages import AskedQuestion


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
