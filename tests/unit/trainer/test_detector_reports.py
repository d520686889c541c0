import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model.detector_network import EMBEDDED_FOLDER, DetectorFolder
from model.errors import ModelFolderError
from tests.conftest import real_data
from trainer.cli import app
from trainer.detector.evaluation import Agreement
from trainer.detector.reports import evaluate_detector, record


def test_recorded_figures_stand_in_the_card_and_the_weights_keep_their_name(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EMBEDDED_FOLDER, tmp_path / "detector"))
    before = DetectorFolder.open(folder)
    path = record(folder, {"a.mp4": Agreement(10, 8, 8), "labels": Agreement(4, 5, 3)})
    after = DetectorFolder.open(folder)
    assert json.loads(path.read_text())["measured"] == {
        "starting weights, a.mp4": {"recall": 0.8, "precision": 1.0, "expected": 10},
        "labels": {"recall": 0.75, "precision": 0.6, "expected": 4},
    }
    assert after.revision == before.revision
    assert after.card.training == before.card.training


def test_figures_are_not_recorded_where_there_is_no_detector(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"detector\.json is missing"):
        record(tmp_path, {})


def test_an_evaluation_adds_up_its_clips(clip, tmp_path: Path) -> None:
    figures = evaluate_detector(
        "embedded",
        starting_weights=real_data("weights/yolo11n_coco_dequant.pt"),
        clips=[clip("worker-zone.mp4"), clip("store-aisle.mp4")],
        cache_dir=tmp_path,
        at_most=3,
    )
    assert list(figures) == ["worker-zone.mp4", "store-aisle.mp4", "all clips"]
    assert figures["worker-zone.mp4"] + figures["store-aisle.mp4"] == figures["all clips"]
    assert figures["worker-zone.mp4"].expected == 3


def test_train_and_evaluate_say_what_they_need() -> None:
    for group in ("train", "evaluate"):
        shown = CliRunner().invoke(app, [group, "--help"])
        assert shown.exit_code == 0
        assert "detector" in shown.output
