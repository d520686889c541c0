"""Both stages of a tiny LLaVA, and the recipes of the large one, which need none of its weights to be tried."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipVisionModel,
)
from transformers.decision import DecisionConfig

from model.crops import Crop
from model.humanvlm import HumanVLM
from model.layouts.prompts import Prompts
from model.layouts.settings import LlavaSettings, PromptForm
from tests.builders_conversations import caption_shards, llava_json
from tests.builders_llava import published_config, tiny_llava
from tests.builders_trainer import PowerCutError, tiny_llava_recipe
from trainer.curves import read_curves
from trainer.errors import RecipeError
from trainer.llava.conversation_data import ConversationData
from trainer.llava.conversation_tokens import NOT_LEARNT
from trainer.llava.conversations import CAPTION_REQUESTS
from trainer.llava.export import write_llava
from trainer.llava.network import image_tokens_of, load_network, load_processor, put_together, skeleton
from trainer.llava.recipe import LlavaSteps, LoraRecipe
from trainer.llava.task import LlavaTask
from trainer.stage_cli import StageCLI, run_stage
from trainer.stages import Origin, Stage
from trainer.texts import HARD_HAT, SAFETY_VEST
from trainer.trainable import trainable_by_part

CONFIGS = Path(__file__).parents[3] / "trainer" / "configs"
OWN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}] {% for part in message['content'] %}"
    "{{ '<image> ' if part['type'] == 'image' else part['text'] }}{% endfor %}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llava(tmp_path_factory.mktemp("llava"), is_wide=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    llava_json(folder)
    caption_shards(folder / "shards")
    return folder


def changed_parts(one: Path, other: Path) -> set[str]:
    before, after = (LlavaForConditionalGeneration.from_pretrained(f, dtype=torch.bfloat16) for f in (one, other))
    weights = dict(after.named_parameters())
    return {name.split(".")[1] for name, p in before.named_parameters() if not torch.equal(p, weights[name])}


def test_stage_one_moves_the_connector_alone(base: Path, sources: Path, tmp_path: Path) -> None:
    run_stage("align", tiny_llava_recipe(tmp_path, base, sources), [])
    assert changed_parts(base, tmp_path / "aligned") == {"multi_modal_projector"}
    origin = json.loads((tmp_path / "aligned" / "training.json").read_text())
    assert origin["counts"]["shards: rows"] == 12


def test_stage_two_merges_its_adapters_into_what_transformers_loads(
    base: Path, sources: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_stage("instruct", tiny_llava_recipe(tmp_path, base, sources), [])
    assert changed_parts(base, tmp_path / "instructed") == {"multi_modal_projector", "language_model", "vision_tower"}
    assert "stage instruct trains" in caplog.text
    names = set(LlavaForConditionalGeneration.from_pretrained(tmp_path / "instructed").state_dict())
    assert names == set(LlavaForConditionalGeneration.from_pretrained(base).state_dict())


@pytest.mark.parametrize(
    ("entries", "parts"),
    [
        (["--model.lora=null"], {"multi_modal_projector", "language_model"}),
        (["--model.lora.reaches_vision_tower=false"], {"multi_modal_projector", "language_model"}),
        (
            ["--model.lora=null", "--model.steps.unfreezes_vision_tower=true"],
            {"multi_modal_projector", "language_model", "vision_tower"},
        ),
    ],
)
def test_stage_two_moves_what_the_recipe_says(
    base: Path, sources: Path, tmp_path: Path, entries: list[str], parts: set[str]
) -> None:
    task = StageCLI(tiny_llava_recipe(tmp_path, base, sources), ["instruct", *entries], until="built").model
    task.stage = "instruct"
    task.configure_model()
    learning = {name for name, parameter in task.named_parameters() if parameter.requires_grad}
    known = ("multi_modal_projector", "language_model", "vision_tower")
    assert {part for part in known if any(part in name for name in learning)} == parts


@pytest.mark.parametrize("form", ["own", "llama-3", "user-assistant"])
def test_a_checkpoint_learns_in_the_form_that_it_is_asked_in(tmp_path: Path, sources: Path, form: PromptForm) -> None:
    folder = tiny_llava(tmp_path / "model", chat_template=OWN_TEMPLATE, settings={"prompt": form})
    data = ConversationData(caption_shards=sources / "shards", rows_a_batch=12)
    LlavaTask(str(folder)).begin("align", None, data)
    data.setup()
    (batch,) = data.batches(epoch=0, batches_a_step=1)
    before_answers = {
        tuple(ids[: learnt.index(True)])
        for ids, learnt in zip(batch.ids.tolist(), (batch.labels != NOT_LEARNT).tolist(), strict=True)
    }
    settings = LlavaSettings.read(folder)
    prompts = Prompts(LlavaProcessor.from_pretrained(folder), settings, DecisionConfig(), None)
    picture = (LlavaConfig.from_pretrained(folder).image_token_index,) * 16
    asked = [prompts.request(text) for text in (settings.caption_request, *CAPTION_REQUESTS)]
    assert before_answers <= {(*prompt.before, *picture, *prompt.behind) for prompt in asked}


ORIGIN = Origin("align", "0" * 16, "unknown", {}, {})
ASKED_AS = {"cannot_tell": "unclear", "open_to_any_question": True, "labels": {"noul": ["Yes", "No"]}}
MEASURED_SHEET = {
    "questions": [{"kind": "predicate", "text": HARD_HAT.text, "answers": ["yes", "no"], "figures": {"people": 8}}],
    "failed": [{"kind": "predicate", "text": SAFETY_VEST.text, "answers": ["yes", "no"]}],
}


@pytest.mark.parametrize("is_of_the_hub", [False, True])
def test_what_has_learnt_is_spoken_to_as_before_and_was_measured_on_nothing(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_of_the_hub: bool
) -> None:
    cache = tmp_path / "cache"
    of_the_hub = cache / "models--crewsight--tiny" / "snapshots" / ("0" * 40)
    source = Path(shutil.copytree(base, of_the_hub))
    (cache / "models--crewsight--tiny" / "refs").mkdir()
    (cache / "models--crewsight--tiny" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    (source / "decision.json").write_text(json.dumps({**ASKED_AS, **MEASURED_SHEET}))
    out, network = tmp_path / "out", load_network(str(source))
    write_llava(out, network, source="crewsight/tiny" if is_of_the_hub else str(source), origin=ORIGIN)
    assert json.loads((out / "decision.json").read_text()) == ASKED_AS
    assert LlavaSettings.read(out) == LlavaSettings.read(source)
    crop = Crop(np.full((120, 60, 3), 90, dtype=np.uint8), person_height_px=110)
    decisions = HumanVLM.load(out, device="cpu").decide([crop], [HARD_HAT, SAFETY_VEST])[0]
    assert [(decision.reason, decision.is_measured) for decision in decisions] == [(None, False)] * 2


def test_nothing_that_was_said_of_the_weights_before_is_said_of_new_ones(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "decision.json").write_text(json.dumps(MEASURED_SHEET))
    for name in ("metrics.json", "decision_template.jinja"):
        (out / name).write_text("{}")
    write_llava(out, load_network(str(base)), source=str(base), origin=ORIGIN)
    assert not {"decision.json", "metrics.json", "decision_template.jinja"} & {path.name for path in out.iterdir()}


def test_settings_that_are_none_stop_a_run(base: Path, sources: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(base, tmp_path / "model"))
    (folder / "humanvlm.json").write_text('{"prompt": "shouted"}')
    with pytest.raises(RecipeError, match=r"humanvlm\.json: prompt"):
        run_stage("align", tiny_llava_recipe(tmp_path, folder, sources), [])


@pytest.mark.parametrize("is_checkpointed", [True, False])
def test_activations_are_computed_twice_where_the_recipe_says_so(
    base: Path, sources: Path, is_checkpointed: bool
) -> None:
    data = ConversationData(llava_json=[sources / "instruct.json"], images=sources / "images", rows_a_batch=2)
    task = LlavaTask(str(base), LlavaSteps(checkpoints_gradients=is_checkpointed))
    task.begin("align", None, data)
    task.configure_model()
    data.setup()
    passes: list[None] = []
    task.network.model.language_model.layers[0].mlp.register_forward_pre_hook(lambda *_: passes.append(None))
    task.answer_loss(next(iter(data.batches(epoch=0, batches_a_step=1)))).backward()
    assert len(passes) == 1 + is_checkpointed


def test_adapters_learn_with_dropout(base: Path, sources: Path) -> None:
    data = ConversationData(llava_json=[sources / "instruct.json"], images=sources / "images", rows_a_batch=2)
    task = LlavaTask(str(base), lora=LoraRecipe(rank=4, alpha=8, dropout=0.5))
    task.begin("instruct", None, data)
    task.configure_model()
    data.setup()
    for name, weight in task.named_parameters():
        if "lora_B" in name:  # which begin at nothing
            torch.nn.init.normal_(weight)
    batch = next(iter(data.batches(epoch=0, batches_a_step=1)))
    assert float(task.answer_loss(batch).detach()) != float(task.answer_loss(batch).detach())


@pytest.mark.parametrize(("stage", "share"), [("align", 0.995), ("instruct", 0.5)])
def test_one_batch_can_be_learnt_by_heart(base: Path, sources: Path, stage: Stage, share: float) -> None:
    data = ConversationData(llava_json=[sources / "instruct.json"], images=sources / "images", rows_a_batch=8)
    task = LlavaTask(str(base), LlavaSteps(checkpoints_gradients=False))
    task.begin(stage, None, data)
    task.configure_model()
    data.setup()
    (batch,) = data.batches(epoch=0, batches_a_step=1)
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=1e-2)
    losses = []  # behind a frozen language model that never learnt anything, a connector can do little
    for _ in range(30):
        loss = task.answer_loss(batch) / batch.step_tokens
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < share * losses[0]


def test_a_stopped_run_goes_on_with_the_same_losses(base: Path, sources: Path, tmp_path: Path) -> None:
    curves = []
    for name, stop in (("whole", None), ("stopped", 3)):
        (tmp_path / name).mkdir()
        path = tiny_llava_recipe(tmp_path / name, base, sources, rows_a_batch=2)
        if stop is not None:
            cut = ["--trainer.callbacks+=tests.builders_trainer.PowerCutAfter", f"--trainer.callbacks.step={stop}"]
            with pytest.raises(PowerCutError):
                run_stage("instruct", path, cut)
        run_stage("instruct", path, ["--resume=true"])
        curves.append(read_curves(tmp_path / name / "work" / "instruct"))
    assert curves[0] == curves[1]
    assert len({step for step, _, _ in curves[0]}) == 8


def test_a_base_that_is_no_llava_is_refused(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no LLaVA"):
        run_stage("align", tiny_llava_recipe(tmp_path, tmp_path / "nothing", sources), [])


def test_a_tower_and_a_language_model_are_put_together_around_a_fresh_connector(base: Path, tmp_path: Path) -> None:
    whole = LlavaForConditionalGeneration.from_pretrained(base)
    SiglipVisionModel._from_config(whole.config.vision_config).save_pretrained(tmp_path / "siglip")
    processor = LlavaProcessor.from_pretrained(base)
    processor.image_processor.save_pretrained(tmp_path / "siglip")
    LlamaForCausalLM(whole.config.text_config).save_pretrained(tmp_path / "llama")
    processor.tokenizer.save_pretrained(tmp_path / "llama")
    put_together(str(tmp_path / "siglip"), str(tmp_path / "llama"), tmp_path / "parts")
    made, llama = load_network(str(tmp_path / "parts")), LlamaForCausalLM.from_pretrained(tmp_path / "llama")
    assert torch.equal(made.lm_head.weight, llama.lm_head.weight)
    assert image_tokens_of(load_processor(str(tmp_path / "parts"))[1]) == 16
    with pytest.raises(RecipeError, match="nothing"):
        put_together(str(tmp_path / "nothing"), str(tmp_path / "llama"), tmp_path / "parts")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*8b*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_of_the_8b_train_what_the_authors_train(path: Path) -> None:
    stage = "align" if "align" in path.stem else "instruct"
    one_device = ["--trainer.strategy=auto", "--trainer.accelerator=cpu", "--trainer.devices=1"]
    cli = StageCLI(path, [stage, *one_device, "--trainer.precision=32-true"], until="built")
    task = cli.model
    assert isinstance(task, LlavaTask)
    task.stage = stage
    task.take(skeleton(published_config()))
    learning = {name: p.numel() for name, p in task.named_parameters() if p.requires_grad}
    assert all("multi_modal_projector" in name or "lora_" in name for name in learning)
    connector = (1152 + 1) * 4096 + (4096 + 1) * 4096
    assert sum(n for name, n in learning.items() if "multi_modal_projector" in name) == connector
    assert (sum(learning.values()) > connector) == (stage == "instruct")
    everything = sum(total for _, total in trainable_by_part(task).values())
    assert everything > 8.4e9
    assert image_tokens_of(published_config()) == 729


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what the recipe asks for")
def test_a_recipe_for_devices_that_are_not_here_is_refused() -> None:
    with pytest.raises(RecipeError, match="not on this machine"):
        run_stage("align", CONFIGS / "humanvlm-8b-align.yaml", [])


@pytest.mark.parametrize("path", [*sorted(CONFIGS.glob("compact*.yaml")), *sorted(CONFIGS.glob("*8b*.yaml"))])
def test_every_shipped_recipe_of_the_stages_can_be_parsed(path: Path) -> None:
    stages = [stage for stage in ("align", "instruct") if f"\n{stage}:" in "\n" + path.read_text()]
    for stage in stages:
        config = StageCLI(path, [stage], until="parsed").config
        assert config[stage].trainer.max_epochs >= 1
