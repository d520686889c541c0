"""HumanVLM on LLaVA's layout, held to what transformers itself computes from the same folder."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipImageProcessor,
    SiglipModel,
)
from transformers.decision import DecisionConfig

from model.crops import Crop
from model.errors import ModelFolderError
from model.humanvlm import FAR_AWAY, HumanVLM
from model.layouts.llava import LlavaLayout, skeleton
from model.layouts.prompts import TEMPLATES, Prompts
from model.layouts.settings import CAPTION_REQUEST, LlavaSettings, PromptForm
from model.questions import CANNOT_TELL, NOT_TRAINED, TOO_SMALL, Decision, Question
from tests import bench_decisions
from tests.builders_llava import tiny_llava

HAT = Question("predicate", "Is this person wearing a hard hat?")
COLOUR = Question("choice", "What colour is the hard hat?", ("yellow", "white", "light blue", "dark blue"))
FLOOR = Question(
    "score", "How cluttered is the floor around this person?", ("clear", "some things lie about", "blocked")
)
ASKED = (HAT, COLOUR, FLOOR)
FLOAT32 = torch.float32
CPU = torch.device("cpu")


def crops(count: int, *, height_px: int = 120) -> list[Crop]:
    chance = np.random.default_rng(count)
    return [
        Crop(chance.integers(0, 256, (height_px + i, 50 + i, 3), dtype=np.uint8), person_height_px=height_px)
        for i in range(count)
    ]


def largest_difference(some: list[list[Decision]], others: list[list[Decision]]) -> float:
    pairs = zip(itertools.chain(*some), itertools.chain(*others), strict=True)
    return max(abs(a.probabilities[word] - b.probabilities[word]) for a, b in pairs for word in a.probabilities)


def with_sheet(folder: Path, **sheet: Any) -> Path:
    (folder / "decision.json").write_text(json.dumps(sheet))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def model(folder: Path) -> HumanVLM:
    return HumanVLM.load(folder, device="cpu")


class Transformers:
    """The same folder, used as its documentation says."""

    def __init__(self, folder: Path) -> None:
        self.network = LlavaForConditionalGeneration.from_pretrained(folder, dtype=FLOAT32).eval()
        self.processor = LlavaProcessor.from_pretrained(folder)

    def inputs(self, crop: Crop, text: str) -> Any:
        parts = [{"type": "image", "image": Image.fromarray(crop.pixels)}, {"type": "text", "text": text}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": parts}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )

    def log_probability(self, crop: Crop, text: str, answer: str) -> float:
        inputs = self.inputs(crop, text)
        said = self.processor.tokenizer(answer, add_special_tokens=False)["input_ids"]
        ids = torch.cat([inputs["input_ids"], torch.tensor([said])], dim=1)
        logits = self.network(input_ids=ids, pixel_values=inputs["pixel_values"]).logits[0]
        behind = torch.log_softmax(logits[-len(said) - 1 : -1], dim=-1)
        return float(behind[range(len(said)), said].sum())

    def written(self, crop: Crop, text: str, *, at_most: int) -> str:
        inputs = self.inputs(crop, text)
        ids = self.network.generate(**inputs, do_sample=False, max_new_tokens=at_most)
        behind = ids[:, inputs["input_ids"].shape[1] :]
        return str(self.processor.tokenizer.decode(behind[0], skip_special_tokens=True)).strip()


@torch.inference_mode()
@pytest.mark.parametrize("form", ["llama-3", "user-assistant"])
def test_answers_of_one_word_and_of_many_are_scored_as_transformers_logits_say(tmp_path: Path, form: str) -> None:
    """Packed behind one picture, and read one text at a time: the same log-probabilities."""
    template = TEMPLATES["user-assistant" if form == "user-assistant" else "llama-3"]
    folder = tiny_llava(tmp_path / "model", chat_template=template, settings={"answers": "words", "prompt": form})
    layout, plain = LlavaLayout.open(folder, CPU, FLOAT32), Transformers(folder)
    people = crops(2)
    scores, _ = layout.read(layout.see(people), [HAT, COLOUR])
    space = " " if form == "user-assistant" else ""
    for question, of_question in zip((HAT, COLOUR), scores, strict=True):
        for crop, row in zip(people, of_question.tolist(), strict=True):
            said = [f"{space}{answer}" for answer in (*question.answers, CANNOT_TELL)]
            expected = [plain.log_probability(crop, question.text, answer) for answer in said]
            assert row == pytest.approx(expected, abs=1e-4)


@torch.inference_mode()
def test_an_answer_that_begins_another_is_scored_with_its_end(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model", settings={"answers": "words"})
    layout, plain = LlavaLayout.open(folder, CPU, FLOAT32), Transformers(folder)
    question = Question("choice", "What colour is the hard hat?", ("yellow", "yellow, white"))
    (crop,) = crops(1)
    ((row,), *_), _ = layout.read(layout.see([crop]), [question])
    said = [f"{answer}<|eot_id|>" for answer in (*question.answers, CANNOT_TELL)]
    expected = [plain.log_probability(crop, question.text, answer) for answer in said]
    assert row.tolist() == pytest.approx(expected, abs=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("form", ["llama-3", "user-assistant"])
def test_the_same_text_is_written_as_by_transformers(tmp_path: Path, form: str) -> None:
    template = TEMPLATES["user-assistant" if form == "user-assistant" else "llama-3"]
    folder = tiny_llava(tmp_path / "model", chat_template=template)
    layout, plain = LlavaLayout.open(folder, CPU, FLOAT32), Transformers(folder)
    people = crops(4)
    expected = [plain.written(crop, CAPTION_REQUEST, at_most=12) for crop in people]
    assert len(set(expected)) > 1
    assert layout.write(layout.see(people).tokens, [CAPTION_REQUEST] * 4) == expected


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("user-assistant", "<|begin_of_text|>USER: [picture]\nWhat hat?\nASSISTANT:"),
        (
            "llama-3",
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n[picture]\nWhat hat?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ],
)
def test_prompts_read_as_the_checkpoints_authors_wrote_them(folder: Path, form: PromptForm, said: str) -> None:
    processor = LlavaProcessor.from_pretrained(folder)
    prompt = Prompts(processor, LlavaSettings(prompt=form), DecisionConfig(), None).request("What hat?")
    assert "[picture]".join(processor.tokenizer.decode(ids) for ids in (prompt.before, prompt.behind)) == said


@torch.inference_mode()
def test_requests_of_several_lengths_are_answered_as_if_alone(folder: Path) -> None:
    layout = LlavaLayout.open(folder, CPU, FLOAT32)
    tokens = layout.see(crops(3)).tokens
    requests = ["What colour?", CAPTION_REQUEST, "Is this person wearing a hard hat?"]
    alone = [layout.write(tokens[i : i + 1], [request])[0] for i, request in enumerate(requests)]
    assert layout.write(tokens, requests) == alone


def test_a_batch_answers_exactly_as_its_crops_do_one_by_one(model: HumanVLM) -> None:
    people = crops(35)
    together = model.read(people, ASKED)
    alone = [model.read([person], ASKED) for person in people]
    assert largest_difference(together.decisions, [reading.decisions[0] for reading in alone]) < 1e-4
    assert [[d.answer for d in row] for row in together.decisions] == [
        [d.answer for d in reading.decisions[0]] for reading in alone
    ]
    np.testing.assert_allclose(together.vectors, np.concatenate([reading.vectors for reading in alone]), atol=1e-4)
    assert model.describe(people[:9]) == [model.describe([person])[0] for person in people[:9]]


def test_open_questions_are_answered_as_transformers_would_in_any_batch(folder: Path, model: HumanVLM) -> None:
    people, plain = crops(35), Transformers(folder)
    asked = [
        ("What colour is the hat?", "Is this person wearing a hard hat?", "What is carried?")[i % 3] for i in range(35)
    ]
    together = model.answer(people, asked)
    for index in range(0, 35, 4):
        alone = " ".join(plain.written(people[index], asked[index], at_most=12).split())
        assert together[index] == alone == model.answer([people[index]], asked[index])[0]
    assert len(set(together)) > 1


def test_an_open_question_is_put_to_nobody_too_small_and_once_a_crop(model: HumanVLM) -> None:
    small, tall = model.answer([*crops(1, height_px=63), *crops(1, height_px=64)], "What is carried?")
    assert small == CANNOT_TELL != tall
    assert model.answer([], "What is carried?") == []
    with pytest.raises(ValueError, match="got 2 for 1 crops"):
        model.answer(crops(1), ["What is carried?", "What is worn?"])


def test_a_batch_in_bfloat16_answers_nearly_as_its_crops_do_one_by_one(folder: Path) -> None:
    model = HumanVLM(LlavaLayout.open(folder, CPU, torch.bfloat16))
    people = crops(5)
    alone = [model.decide([person], ASKED)[0] for person in people]
    assert largest_difference(model.decide(people, ASKED), alone) < 1e-2


def test_a_question_is_answered_the_same_whoever_is_asked_along(model: HumanVLM) -> None:
    seen = model.see(crops(3))
    separately = [model.decide(seen, [question]) for question in ASKED]
    side_by_side = [list(itertools.chain(*rows)) for rows in zip(*separately, strict=True)]
    assert largest_difference(model.decide(seen, ASKED), side_by_side) < 1e-4


SHEETS: list[dict[str, Any]] = [
    {},
    {"temperature": {"noul": 2.5, "choice": 0.7, "score": 1.5}, "labels": {"noul": ["yes", "no"]}},
]


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("form", ["llama-3", "user-assistant"])
def test_probabilities_are_those_of_transformers_own_decisions(
    tmp_path: Path, form: str, sheet: dict[str, Any]
) -> None:
    template = TEMPLATES["user-assistant" if form == "user-assistant" else "llama-3"]
    folder = with_sheet(tiny_llava(tmp_path / "model", chat_template=template), open_to_any_question=True, **sheet)
    found = bench_decisions.compared(folder, rounds=1)
    assert found.largest_difference < 1e-3


def test_more_answers_than_letters_are_told_apart(model: HumanVLM) -> None:
    many = Question("choice", "Which number is on the vest?", tuple(str(number) for number in range(100)))
    (decision,) = model.decide(crops(1), [many])[0]
    assert set(decision.probabilities) == {*many.answers, CANNOT_TELL}
    assert sum(decision.probabilities.values()) == pytest.approx(1.0, abs=1e-4)


def test_a_checkpoint_that_says_cannot_tell_gives_it_its_share(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    without = HumanVLM.load(folder, device="cpu").decide(crops(1), [HAT])[0][0]
    with_sheet(folder, open_to_any_question=True, cannot_tell="no idea")
    told = HumanVLM.load(folder, device="cpu").decide(crops(1), [HAT])[0][0]
    assert 0 < told.probabilities[CANNOT_TELL] < 1
    share = told.probabilities["yes"] / (told.probabilities["yes"] + told.probabilities["no"])
    assert share == pytest.approx(without.probabilities["yes"], abs=1e-4)


def test_a_checkpoint_that_nobody_measured_answers_anything_and_says_so(model: HumanVLM) -> None:
    assert model.questions == ()
    decisions = model.decide(crops(2), ASKED)
    assert all(not decision.is_measured and decision.reason is None for row in decisions for decision in row)


def test_a_checkpoint_with_a_sheet_answers_what_the_sheet_lists(tmp_path: Path) -> None:
    listed = {"kind": HAT.kind, "text": HAT.text, "answers": HAT.answers, "figures": {"people": 9.0}}
    folder = with_sheet(tiny_llava(tmp_path / "model"), questions=[listed])
    model = HumanVLM.load(folder, device="cpu")
    strange = [Question("predicate", f"Is this person carrying object {number}?") for number in range(20)]
    assert model.questions == (HAT,)
    for row in model.decide(crops(2), [HAT, *strange]):
        assert row[0].is_measured
        assert row[0].reason is None
        assert {(decision.answer, decision.reason) for decision in row[1:]} == {(CANNOT_TELL, NOT_TRAINED)}


def test_a_person_under_64_px_is_too_small_to_tell_or_describe(model: HumanVLM) -> None:
    people = [*crops(1, height_px=63), *crops(1, height_px=64)]
    small, tall = model.decide(people, [HAT])
    assert (small[0].answer, small[0].reason) == (CANNOT_TELL, TOO_SMALL)
    assert tall[0].reason is None
    captions = model.describe(people)
    assert captions[0] == FAR_AWAY
    assert captions[1] != FAR_AWAY


def test_nobody_seen_gives_nothing_said(model: HumanVLM) -> None:
    assert model.decide([], ASKED) == []
    assert model.describe([]) == []
    assert model.embed([]).shape == (0, 24)


@torch.inference_mode()
def test_search_vectors_are_those_of_the_dual_encoder(folder: Path, model: HumanVLM) -> None:
    people, text = crops(3), "a yellow hat"
    siglip = SiglipModel.from_pretrained(folder / "search").eval()
    pictures = SiglipImageProcessor.from_pretrained(folder / "search")(
        [Image.fromarray(crop.pixels) for crop in people]
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "search")
    ids = tokenizer([text], padding="max_length", max_length=16, return_tensors="pt")["input_ids"]
    expected = siglip(input_ids=ids, pixel_values=torch.stack(list(map(torch.as_tensor, pictures["pixel_values"]))))
    np.testing.assert_allclose(model.embed(people), expected.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(model.embed_text(text).vector, expected.text_embeds[0].numpy(), atol=1e-5)
    half = HumanVLM.load_text(folder)
    np.testing.assert_allclose(half.embed_text(text).vector, expected.text_embeds[0].numpy(), atol=1e-5)
    assert half.embedding_space == model.embedding_space
    assert half.embed_text("a giraffe").unknown_words == ()  # a SigLIP has no list of words it was measured on


def test_revisions_name_what_was_changed(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    first = HumanVLM.load(folder, device="cpu")
    with_sheet(folder, open_to_any_question=True, temperature={"noul": 2.0})
    second = HumanVLM.load(folder, device="cpu")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.1.mlp.down_proj.weight"))
    weights[name] += 1e-3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    third = HumanVLM.load(folder, device="cpu")
    assert len({one.answer_revision for one in (first, second, third)}) == 3
    assert first.caption_revision == second.caption_revision != third.caption_revision
    assert first.embedding_space == third.embedding_space


def test_a_checkpoint_saved_by_an_old_transformers_gives_the_same_answers(tmp_path: Path, model: HumanVLM) -> None:
    """The published weights have the names of 2024, and what LLaVA never reads of the tower may be left out."""
    folder = tiny_llava(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    old = {old_name(name): tensor for name, tensor in weights.items() if "vision_tower.head" not in name}
    assert {
        "language_model.lm_head.weight",
        "language_model.model.layers.0.mlp.down_proj.weight",
        "multi_modal_projector.linear_1.weight",
        "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
    } <= set(old)
    assert len(old) < len(weights)
    save_file(old, folder / "model.safetensors", metadata={"format": "pt"})
    processor = json.loads((folder / "processor_config.json").read_text())
    del processor["patch_size"], processor["vision_feature_select_strategy"]
    (folder / "processor_config.json").write_text(json.dumps(processor))
    aged = HumanVLM.load(folder, device="cpu")
    assert largest_difference(aged.decide(crops(2), ASKED), model.decide(crops(2), ASKED)) < 1e-6


def old_name(name: str) -> str:
    return name.replace("vision_tower.", "vision_tower.vision_model.", 1)


PUBLISHED = {  # the keys of the published checkpoint's config.json: whatever they leave out is transformers' default
    "architectures": ["LlavaForConditionalGeneration"],
    "ignore_index": -100,
    "image_token_index": 128256,
    "model_type": "llava",
    "pad_token_id": 128257,
    "projector_hidden_act": "gelu",
    "text_config": {
        "_name_or_path": "meta-llama/Meta-Llama-3-8B-Instruct",
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 128000,
        "eos_token_id": 128009,
        "intermediate_size": 14336,
        "max_position_embeddings": 8192,
        "model_type": "llama",
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05,
        "rope_theta": 500000.0,
        "torch_dtype": "bfloat16",
        "vocab_size": 128320,
    },
    "torch_dtype": "bfloat16",
    "vision_config": {
        "hidden_size": 1152,
        "image_size": 384,
        "intermediate_size": 4304,
        "model_type": "siglip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "patch_size": 14,
    },
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "full",
}


def test_the_published_configuration_builds_the_whole_network_without_its_memory() -> None:
    network = skeleton(PUBLISHED)
    weights = dict(network.named_parameters())
    assert all(weight.is_meta for weight in weights.values())
    assert 8.3e9 < sum(weight.numel() for weight in weights.values()) < 8.6e9
    shapes = {name.removeprefix("model."): tuple(weight.shape) for name, weight in weights.items()}
    assert shapes["multi_modal_projector.linear_1.weight"] == (4096, 1152)
    assert shapes["multi_modal_projector.linear_2.weight"] == (4096, 4096)
    assert shapes["language_model.layers.31.mlp.down_proj.weight"] == (4096, 14336)
    assert shapes["language_model.layers.31.self_attn.k_proj.weight"] == (1024, 4096)
    assert shapes["lm_head.weight"] == (128320, 4096)
    assert network.config.text_config.rope_parameters["rope_theta"] == 500000.0
    pixels = torch.empty((2, 3, 384, 384), device="meta")
    seen = network.get_image_features(pixel_values=pixels).pooler_output
    assert [tuple(tokens.shape) for tokens in seen] == [(729, 4096)] * 2


@pytest.mark.parametrize(
    ("name", "contents", "said"),
    [
        ("humanvlm.json", '{"prompt": "shout"}', "humanvlm.json: prompt"),
        ("humanvlm.json", '{"search_tower": "nobody/has-this"}', "nobody/has-this"),
        ("humanvlm.json", '{"search_towel": "x"}', "humanvlm.json: search_towel"),
        ("humanvlm.json", '{"search_tower": "/nowhere/at all"}', "there is no such folder"),
        ("decision.json", '{"questions": [{"kind": "guess"}]}', "decision.json: questions.0.kind"),
        ("decision.json", '{"adapter": "lora"}', "adapter"),
        ("model.safetensors", "no weights", "transformers cannot load it"),
        ("processor_config.json", "{", "transformers cannot load it"),
        ("chat_template.jinja", "{{ 'no picture' }}", "transformers cannot load it"),
        ("search/config.json", '{"model_type": "clip"}', "SigLIP"),
    ],
)
def test_a_folder_with_a_spoilt_file_is_refused_in_one_line(
    tmp_path: Path, name: str, contents: str, said: str
) -> None:
    folder = tiny_llava(tmp_path / "model")
    (folder / name).write_text(contents)
    with pytest.raises(ModelFolderError, match=said) as caught:
        HumanVLM.load(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in weights if "linear_2.weight" in name)
    del weights[gone]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelFolderError, match="do not fit"):
        HumanVLM.load(folder, device="cpu")


@pytest.mark.parametrize("load", [HumanVLM.load, HumanVLM.load_text])
def test_a_model_of_the_hub_that_is_not_here_is_one_line_offline(load: Any) -> None:
    with pytest.raises(ModelFolderError, match="OpenFace-CQUPT/Human_LLaVA: there is no such folder") as caught:
        load("OpenFace-CQUPT/Human_LLaVA")
    assert "\n" not in str(caught.value)
