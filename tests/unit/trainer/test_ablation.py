"""The ablation on a tiny model: every variant is trained, measured and told apart by what it left out."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from model.checkpoint import read_checkpoint
from tests.builders_photos import photo_folder
from tests.builders_trainer import tiny_compact_recipe
from trainer.ablation import AblationRecipe, run_ablation
from trainer.cli import app
from trainer.errors import PhotosError, RecipeError
from trainer.stage_cli import StageCLI

pytestmark = [
    # Lightning's own: it advises on workers, and calls what torch has deprecated.
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]
BOTH, WITHOUT, FIRST = "both", "stage 2 without captions", "stage 1 only"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    photo_folder(folder / "train", count=8)
    photo_folder(folder / "val", count=2)
    return folder


def ablation_file(folder: Path, photos: Path, **entries: object) -> Path:
    recipe = tiny_compact_recipe(folder, photos, epochs=3)
    contents = {
        "recipe": str(recipe),
        "data": str(photos / "val"),
        "work": str(folder / "ablation"),
        "align": {"trainer.max_epochs": 1},
        "instruct": {"trainer.max_epochs": 1},
        "variants": {FIRST: None, WITHOUT: {"model.steps.caption_weight": 0}, BOTH: {}},
        **entries,
    }
    path = folder / "ablation.yaml"
    path.write_text(yaml.safe_dump(contents, sort_keys=False))
    return path


def test_one_command_trains_measures_and_tabulates_every_variant_and_a_second_one_keeps_them(
    photos: Path, tmp_path: Path
) -> None:
    path = ablation_file(tmp_path, photos)
    ran = CliRunner().invoke(app, ["train", "ablation", "--config", str(path)], catch_exceptions=False)
    table = (tmp_path / "ablation" / "report" / "ablation.md").read_text()
    assert table in ran.output
    assert f"| {FIRST} | {WITHOUT} | {BOTH} |" in table
    assert "search recall at 10" in table

    models = {name: tmp_path / "ablation" / name / "model" for name in ("aligned", "stage-2-without-captions", "both")}
    origins = {name: json.loads((folder / "training.json").read_text()) for name, folder in models.items()}
    assert [origin["stage"] for origin in origins.values()] == ["align", "instruct", "instruct"]
    weights = {name: origins[name]["recipe"]["model"]["init_args"]["steps"]["caption_weight"] for name in origins}
    assert weights == {"aligned": 0.5, "stage-2-without-captions": 0, "both": 0.5}
    assert {origin["recipe"]["trainer"]["max_epochs"] for origin in origins.values()} == {1}

    written = {name: (folder / "model.safetensors").stat().st_mtime_ns for name, folder in models.items()}
    again = run_ablation(AblationRecipe.read(path), resume=True)
    assert [report.model for report in again] == [FIRST, WITHOUT, BOTH]
    assert written == {name: (folder / "model.safetensors").stat().st_mtime_ns for name, folder in models.items()}
    lone, whole = (read_checkpoint(models[name]).weights for name in ("stage-2-without-captions", "both"))
    assert any(bool((lone[name] != whole[name]).any()) for name in whole)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ({"variants": {}}, "variants"),
        ({"speed": 3}, "speed"),
        ({"align": {"a": [1]}}, "align"),
        ({"variants": {"+captions": {}, "-captions": {}}}, r"'-captions' would share the folder of '\+captions'"),
        ({"variants": {"Aligned": {}}}, "folder of stage 1"),
        ({"variants": {"+": {}}}, "folder of all"),
    ],
)
def test_an_ablation_that_cannot_be_followed_is_refused(
    photos: Path, tmp_path: Path, entries: dict[str, object], complaint: str
) -> None:
    with pytest.raises(RecipeError, match=complaint):
        AblationRecipe.read(ablation_file(tmp_path, photos, **entries))


def test_variants_are_named_in_any_script(photos: Path, tmp_path: Path) -> None:
    variants = {"без подписей": {}, "с подписями": {}, "aligned": None}
    assert list(AblationRecipe.read(ablation_file(tmp_path, photos, variants=variants)).variants) == list(variants)


def test_what_an_ablation_is_measured_on_is_looked_for_before_anything_is_trained(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="nowhere"):
        run_ablation(AblationRecipe.read(ablation_file(tmp_path, photos, data="/nowhere")))
    assert not (tmp_path / "ablation").exists()


def test_the_shipped_ablation_fits_the_recipe_that_it_takes_apart() -> None:
    root = Path(__file__).parents[3]
    ablation = AblationRecipe.read(root / "trainer" / "configs" / "ablation.yaml")
    assert list(ablation.variants) == ["stage 1 only", "stage 2 without the detailed captions", "both"]
    stages = [("align", ablation.align)]
    stages += [("instruct", {**ablation.instruct, **entries}) for entries in ablation.variants.values() if entries]
    for stage, entries in stages:
        StageCLI(root / ablation.recipe, [stage, *[f"--{e}={v}" for e, v in entries.items()]], until="built")
