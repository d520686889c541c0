"""The HumanVLM that ships: what it promises, and what it must do on photos and footage that it never saw."""

import json
from collections.abc import Callable
from pathlib import Path

import decord
import numpy as np
import pytest

from model.crops import Crop, best_looks
from model.detector import PersonDetector
from model.folders import DECISIONS, EMBEDDED
from model.humanvlm import HumanVLM
from model.questions import CANNOT_TELL, NOT_TRAINED, Question
from model.tracker import track_people
from trainer.evaluation.measuring import EvaluationSet, measure
from trainer.evaluation.report import PhotoScores

HAT = Question("predicate", "Is this person wearing a hard hat?")
VEST = Question("predicate", "Is this person wearing a safety vest?")
MASK = Question("predicate", "Is this person wearing a face mask?")
FPS = 5.0
CropsOf = Callable[[str], list[list[Crop]]]


@pytest.fixture(scope="module")
def model() -> HumanVLM:
    return HumanVLM.load("embedded", device="cpu")


@pytest.fixture(scope="module")
def scores(model: HumanVLM, ppe_photos: Path) -> PhotoScores:
    measured = measure("embedded", model, EvaluationSet.read(ppe_photos / "val")).photos
    assert measured is not None
    return measured


@pytest.fixture(scope="module")
def crops_of(clip: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> CropsOf:
    """The looks at each person of a clip, found as an analyzer finds them."""
    detector = PersonDetector.load("embedded", cache_dir=tmp_path_factory.mktemp("models"))

    def found(name: str) -> list[list[Crop]]:
        reader = decord.VideoReader(str(clip(name)))
        indices = np.arange(0, len(reader), reader.get_avg_fps() / FPS).astype(int)
        frames = list(reader.get_batch(indices).asnumpy())
        del reader
        height, width = frames[0].shape[:2]
        tracks = track_people(detector.detect(frames), sampling_fps=FPS, frame_size_wh=(width, height))
        at_s = np.arange(len(frames)) / FPS
        return [[look.crop for look in best_looks(track, frames, at_s)] for track in tracks]

    return found


def mean_probability(model: HumanVLM, crops: list[Crop], question: Question, answer: str) -> float:
    return float(np.mean([row[0].probabilities[answer] for row in model.decide(crops, [question])]))


def test_the_weights_are_a_few_megabytes() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 15e6


def test_every_listed_question_has_its_figures(model: HumanVLM) -> None:
    assert {HAT, VEST} <= set(model.questions)
    listed = json.loads((EMBEDDED / DECISIONS).read_text())["questions"]
    assert len(listed) == len(model.questions)
    assert all(question["figures"]["people"] >= 100 for question in listed)
    assert all(question["figures"]["interval_low"] >= 0.7 for question in listed)


def test_hard_hats_and_vests_are_told_on_photos_never_seen(scores: PhotoScores) -> None:
    assert scores.people == 190
    answered = scores.answering.scores
    assert answered[HAT.text].strict_balanced_accuracy.value >= 0.92
    assert answered[VEST.text].strict_balanced_accuracy.value >= 0.93
    assert answered[MASK.text].strict_balanced_accuracy.value >= 0.9
    assert min(score.coverage.value for score in answered.values()) >= 0.9
    assert scores.answering.calibration_error.value <= 0.06
    assert scores.answering.told_when_labelled.value <= 0.1


def test_captions_name_hat_and_vest_with_their_colour(scores: PhotoScores) -> None:
    captions = scores.captions
    assert min(captions.balanced_accuracy["hat"].value, captions.balanced_accuracy["vest"].value) >= 0.8
    assert min(right.value for right in captions.colour_right.values()) >= 0.8


def test_people_are_found_by_what_they_wear(scores: PhotoScores) -> None:
    assert scores.retrieval.recall_at[10].value >= 0.6


def test_the_worker_in_the_warehouse_is_described_as_they_are(model: HumanVLM, crops_of: CropsOf) -> None:
    tracks = crops_of("worker-zone.mp4")
    assert 1 <= len(tracks) <= 2
    for crops in tracks:
        assert all(row[0].answer == row[1].answer == "yes" for row in model.decide(crops, [HAT, VEST]))
        captions = model.describe(crops)
        assert sum("yellow hard hat" in caption and "orange safety vest" in caption for caption in captions) >= 2


def test_no_shopper_wears_a_hard_hat(model: HumanVLM, crops_of: CropsOf) -> None:
    """One of them wears a straw hat."""
    tracks = crops_of("store-aisle.mp4")
    assert 2 <= len(tracks) <= 5
    for crops in tracks:
        assert mean_probability(model, crops, HAT, "no") > mean_probability(model, crops, HAT, "yes")
        answers = [row[0].answer for row in model.decide(crops, [VEST])]
        assert "yes" not in answers
        assert answers.count("no") >= len(answers) - 1  # one is half out of the picture


def test_an_orange_vest_is_found_among_everyone(model: HumanVLM, crops_of: CropsOf) -> None:
    names = ("worker-zone.mp4", "installer.mp4", "store-aisle.mp4", "classroom.mp4")
    people = [(name, crops) for name in names for crops in crops_of(name)]
    text = model.embed_text("worker in an orange safety vest")
    assert text.unknown_words == ()
    scores = [float((model.embed(crops) @ text.vector).mean()) for _, crops in people]
    assert people[int(np.argmax(scores))][0] == "worker-zone.mp4"


def test_people_at_the_back_of_the_classroom_are_too_small_to_tell(model: HumanVLM, crops_of: CropsOf) -> None:
    small = [crops for crops in crops_of("classroom.mp4") if max(c.person_height_px for c in crops) < 64]
    assert small
    for crops in small:
        assert all(row[0].answer == CANNOT_TELL for row in model.decide(crops, [HAT]))


@pytest.mark.parametrize("text", ["Is this person happy?", "Is this person wearing gloves?", "Is it a giraffe?"])
def test_what_was_not_measured_is_not_answered(model: HumanVLM, text: str) -> None:
    crop = Crop(np.full((200, 90, 3), 128, dtype=np.uint8), 190)
    decision = model.decide([crop], [Question("predicate", text)])[0][0]
    assert (decision.answer, decision.reason) == (CANNOT_TELL, NOT_TRAINED)


def test_a_giraffe_is_no_word_of_the_search(model: HumanVLM) -> None:
    assert model.embed_text("a giraffe in an orange hi-vis vest and a helmet").unknown_words == ("giraffe",)


def test_a_batch_answers_as_its_crops_do_one_by_one(model: HumanVLM) -> None:
    chance = np.random.default_rng(0)
    crops = [Crop(chance.integers(0, 256, (150 + i, 60, 3), dtype=np.uint8), 140) for i in range(5)]
    together = model.decide(crops, model.questions)
    for crop, row in zip(crops, together, strict=True):
        (alone,) = model.decide([crop], model.questions)
        for one, other in zip(row, alone, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    assert model.describe(crops) == [model.describe([crop])[0] for crop in crops]
