"""Figures from answers, captions and written words, on tables whose right figures can be counted by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.crops import Crop
from model.questions import CANNOT_TELL, Decision
from tests.builders_photos import photo_folder
from trainer.evaluation.captions import score_captions
from trainer.evaluation.claims import Claim, claims_of
from trainer.evaluation.comparing import compare
from trainer.evaluation.estimates import NOTHING, Estimate, calibration_estimate, estimate, share
from trainer.evaluation.halves import half_without, lower_half_without
from trainer.evaluation.looks import LabelledLook
from trainer.evaluation.matching import is_match
from trainer.evaluation.questions import Answering
from trainer.evaluation.report import PhotoScores, Report, Revisions, Speed
from trainer.evaluation.retrieval import RetrievalScore
from trainer.evaluation.scores import score_question, strict_difference
from trainer.people import Attributes, people_in
from trainer.photos import PERSON, LabelledBox, LabelledPhoto, labelled_photos
from trainer.texts import HARD_HAT, SAFETY_VEST, answers_of

BOX = np.array([0, 0, 10, 20], dtype=np.float32)
PIXELS = np.zeros((20, 10, 3), dtype=np.uint8)


def said(yes: float, no: float, cannot_tell: float = 0.0) -> Decision:
    return Decision("q", {"yes": yes, "no": no, CANNOT_TELL: cannot_tell})


def look_at(attributes: Attributes) -> LabelledLook:
    photo = LabelledPhoto("photo", "photo", PIXELS, (LabelledBox(PERSON, BOX),))
    (person,) = people_in(photo, smallest_px=20)
    return LabelledLook(Crop(PIXELS, 20), replace(person, attributes=attributes), tuple(answers_of(attributes)))


def report_of(model: str, shares: dict[str, float], *, search: float = 0.5) -> Report:
    """A report whose strict balanced accuracies and recall at 10 are these."""
    scores = {}
    for text, value in shares.items():
        right = round(value * 1000)
        decisions = [said(1, 0)] * right + [said(0, 1)] * (1000 - right) + [said(0, 1)] * 1000
        scores[text] = score_question(decisions, ["yes"] * 1000 + ["no"] * 1000)
    unanswered = tuple(q.text for q in (HARD_HAT, SAFETY_VEST) if q.text not in shares)
    recall = {k: Estimate(search, search, search) for k in (1, 5, 10)}
    photos = PhotoScores(
        people=2000,
        fingerprint="0",
        answering=Answering(scores, unanswered, NOTHING, (), NOTHING, {}, {}, NOTHING),
        captions=score_captions([], []),
        retrieval=RetrievalScore(10, 2000, recall),
        speed=Speed(1, 1),
    )
    return Report(model, Revisions("a", "c", "e"), photos)


def test_nothing_measured_is_not_a_number() -> None:
    assert np.isnan(estimate(np.zeros((0, 2), dtype=np.int64), lambda sums: sums[..., 0]).value)
    assert str(NOTHING) == "-"


def test_an_interval_is_as_wide_as_the_binomial_law_says() -> None:
    hits = np.array([1] * 80 + [0] * 20)
    found = estimate(np.stack([hits, np.ones_like(hits)], axis=1), lambda sums: share(sums[..., 0], sums[..., 1]))
    half_width = 1.96 * np.sqrt(0.8 * 0.2 / 100)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.8 - half_width, 0.8 + half_width), abs=0.015)


def test_a_calibrated_model_has_a_calibration_error_inside_an_interval_that_begins_near_nothing() -> None:
    chance = np.random.default_rng(1)
    sure = chance.uniform(0.5, 1.0, 1500)
    found = calibration_estimate(sure, chance.random(1500) < sure)
    assert found.low <= found.value <= found.high < 0.06
    overconfident = calibration_estimate(np.full(200, 0.95), np.arange(200) % 2 == 0)
    assert overconfident.value == pytest.approx(0.45, abs=0.05)
    assert overconfident.low > 0.3


def test_scores_count_abstentions_as_wrong_and_forced_choices_as_made() -> None:
    score = score_question([said(0.9, 0.1), said(0.1, 0.3, 0.6)], ["yes", "no"])
    assert (score.balanced_accuracy.value, score.strict_balanced_accuracy.value, score.coverage.value) == (1, 0.5, 0.5)


def test_precision_recall_and_confusion_are_those_counted_by_hand() -> None:
    decisions = [said(0.9, 0.1), said(0.8, 0.2), said(0.2, 0.8), said(0.6, 0.4), said(0.1, 0.1, 0.8)]
    score = score_question(decisions, ["yes", "yes", "yes", "no", "no"])
    assert score.accuracy.value == pytest.approx(2 / 5)
    assert {answer: found.value for answer, found in score.recall.items()} == pytest.approx({"yes": 2 / 3, "no": 0})
    assert score.precision["yes"].value == pytest.approx(2 / 4)
    assert score.balanced_accuracy.value == pytest.approx(1 / 3)
    assert score.confusion.said == ("no", "yes", CANNOT_TELL)
    assert score.confusion.people == ((0, 1, 1), (1, 2, 0))
    assert sum(part.people for part in score.reliability) == 5


def test_a_difference_is_drawn_over_the_same_people_and_not_over_two_crowds() -> None:
    right = ["yes"] * 100 + ["no"] * 100
    hard = [said(0.2, 0.8) if index % 2 else said(0.8, 0.2) for index in range(100)]  # half of them, for both models
    easy = [said(0.1, 0.9)] * 100
    old, new = score_question(hard + easy, right), score_question(hard + easy[:-10] + [said(0.9, 0.1)] * 10, right)
    difference = strict_difference(old, new)
    assert difference.value == pytest.approx(-0.05)
    assert difference.high - difference.low < 0.08  # of two crowds it would be about 0.2
    with pytest.raises(ValueError, match="same people"):
        strict_difference(old, score_question(easy, ["no"] * 100))


@pytest.mark.parametrize(
    ("caption", "thing", "claim"),
    [
        ("", "hat", None),
        ("worker in a yellow hard hat and an orange safety vest, dark trousers.", "hat", Claim(True, "yellow")),
        ("worker in a yellow hard hat and an orange safety vest, dark trousers.", "vest", Claim(True, "orange")),
        ("person without a hard hat, in a blue top, no safety vest.", "vest", Claim(False)),
        ("A man in an orange vest with hi-vis stripes.", "vest", Claim(True, "orange")),
        ("hi-vis yellow jacket and a red vest", "vest", Claim(True, "red")),
        ("A man wearing a white protective helmet.", "hat", Claim(True, "white")),
        ("The hard hat is gray. He has a vest.", "hat", Claim(True, "grey")),
        ("The worker is not currently wearing a hi-vis vest.", "vest", Claim(False)),
        ("neither a helmet nor a face mask", "mask", Claim(False)),
        ("no helmet but wearing a mask", "mask", Claim(True)),
        ("a person in a hat of straw", "hat", None),
    ],
)
def test_a_caption_claims_what_a_reader_would_say_it_does(caption: str, thing: str, claim: Claim | None) -> None:
    assert claims_of(caption).get(thing) == claim  # type: ignore[call-overload]


def test_captions_are_held_against_labels_and_measured_colours() -> None:
    looks = [
        look_at(Attributes(hard_hat="yes", hat_colour="yellow", vest="yes", vest_colour="orange")),
        look_at(Attributes(hard_hat="yes", hat_colour="red", vest="no")),
        look_at(Attributes(hard_hat="no", vest=None)),
    ]
    captions = ["in a yellow hard hat and an orange vest", "in a blue hard hat and a vest", "in a red hard hat"]
    score = score_captions(captions, looks)
    assert score.f1["hat"].value == pytest.approx(4 / 5)  # two found, one seen where there is none
    assert score.f1["vest"].value == pytest.approx(2 / 3)
    assert score.f1["hat colour"].value == pytest.approx(2 / 5)  # yellow right, red said blue, red said of nothing
    assert np.isnan(score.f1["mask"].value)
    assert score.colour_right["hat"].value == 0.5
    assert score.balanced_accuracy["hat"].value == 0.5
    assert score.mean_f1.value == pytest.approx(np.mean([4 / 5, 2 / 3, 2 / 5, 1.0]))


@pytest.mark.parametrize(
    ("answer", "reference", "matches"),
    [
        ("Yellow.", "yellow", True),
        ("The hat is a yellow one", "yellow", True),
        ("yellowish", "yellow", False),
        ("", "yellow", False),
        ("Two workers", "2", True),
        ("Yes, he is", "yes", True),
        ("He is wearing one", "yes", False),
        ("no vest", "vest", False),
        ("a helmet", "a hard hat", True),
        ("a worker in a yellow hat stands by a truck", "worker in yellow hat stands near a truck", True),
        ("a cat", "worker in yellow hat stands near a truck", False),
    ],
)
def test_written_answers_match_by_what_they_say(answer: str, reference: str, matches: bool) -> None:
    assert is_match(answer, reference) == matches


def test_a_candidate_worse_by_more_than_two_points_on_one_question_is_refused_whatever_else_it_does() -> None:
    old = report_of("old", {HARD_HAT.text: 0.9, SAFETY_VEST.text: 0.8}, search=0.1)
    new = report_of("new", {HARD_HAT.text: 1.0, SAFETY_VEST.text: 0.758}, search=1.0)
    verdict = compare(old, new)
    assert verdict.promote == "old"
    assert len(verdict.refusals) == 1
    assert SAFETY_VEST.text in verdict.refusals[0]


def test_a_candidate_worse_by_just_two_points_and_better_elsewhere_is_promoted() -> None:
    old = report_of("old", {HARD_HAT.text: 0.9, SAFETY_VEST.text: 0.8})
    new = report_of("new", {HARD_HAT.text: 1.0, SAFETY_VEST.text: 0.76})
    assert (compare(old, new).promote, compare(old, new).refusals) == ("new", ())


def test_a_candidate_that_no_longer_answers_a_question_is_refused() -> None:
    old, new = report_of("old", {HARD_HAT.text: 0.9, SAFETY_VEST.text: 0.8}), report_of("new", {HARD_HAT.text: 1.0})
    assert SAFETY_VEST.text in compare(old, new).refusals[0]
    assert compare(new, old).refusals == (f'"{HARD_HAT.text}" 0.950 instead of 1.000',)


def test_a_half_shows_nothing_of_the_part_that_it_hides(tmp_path: Path) -> None:
    (photo, *_) = labelled_photos(photo_folder(tmp_path / "val", count=1))
    worker = people_in(photo, smallest_px=64)[0]  # a yellow hat from 20 to 50, an orange vest from 60 to 115
    without_head, without_torso = half_without(worker, "head"), half_without(worker, "torso")
    without_face = half_without(worker, "face")
    assert without_head is not None
    assert without_torso is not None
    assert without_face is not None
    assert without_face.pixels.shape[0] < without_head.pixels.shape[0]  # a hat's label ends above the mask
    assert abs(without_head.pixels.shape[0] - (180 + 8 - 50)) <= 2
    assert abs(without_torso.pixels.shape[0] - (60 - 20 + 8)) <= 2
    assert half_without(replace(worker, torso_xyxy=None), "torso") is None
    lower = lower_half_without(worker, "head")
    assert lower is not None
    assert abs(lower.pixels.shape[0] - (180 + 8 - 20 + 8) / 2) <= 2
    assert lower_half_without(replace(worker, head_xyxy=None), "head") is None
    assert (
        lower_half_without(replace(worker, head_xyxy=worker.torso_xyxy), "head") is None
    )  # some of it is in that half


def test_at_a_tie_the_model_in_force_stays() -> None:
    old, new = report_of("old", {HARD_HAT.text: 0.9}), report_of("new", {HARD_HAT.text: 0.9})
    assert compare(old, new).promote == "old"
