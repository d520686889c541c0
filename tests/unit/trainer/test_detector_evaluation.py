from pathlib import Path

import numpy as np
import pytest

from model.detector import PersonDetector
from tests.builders_detector import found
from tests.conftest import real_data
from trainer.detector.evaluation import (
    Agreement,
    StartingWeights,
    agreement,
    box_overlaps,
    compare,
    detections_on_clip,
)
from trainer.errors import EvaluationError

NONE = np.empty((0, 4), np.float32)
BOX = np.float32([[0, 0, 10, 20]])


def test_nothing_expected_and_nothing_found_is_perfect() -> None:
    nothing = compare(NONE, NONE)
    assert (nothing.recall, nothing.precision) == (1.0, 1.0)


def test_a_missed_person_costs_recall_and_an_invented_one_precision() -> None:
    assert compare(NONE, BOX).recall == 0.0
    assert compare(BOX, NONE).precision == 0.0


def test_a_person_counts_once_however_often_it_is_found() -> None:
    twice = np.concatenate([BOX, BOX + np.float32(0.5)])
    assert compare(twice, BOX) == Agreement(expected=1, found=2, matched=1)


def test_the_surer_box_chooses_first() -> None:
    expected = np.float32([[0, 0, 10, 20], [4, 0, 14, 20]])
    surest_between, other = np.float32([[1, 0, 11, 20]]), np.float32([[0, 0, 10, 20]])
    assert compare(np.concatenate([surest_between, other]), expected).matched == 1
    assert compare(np.concatenate([other, surest_between]), expected).matched == 2


@pytest.mark.parametrize(("shift", "matched"), [(3.3, 1), (3.4, 0)])
def test_half_of_the_union_is_the_same_box(shift: float, matched: int) -> None:
    assert compare(BOX + np.float32([shift, 0, shift, 0]), BOX).matched == matched


def test_overlaps_are_shares_of_the_union() -> None:
    overlaps = box_overlaps(BOX, np.float32([[0, 0, 10, 20], [5, 0, 15, 20], [50, 50, 60, 60], [3, 3, 3, 3]]))
    np.testing.assert_allclose(overlaps, [[1.0, 1 / 3, 0.0, 0.0]])


def test_counts_add_up_over_frames() -> None:
    frames = [found((0, 0, 10, 20, 0.9)), found(), found((0, 0, 10, 20, 0.9))]
    expected = [found((0, 0, 10, 20, 0.9)), found((0, 0, 10, 20, 0.9)), found()]
    assert agreement(frames, expected) == Agreement(expected=2, found=2, matched=1)


def test_a_file_that_is_no_clip_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(EvaluationError, match=r"cannot evaluate on .*text\.mp4"):
        detections_on_clip(StartingWeights.__new__(StartingWeights), text)


def test_starting_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"nowhere\.pt: there is no such checkpoint"):
        StartingWeights(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("name", ["pedestrians.avi", "one-by-one.mp4", "store-aisle.mp4"])
def test_the_shipped_detector_agrees_with_its_starting_weights_on_footage(clip, tmp_path: Path, name: str) -> None:
    starting = StartingWeights(real_data("weights/yolo11n_coco_dequant.pt"))
    shipped = PersonDetector.load(engine="openvino", cache_dir=tmp_path)
    mine, theirs = (detections_on_clip(one, clip(name), at_most=60) for one in (shipped, starting))
    figures = agreement(mine, theirs)
    assert figures.expected > 0
    assert figures.recall >= 0.95, figures
    assert figures.precision >= 0.90, figures
