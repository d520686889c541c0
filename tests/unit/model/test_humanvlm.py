"""HumanVLM as its callers know it, on a real network of random weights."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from model.crops import Crop
from model.errors import ModelFolderError, OpenQuestionError
from model.humanvlm import FAR_AWAY, HumanVLM
from model.layouts.compact import CROPS_AT_ONCE, CompactLayout
from model.questions import CANNOT_TELL, NOT_TRAINED, TOO_SMALL, Decision, Question
from tests.builders_model import QUESTIONS, tiny_humanvlm

ASKED = tuple(measured.question for measured in QUESTIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_humanvlm(tmp_path_factory.mktemp("humanvlm"))


@pytest.fixture(scope="module")
def model(folder: Path) -> HumanVLM:
    return HumanVLM.load(folder, device="cpu")


def crops(count: int, *, height_px: int = 120) -> list[Crop]:
    chance = np.random.default_rng(count)
    return [
        Crop(chance.integers(0, 256, (height_px + i, 50 + i, 3), dtype=np.uint8), person_height_px=height_px)
        for i in range(count)
    ]


def largest_difference(some: list[list[Decision]], others: list[list[Decision]]) -> float:
    pairs = zip(itertools.chain(*some), itertools.chain(*others), strict=True)
    return max(abs(a.probabilities[word] - b.probabilities[word]) for a, b in pairs for word in a.probabilities)


def test_nobody_seen_gives_nothing_said(model: HumanVLM) -> None:
    assert model.decide([], ASKED) == []
    assert model.describe([]) == []
    assert model.embed([]).shape == (0, 16)


def test_every_answer_and_cannot_tell_has_a_probability_and_they_sum_to_one(model: HumanVLM) -> None:
    for row in model.decide(crops(3), ASKED):
        for question, decision in zip(ASKED, row, strict=True):
            assert set(decision.probabilities) == {*question.answers, CANNOT_TELL}
            assert sum(decision.probabilities.values()) == pytest.approx(1.0, abs=1e-5)


def test_a_batch_answers_exactly_as_its_crops_do_one_by_one(model: HumanVLM) -> None:
    people = crops(CROPS_AT_ONCE + 2)
    together = model.see(people)
    alone = [model.see([person]) for person in people]
    one_by_one = [model.decide(seen, ASKED)[0] for seen in alone]
    assert largest_difference(model.decide(together, ASKED), one_by_one) < 1e-4
    assert model.describe(together) == [model.describe(seen)[0] for seen in alone]
    np.testing.assert_allclose(model.embed(together), np.concatenate([model.embed(s) for s in alone]), atol=1e-4)


def test_bfloat16_as_on_cuda_answers_nearly_the_same(folder: Path, model: HumanVLM) -> None:
    half = HumanVLM(CompactLayout.open(folder, torch.device("cpu"), torch.bfloat16))
    people = crops(5)
    together = half.decide(people, ASKED)
    assert largest_difference(together, [half.decide([person], ASKED)[0] for person in people]) < 1e-2
    assert largest_difference(together, model.decide(people, ASKED)) < 5e-2
    assert half.embed(people).dtype == np.float32
    assert len(half.describe(people)) == 5


def test_a_question_is_answered_the_same_whoever_is_asked_along(model: HumanVLM) -> None:
    seen = model.see(crops(4))
    separately = [model.decide(seen, [question]) for question in ASKED]
    side_by_side = [list(itertools.chain(*rows)) for rows in zip(*separately, strict=True)]
    assert largest_difference(model.decide(seen, ASKED), side_by_side) < 1e-4
    backwards = [row[::-1] for row in model.decide(seen, ASKED[::-1])]
    assert largest_difference(model.decide(seen, ASKED), backwards) < 1e-4


def test_answers_depend_on_the_picture(model: HumanVLM) -> None:
    first, second = model.decide(crops(2), ASKED)
    assert largest_difference([first], [second]) > 1e-6


def test_a_person_under_64_px_is_too_small_to_tell(model: HumanVLM) -> None:
    (small,), (tall,) = model.decide(crops(1, height_px=63), ASKED[:1]), model.decide(crops(1, height_px=64), ASKED[:1])
    assert (small[0].answer, small[0].reason) == (CANNOT_TELL, TOO_SMALL)
    assert tall[0].reason != TOO_SMALL


def test_a_caption_of_a_person_under_64_px_claims_nothing(model: HumanVLM) -> None:
    small, tall = model.describe([*crops(1, height_px=63), *crops(1, height_px=64)])
    assert small == FAR_AWAY
    assert tall != FAR_AWAY


UNRELATED = (
    "Is this person happy?", "Is this a giraffe?", "Is the sky blue?", "Is this person tall?", "Is it raining?",
    "Does this person own a car?", "Is this person wearing a hard hat", "is this person wearing a hard hat?",
    "Is the door open?", "Is this person a thief?", "Is this person asleep?", "Is it night?", "Is there a dog?",
    "Is this person wearing gloves?", "Is this person wearing a harness?", "Is this person wearing glasses?",
    "Is this person running?", "Is this person sitting?", "Is this person on the phone?", "Is this person alone?",
)  # fmt: skip


def test_twenty_unrelated_questions_are_not_answered(model: HumanVLM) -> None:
    questions = [Question("predicate", text) for text in UNRELATED]
    assert len(questions) == 20
    for row in model.decide(crops(2), [*questions, ASKED[0]]):
        assert {(decision.answer, decision.reason) for decision in row[:-1]} == {(CANNOT_TELL, NOT_TRAINED)}
        assert row[-1].reason != NOT_TRAINED


def test_other_allowed_answers_make_another_question(model: HumanVLM) -> None:
    edited = Question(ASKED[2].kind, ASKED[2].text, ASKED[2].answers[:2])
    assert model.decide(crops(1), [edited])[0][0].reason == NOT_TRAINED


def open_sheet(folder: Path) -> HumanVLM:
    (folder / "decision.json").write_text('{"open_to_any_question": true}')
    return HumanVLM.load(folder, device="cpu")


def test_an_open_checkpoint_answers_what_it_has_words_for_and_marks_it(tmp_path: Path) -> None:
    model = open_sheet(tiny_humanvlm(tmp_path / "model"))
    wordy = Question("choice", "What colour is the hard hat?", ("yellow", "dark blue"))
    strange = Question("predicate", "Is this a giraffe?")
    alike = Question("choice", "What colour is the hard hat?", ("yellow", "Yellow"))
    known, wide, unknown, same = model.decide(crops(1), [ASKED[0], wordy, strange, alike])[0]
    assert not known.is_measured
    assert not wide.is_measured
    assert set(wide.probabilities) == {"yellow", "dark blue", CANNOT_TELL}
    assert sum(wide.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert (unknown.reason, same.reason) == (NOT_TRAINED, NOT_TRAINED)


def test_an_answer_of_two_words_is_as_probable_as_both_in_a_row(tmp_path: Path) -> None:
    model = open_sheet(tiny_humanvlm(tmp_path / "model"))
    seen, text = model.see(crops(2)), "What colour is the hard hat?"

    def odds(asked: str, said: str, against: str) -> list[float]:
        rows = model.decide(seen, [Question("choice", asked, (said, against))])
        return [row[0].probabilities[said] / row[0].probabilities[against] for row in rows]

    assert odds(text, "dark blue", "dark top") == pytest.approx(odds(f"{text} dark", "blue", "top"), rel=1e-3)


def test_a_higher_temperature_makes_answers_less_sure(tmp_path: Path) -> None:
    folder = tiny_humanvlm(tmp_path / "model")
    sharp = HumanVLM.load(folder, device="cpu").decide(crops(1), ASKED[:1])[0][0]
    sheet = json.loads((folder / "decision.json").read_text())
    sheet["questions"][0]["temperature"] = 50.0
    (folder / "decision.json").write_text(json.dumps(sheet))
    flat = HumanVLM.load(folder, device="cpu").decide(crops(1), ASKED[:1])[0][0]
    assert max(flat.probabilities.values()) < max(sharp.probabilities.values())
    assert flat.answer == sharp.answer


def test_a_model_without_words_of_its_own_refuses_open_questions_in_one_line(model: HumanVLM) -> None:
    assert not model.answers_open_questions
    with pytest.raises(OpenQuestionError, match="answers no open questions") as refused:
        model.answer(crops(1), "What is in the hands?")
    assert "\n" not in str(refused.value)


def test_search_vectors_have_unit_length(model: HumanVLM) -> None:
    np.testing.assert_allclose(np.linalg.norm(model.embed(crops(3)), axis=1), 1.0, atol=1e-5)
    assert np.linalg.norm(model.embed_text("worker in a yellow hard hat").vector) == pytest.approx(1.0, abs=1e-5)


def test_words_that_were_never_learnt_are_named_and_have_no_say(model: HumanVLM) -> None:
    strange, plain = model.embed_text("worker in a yellow giraffe"), model.embed_text("worker in a yellow")
    assert strange.unknown_words == ("giraffe",)
    assert plain.unknown_words == ()
    np.testing.assert_allclose(strange.vector, plain.vector, atol=1e-6)


def test_a_text_longer_than_the_model_reads_is_cut(model: HumanVLM) -> None:
    assert np.isfinite(model.embed_text("worker " * 500).vector).all()


def test_the_text_half_alone_places_texts_as_the_whole_model_does(folder: Path, model: HumanVLM) -> None:
    half = HumanVLM.load_text(folder)
    assert half.embedding_space == model.embedding_space
    text = "worker in an orange safety vest"
    np.testing.assert_allclose(half.embed_text(text).vector, model.embed_text(text).vector, atol=1e-6)


def test_captions_hold_no_special_words_and_end(model: HumanVLM) -> None:
    for caption in model.describe(crops(5)):
        assert "<" not in caption
        assert len(caption.split()) <= 40


def test_a_new_sheet_changes_the_answer_revision_alone(tmp_path: Path) -> None:
    folder = tiny_humanvlm(tmp_path / "model")
    before = HumanVLM.load(folder, device="cpu")
    (folder / "decision.json").write_text('{"questions": []}')
    after = HumanVLM.load(folder, device="cpu")
    assert after.questions == ()
    assert after.answer_revision != before.answer_revision
    assert (after.caption_revision, after.embedding_space) == (before.caption_revision, before.embedding_space)


@pytest.mark.parametrize("missing", ["config.json", "vocabulary.json", "decision.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_named_with_the_file(tmp_path: Path, missing: str) -> None:
    folder = tiny_humanvlm(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(ModelFolderError, match=f"{folder}: {missing} is missing"):
        HumanVLM.load(folder)


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("config.json", b"{"),
        ("config.json", b'{"layout": "other"}'),
        ("config.json", b'{"layout": "compact"}'),
        ("vocabulary.json", b'{"words": ["a"]}'),
        ("decision.json", b'{"questions": [{"kind": "guess"}]}'),
        ("model.safetensors", b"no weights"),
    ],
)
def test_a_folder_with_a_spoilt_file_is_refused_in_one_line(tmp_path: Path, name: str, contents: bytes) -> None:
    folder = tiny_humanvlm(tmp_path / "model")
    (folder / name).write_bytes(contents)
    with pytest.raises(ModelFolderError) as caught:
        HumanVLM.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = tiny_humanvlm(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["embedding_width"] = 99
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFolderError, match="weights do not fit"):
        HumanVLM.load(folder)


def test_grey_and_colour_give_different_image_tokens(model: HumanVLM) -> None:
    red, grey = np.zeros((2, 100, 50, 3), dtype=np.uint8)
    red[..., 0] = 150
    grey[:] = 50  # the same mean brightness
    seen = model.see([Crop(red, 100), Crop(grey, 100)])
    assert not torch.allclose(seen.tokens[0], seen.tokens[1], atol=1e-3)
