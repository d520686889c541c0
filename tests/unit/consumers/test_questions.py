"""Which sets of questions can be asked, and that every segment is asked one of them, once."""

from pathlib import Path

import pytest

from consumers.analyzer.asking import AskedOnce
from consumers.analyzer.eyes import Eyes
from consumers.analyzer.manifests import SegmentAnalysis
from consumers.questions import MOST_QUESTIONS, question_set, questions_of
from model.questions import Question
from streamer.bus.client import Received
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore, asked_uri
from streamer.bus.messages import AskedQuestion, QuestionSet, Rejected, SegmentAnalyzed
from tests.builders_consumers import a_segment, people_video
from tests.builders_model import tiny_humanvlm

HARNESS = Question("predicate", "Is this person wearing a harness?")
GLOVES = Question("choice", "Which gloves does this person wear?", ("leather", "rubber", "none"))


class Told:
    """A source of questions that says what a test wants."""

    def __init__(self, *questions: Question, refused: tuple[Rejected, ...] = ()) -> None:
        self.questions, self._refused = questions, list(refused)

    def look(self, incarnation: str) -> list[Rejected]:
        refused, self._refused = self._refused, []
        return refused


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Eyes:
    folder = tmp_path_factory.mktemp("models")
    return Eyes.open(cache_dir=folder / "cache", vlm=str(tiny_humanvlm(folder / "vlm")))


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(str(tmp_path / "media"))


def stated(question: Question, **changes: object) -> QuestionSet:
    fields = {"kind": question.kind, "text": question.text, "answers": question.answers, **changes}
    asked = AskedQuestion.model_validate({"question_id": Question(**fields).question_id, **fields})  # type: ignore[arg-type]
    return QuestionSet(revision="r", questions=(asked,))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (stated(HARNESS, text="  "), "has no text"),
        (stated(HARNESS, answers=("yes", "perhaps")), "expected the answers yes and no"),
        (stated(GLOVES, answers=("leather",)), "two or more"),
        (stated(GLOVES, answers=("leather", "leather")), "two or more"),
        (stated(GLOVES, answers=("leather", "")), "two or more"),
        (QuestionSet(revision="r", questions=stated(HARNESS).questions * (MOST_QUESTIONS + 1)), "at most"),
    ],
)
def test_a_set_that_cannot_be_asked_is_refused_with_its_reason(broken: QuestionSet, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        questions_of(broken)


def test_sets_of_the_same_questions_have_one_name_and_others_another() -> None:
    one, other = question_set([HARNESS, GLOVES]), question_set([GLOVES, HARNESS])
    assert one == other
    assert set(questions_of(one)) == {HARNESS, GLOVES}
    assert question_set([HARNESS]).revision != one.revision


def test_what_a_model_asks_anyway_changes_nothing(eyes: Eyes) -> None:
    assert eyes.asking_also([*reversed(eyes.questions)]) is eyes
    more = eyes.asking_also([GLOVES, HARNESS])
    assert more.analysis_revision == eyes.asking_also([HARNESS, GLOVES, eyes.questions[0]]).analysis_revision
    assert more.analysis_revision != eyes.analysis_revision
    assert more.models_revision == eyes.models_revision


def test_a_segment_keeps_its_questions_whatever_is_in_force_when_it_comes_again(eyes: Eyes, store: MediaStore) -> None:
    first = AskedOnce(eyes, store, Told(HARNESS)).eyes_for(a_segment("s1"))
    later = AskedOnce(eyes, store, Told(GLOVES))
    assert later.eyes_for(a_segment("s1")).questions == first.questions == (*eyes.questions, HARNESS)
    assert later.eyes_for(a_segment("s2")).questions == (*eyes.questions, GLOVES)


def test_of_two_analyzers_with_different_questions_the_slower_one_asks_those_of_the_faster(
    eyes: Eyes, store: MediaStore
) -> None:
    fast = AskedOnce(eyes, store, Told(HARNESS))

    class Racing(MediaStore):
        def write_once(self, uri: str, content: bytes) -> bool:
            fast.eyes_for(a_segment("s1"))  # between this one's look and its own writing
            return super().write_once(uri, content)

    slow = AskedOnce(eyes, Racing(store.url), Told(GLOVES)).eyes_for(a_segment("s1"))
    assert slow.questions == (*eyes.questions, HARNESS)


def test_another_model_asks_a_segment_anew(eyes: Eyes, store: MediaStore) -> None:
    from dataclasses import replace

    AskedOnce(eyes, store, Told(HARNESS)).eyes_for(a_segment("s1"))
    other = AskedOnce(replace(eyes, sampling_fps=2.0), store, Told(GLOVES))
    assert other.eyes_for(a_segment("s1")).questions == (*eyes.questions, GLOVES)


def test_a_batch_of_segments_with_different_questions_has_each_its_own(
    eyes: Eyes, store: MediaStore, tmp_path: Path
) -> None:
    footage = people_video(tmp_path / "v.mp4", frame_count=1).read_bytes()
    for name in ("old", "new"):
        store.write(a_segment(name).uri, footage)
    AskedOnce(eyes, store, Told(HARNESS)).eyes_for(a_segment("old"))  # taken once, then the analyzer died
    refused = Rejected(rejected_id="r", reason="no set of questions")
    stage = SegmentAnalysis(eyes, store, Told(GLOVES, refused=(refused,)))
    batch = [Received("segments", 0, n, "i1", a_segment(name), b"") for n, name in enumerate(["new", "old", "new"])]
    (first, letter), (second,), (third,) = stage.work(batch, lambda: False)
    assert letter.message == refused
    assert isinstance(first.message, SegmentAnalyzed)
    assert isinstance(second.message, SegmentAnalyzed)
    assert first.message == third.message
    assert first.message.analysis_revision == eyes.asking_also([GLOVES]).analysis_revision
    assert second.message.analysis_revision == eyes.asking_also([HARNESS]).analysis_revision


def test_a_broken_note_of_what_was_asked_is_said_and_not_guessed_around(eyes: Eyes, store: MediaStore) -> None:
    store.write(asked_uri("gate", "s1", eyes.models_revision), b"{}")
    with pytest.raises(MediaStoreError, match="asked/gate/s1"):
        AskedOnce(eyes, store, Told()).eyes_for(a_segment("s1"))
