"""Both stages of the compact model, from a recipe to a folder that answers; stopped and resumed runs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import read_checkpoint
from model.crops import Crop
from model.errors import ModelFolderError
from model.humanvlm import HumanVLM
from tests.builders_photos import photo_folder
from tests.builders_trainer import PowerCutError, tiny_compact_recipe
from trainer.curves import read_curves
from trainer.errors import PhotosError, RecipeError, StartingWeightsError
from trainer.evaluation.measuring import EvaluationSet, measure
from trainer.stage_cli import StageCLI, run_stage
from trainer.texts import QUESTIONS, SAFETY_VEST

pytestmark = [
    # Lightning's own: it advises on workers, and calls what torch has deprecated.
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    photo_folder(folder / "train", count=8)
    photo_folder(folder / "val", count=2)
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both stages of a tiny model have run."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = tiny_compact_recipe(folder, photos)
    run_stage("align", recipe, [])
    run_stage("instruct", recipe, [])
    return folder


def test_both_stages_lead_from_photos_to_a_model_that_answers_and_is_measured(trained: Path, photos: Path) -> None:
    model = HumanVLM.load(trained / "instructed", device="cpu")
    assert model.questions == QUESTIONS
    crop = Crop(np.full((120, 50, 3), 90, dtype=np.uint8), 120)
    assert len(model.decide([crop], model.questions)[0]) == len(QUESTIONS)
    scores = measure("instructed", model, EvaluationSet.read(photos / "val")).photos
    assert scores is not None
    assert scores.people == 4
    assert 0 <= scores.answering.scores[SAFETY_VEST.text].balanced_accuracy.value <= 1


def test_beside_the_weights_stands_where_they_come_from(trained: Path) -> None:
    origin = json.loads((trained / "instructed" / "training.json").read_text())
    assert origin["stage"] == "instruct"
    assert origin["counts"]["people_learnt"] + origin["counts"]["people_held_out"] == 16
    assert len(origin["data_fingerprint"]) == 16
    assert origin["metrics"]["train/answer_loss_nats"] > 0
    assert origin["recipe"]["model"]["init_args"]["steps"]["frozen_backbone_layers"] == 2


def test_what_is_written_keeps_the_share_of_the_start_that_the_recipe_names(trained: Path, tmp_path: Path) -> None:
    """The run that ended is gone on with: nothing is left to learn, and only what is written differs."""
    more = ["--resume=true", f"--out={tmp_path}", "--model.steps.kept_of_start=0.25"]
    run_stage("instruct", trained / "recipe.yaml", more)
    start = read_checkpoint(trained / "aligned").weights
    learnt, mixed = read_checkpoint(trained / "instructed").weights, read_checkpoint(tmp_path).weights
    name = "connector.outward.weight"
    assert not torch.equal(learnt[name], start[name])
    torch.testing.assert_close(mixed[name], 0.75 * learnt[name] + 0.25 * start[name], atol=1e-3, rtol=1e-2)


def test_stage_one_changes_the_connector_and_nothing_that_the_warm_up_taught(trained: Path) -> None:
    warmed = torch.load(trained / "work" / "align" / "warm-up" / "last.ckpt", weights_only=True)["state_dict"]
    aligned = read_checkpoint(trained / "aligned").weights
    changed = {n for n in aligned if not torch.equal(aligned[n], warmed[f"task.network.{n}"].half().float())}
    assert {name.split(".")[0] for name in changed} == {"connector"}


def test_the_warm_up_lowers_what_stage_one_starts_from(photos: Path, tmp_path: Path) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos, epochs=1)
    more = ["--model.warm_up.steps=100", "--model.warm_up.people_a_batch=16", "--model.warm_up.learning_rate=3e-3"]
    run_stage("align", recipe, more)
    rows = read_curves(tmp_path / "work" / "align" / "warm-up")
    losses = {name: [v for _, n, v in rows if n == name] for name in {name for _, name, _ in rows}}
    for name in ("train/answer_loss_nats", "train/caption_loss_nats"):
        assert losses[name][-1] < 0.75 * losses[name][0], losses[name]


def test_curves_are_kept_as_rows_a_picture_and_for_tensorboard(trained: Path) -> None:
    work = trained / "work" / "instruct"
    rows = read_curves(work)
    steps = sorted({step for step, name, _ in rows if name == "train/caption_loss_nats"})
    assert steps == list(range(1, 7))
    assert any(name == "held_out/vest_balanced_accuracy" for _, name, _ in rows)
    assert (work / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((work / "tensorboard").glob("events.out.tfevents.*"))


def test_what_is_written_is_the_running_mean_however_often_it_is_written(trained: Path, tmp_path: Path) -> None:
    run_stage("instruct", trained / "recipe.yaml", ["--resume=true", f"--out={tmp_path}"])
    once, again = (read_checkpoint(folder).weights for folder in (trained / "instructed", tmp_path))
    assert all(torch.equal(once[name], again[name]) for name in once)


def power_cut_after(step: int) -> list[str]:
    return ["--trainer.callbacks+=tests.builders_trainer.PowerCutAfter", f"--trainer.callbacks.step={step}"]


@pytest.mark.parametrize("stopped_after", [3, 4], ids=["at the end of an epoch", "within an epoch"])
def test_a_run_that_was_stopped_and_resumed_has_the_same_losses(
    photos: Path, trained: Path, tmp_path: Path, stopped_after: int
) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos)
    start = f"--start={trained / 'aligned'}"
    with pytest.raises(PowerCutError):
        run_stage("instruct", recipe, [start, *power_cut_after(stopped_after)])
    run_stage("instruct", recipe, [start, "--resume=true"])
    assert read_curves(tmp_path / "work" / "instruct") == read_curves(trained / "work" / "instruct")
    one, other = (read_checkpoint(folder / "instructed").weights for folder in (trained, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_was_begun_anew_is_not_resumed_from_the_one_before(photos: Path, tmp_path: Path) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos, epochs=1)
    work = tmp_path / "work" / "align"
    run_stage("align", recipe, [])
    with pytest.raises(PowerCutError):
        run_stage("align", recipe, ["--save_every_steps=100", *power_cut_after(0)])
    assert not (work / "last.ckpt").exists()
    with pytest.raises(PhotosError, match="nowhere"):
        run_stage("align", recipe, ["--data.folder=/nowhere"])
    assert not (work / "warm-up" / "last.ckpt").exists()


def test_a_run_of_so_many_steps_is_that_of_as_many_epochs(photos: Path, trained: Path, tmp_path: Path) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos)
    limits = ["--trainer.max_epochs=null", "--trainer.max_steps=6"]
    run_stage("instruct", recipe, [f"--start={trained / 'aligned'}", *limits])
    assert read_curves(tmp_path / "work" / "instruct") == read_curves(trained / "work" / "instruct")
    endless = ["--trainer.max_epochs=-1", f"--start={trained / 'aligned'}", f"--work={tmp_path / 'endless'}"]
    with pytest.raises(RecipeError, match="max_steps"):
        run_stage("instruct", recipe, endless)


def test_a_warm_up_that_was_stopped_goes_on(photos: Path, trained: Path, tmp_path: Path) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos)
    work = tmp_path / "work" / "align"
    with pytest.raises(PowerCutError):
        run_stage("align", recipe, power_cut_after(0))
    assert not (work / "last.ckpt").exists()  # stopped right behind the warm-up
    run_stage("align", recipe, ["--resume=true"])
    assert read_curves(work / "warm-up") == read_curves(trained / "work" / "align" / "warm-up")
    assert read_curves(work) == read_curves(trained / "work" / "align")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("--model.steps.learning_rate=-1", "greater than 0"),
        ("--model.steps.speed=3", "speed"),
        ("--speed=3", "speed"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_in_one_line(
    photos: Path, tmp_path: Path, entry: str, complaint: str
) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos)
    with pytest.raises(RecipeError, match=complaint) as raised:
        StageCLI(recipe, ["align", entry])
    assert "\n" not in str(raised.value)


def test_what_a_recipe_names_and_is_not_there_is_named(photos: Path, tmp_path: Path) -> None:
    recipe = tiny_compact_recipe(tmp_path, photos)
    for entry, error in (
        ("--data.folder=/nowhere", PhotosError),
        ("--start=/nowhere", ModelFolderError),
    ):
        with pytest.raises(error, match="nowhere"):
            run_stage("align", recipe, [entry])
    with pytest.raises(RecipeError, match=r"missing\.yaml"):
        run_stage("align", tmp_path / "missing.yaml", [])


def test_imagenets_weights_are_refused_to_a_backbone_of_another_size(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(StartingWeightsError, match=r"a backbone of width 1\.1 and depth 1\.2"):
        run_stage("align", tiny_compact_recipe(tmp_path, photos), ["--model.from_imagenet=true"])
