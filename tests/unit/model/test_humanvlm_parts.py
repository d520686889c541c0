"""The parts of HumanVLM: backbone, vision tower, connector, language model, tokens, decisions."""

import pytest
import torch

from model.backbone import Backbone, pyramid_channels
from model.connector import Connector
from model.decisions import DecisionSheet, MeasuredQuestion, answer_probabilities, decided
from model.errors import LibraryTooOldError
from model.language_model import LanguageModel, LanguageSizes, packing
from model.questions import PART_HIDDEN, Question
from model.tokens import SPECIAL_WORDS, WordTokens
from model.vision_tower import VisionSizes, VisionTower


@pytest.fixture
def language_model() -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(LanguageSizes(vocabulary=20, width=24, layers=2, heads=2, feed_forward=48)).eval()


def test_the_pyramid_has_the_channels_and_strides_that_it_promises() -> None:
    features = Backbone(width=0.5, depth=1.0).pyramid(torch.rand(2, 3, 64, 96))
    assert tuple(of.shape[1] for of in features) == pyramid_channels(0.5)
    assert [tuple(of.shape[2:]) for of in features] == [(8, 12), (4, 6), (2, 3)]


def test_a_crop_in_training_is_read_as_it_is_afterwards() -> None:
    torch.manual_seed(0)
    backbone, pixels = Backbone(width=0.5, depth=1.0), torch.rand(2, 3, 64, 32)
    with torch.no_grad():
        learning = backbone.train().pyramid(pixels)
        learnt = backbone.eval().pyramid(pixels)
        alone = backbone.pyramid(pixels[:1])
    for one, other, first in zip(learning, learnt, alone, strict=True):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(first, other[:1])


def test_the_tower_turns_crops_into_patches_of_the_promised_shape() -> None:
    sizes = VisionSizes(height_px=64, width_px=32, backbone_width=0.2, backbone_depth=0.3)
    pixels = torch.randint(0, 256, (3, 64, 32, 3), dtype=torch.uint8)
    assert VisionTower(sizes)(pixels).shape == (3, sizes.patches, sizes.patch_features)


@pytest.mark.parametrize("size", [(0, 32), (64, 33), (-32, 32)])
def test_a_crop_size_that_strides_do_not_divide_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        VisionSizes(*size)


def test_the_connector_tells_patches_apart_by_their_place() -> None:
    connector = Connector(patches=2, patch_features=6, width=4)
    same = torch.ones(1, 2, 6)
    torch.testing.assert_close(connector(same)[0, 0], connector(same)[0, 1])
    torch.nn.init.normal_(connector.position)
    assert not torch.allclose(connector(same)[0, 0], connector(same)[0, 1])


def test_texts_read_side_by_side_are_read_as_if_alone(language_model: LanguageModel) -> None:
    image = torch.randn(2, 3, 24)
    texts = [torch.tensor([[7, 8, 9]]), torch.tensor([[10]]), torch.tensor([[11, 12], [13, 14]])]
    with torch.inference_mode():
        together = language_model.read_about(image, texts)
        alone = [language_model.read_about(image, [text])[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_text_sees_the_picture_and_a_later_picture_token_sees_the_earlier(language_model: LanguageModel) -> None:
    image = torch.randn(1, 3, 24)
    changed = image.clone()
    changed[0, 0] += 1
    text = [torch.tensor([[7]])]
    with torch.inference_mode():
        difference = language_model.read_about(image, text)[0] - language_model.read_about(changed, text)[0]
    assert difference.abs().max() > 1e-4


def test_writing_with_a_cache_gives_the_words_that_reading_gives(language_model: LanguageModel) -> None:
    image = torch.randn(2, 3, 24)
    never = torch.tensor([0, 1, 3, 4, 5, 6])
    with torch.inference_mode():
        written = language_model.write_about(image, first_id=4, end_id=2, never=never, at_most=6)
        for row in range(2):
            said = [4]
            for word in written[row]:
                hidden = language_model.read_about(image[row : row + 1], [torch.tensor([said])])[0][0, -1]
                logits = language_model.logits(hidden)
                logits[never] = -torch.inf
                assert int(logits.argmax()) == word
                said.append(word)


def test_a_transformers_that_lets_the_cache_go_unused_is_refused_and_writes_nothing_blind(
    language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = language_model.llama.model.forward
    # As transformers 5.17 does: it knows the cache by another name and passes over this one.
    monkeypatch.setattr(language_model.llama.model, "forward", lambda cache=None, **given: read(**given))
    with torch.inference_mode(), pytest.raises(LibraryTooOldError, match="keeps nothing"):
        language_model.write_about(torch.zeros(1, 2, 24), first_id=3, end_id=2, never=torch.tensor([0]), at_most=4)


def test_padding_on_the_right_changes_no_text(language_model: LanguageModel) -> None:
    with torch.inference_mode():
        bare = language_model.read_alone(torch.tensor([[1, 7, 8]]))
        padded = language_model.read_alone(torch.tensor([[1, 7, 8, 0, 0]]))
    torch.testing.assert_close(bare, padded[:, :3], atol=1e-5, rtol=1e-5)


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="heads"):
        LanguageSizes(vocabulary=10, width=25, heads=2)


def test_packing_nothing_leaves_the_prefix_causal() -> None:
    mask, positions = packing(2, [])
    assert mask.tolist() == [[True, False], [True, True]]
    assert positions.tolist() == [0, 1]


def test_a_vocabulary_without_the_special_words_is_refused() -> None:
    with pytest.raises(ValueError, match="special"):
        WordTokens(("a", "b"))
    with pytest.raises(ValueError, match="once"):
        WordTokens((*SPECIAL_WORDS, "a", "a"))


def test_text_comes_back_from_its_tokens() -> None:
    tokens = WordTokens.of(["worker in a hi-vis vest, dark trousers."])
    assert (
        tokens.text(tokens.ids("Worker in a HI-VIS vest, dark trousers.")) == "worker in a hi vis vest, dark trousers."
    )
    assert tokens.ids("") == []


def test_cannot_tell_as_the_top_answer_says_that_the_part_is_hidden() -> None:
    question = Question("predicate", "Is it?")
    assert decided(question, [0.2, 0.3, 0.5]).reason == PART_HIDDEN
    assert decided(question, [0.5, 0.3, 0.2]).reason is None


def test_an_answer_that_is_never_given_has_no_share_in_the_probability() -> None:
    probabilities = answer_probabilities(torch.tensor([[1.0, 1.0, -torch.inf]]), 1.0)
    assert probabilities.tolist() == [[0.5, 0.5, 0.0]]


def test_a_question_without_a_temperature_of_its_own_has_that_of_its_kind() -> None:
    asked = Question("choice", "Which?", ("a", "b"))
    own = MeasuredQuestion(kind="predicate", text="Is it?", answers=("yes", "no"), temperature=4.0)
    sheet = DecisionSheet(
        temperature={"choice": 2.0},
        questions=(own, MeasuredQuestion(kind="choice", text="Which?", answers=("a", "b"))),
    )
    scores = torch.tensor([[0.0, 2.0, 1.0]])
    for question, temperature in ((asked, 2.0), (own.question, 4.0), (Question("score", "How?", ("a", "b")), 1.0)):
        expected = torch.softmax(scores / temperature, dim=-1)
        torch.testing.assert_close(sheet.calibrated(question, scores), expected)


def test_a_sheet_knows_a_question_by_kind_text_and_answers() -> None:
    sheet = DecisionSheet(questions=(MeasuredQuestion(kind="predicate", text="Is it?", answers=("yes", "no")),))
    assert sheet.measured(Question("predicate", "Is it?")) is not None
    assert sheet.measured(Question("choice", "Is it?", ("yes", "no"))) is None
    assert sheet.measured(Question("predicate", "Is it? ")) is None
