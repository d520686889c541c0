import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from model.detector import PersonDetector
from model.detector_network import EMBEDDED_FOLDER, DetectorFolder
from model.errors import ModelCacheError, ModelFolderError
from model.letterbox import Letterbox
from tests.builders_detector import packaged_picture


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converted")


@pytest.fixture(scope="module")
def detector(cache_dir: Path) -> PersonDetector:
    return PersonDetector.load(engine="openvino", cache_dir=cache_dir)


def test_no_frames_give_no_detections(detector: PersonDetector) -> None:
    assert detector.detect([]) == []


def test_an_empty_scene_has_no_persons(detector: PersonDetector) -> None:
    (nobody,) = detector.detect([np.full((576, 768, 3), 90, np.uint8)])
    assert len(nobody) == 0
    assert nobody.boxes_xyxy.shape == (0, 4)


def test_the_persons_of_packaged_pictures_are_found(detector: PersonDetector) -> None:
    bus, zidane = detector.detect([packaged_picture("bus.jpg"), packaged_picture("zidane.jpg")])
    assert (bus.scores > 0.5).sum() == 4  # the fourth is cut by the left border
    assert (zidane.scores > 0.5).sum() == 2
    assert bus.boxes_xyxy.dtype == bus.scores.dtype == np.float32


def test_boxes_are_pixels_of_the_frame_and_inside_it(detector: PersonDetector) -> None:
    picture = packaged_picture("bus.jpg")
    (found,) = detector.detect([picture])
    height, width = picture.shape[:2]
    assert (found.boxes_xyxy >= 0).all()
    assert (found.boxes_xyxy <= [width, height, width, height]).all()
    tallest = (found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1]).max()
    assert tallest > height / 3


def test_the_surest_person_comes_first(detector: PersonDetector) -> None:
    (found,) = detector.detect([packaged_picture("bus.jpg")])
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores.min() >= detector.confidence


def test_results_do_not_depend_on_how_frames_are_grouped(detector: PersonDetector) -> None:
    bus, zidane = packaged_picture("bus.jpg"), packaged_picture("zidane.jpg")
    frames = [bus, zidane, bus[:, ::-1], zidane, np.ascontiguousarray(bus[:600]), bus]
    together = detector.detect(frames)
    alone = [detector.detect([frame])[0] for frame in frames]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_torch_and_openvino_find_the_same_persons(detector: PersonDetector, cache_dir: Path) -> None:
    in_torch = PersonDetector.load(engine="torch", cache_dir=cache_dir)
    picture = packaged_picture("bus.jpg")
    (one,), (other,) = detector.detect([picture]), in_torch.detect([picture])
    np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy, atol=1.5)
    np.testing.assert_allclose(one.scores, other.scores, atol=0.01)
    assert in_torch.revision == detector.revision


def test_a_higher_threshold_keeps_only_the_surer_persons(detector: PersonDetector, cache_dir: Path) -> None:
    strict = PersonDetector.load(engine="openvino", cache_dir=cache_dir, confidence=0.8)
    (every,), (sure,) = (d.detect([packaged_picture("bus.jpg")]) for d in (detector, strict))
    np.testing.assert_array_equal(sure.boxes_xyxy, every.boxes_xyxy[every.scores > 0.8])


def test_a_converted_network_is_kept_once_for_each_canvas_and_used_again(cache_dir: Path, tmp_path: Path) -> None:
    picture = packaged_picture("zidane.jpg")
    first = PersonDetector.load(engine="openvino", cache_dir=tmp_path).detect([picture])[0]
    entries = list(tmp_path.iterdir())
    assert [sorted(f.name for f in entry.iterdir()) for entry in entries] == [["network.bin", "network.xml"]]
    before = (entries[0] / "network.bin").stat().st_mtime_ns
    again = PersonDetector.load(engine="openvino", cache_dir=tmp_path).detect([picture])[0]
    assert (entries[0] / "network.bin").stat().st_mtime_ns == before
    np.testing.assert_array_equal(first.boxes_xyxy, again.boxes_xyxy)


def test_a_damaged_converted_network_is_converted_again(tmp_path: Path) -> None:
    picture = packaged_picture("zidane.jpg")
    first = PersonDetector.load(engine="openvino", cache_dir=tmp_path).detect([picture])[0]
    (entry,) = tmp_path.iterdir()
    (entry / "network.xml").write_text("<net")
    again = PersonDetector.load(engine="openvino", cache_dir=tmp_path).detect([picture])[0]
    np.testing.assert_array_equal(first.boxes_xyxy, again.boxes_xyxy)


def test_several_workers_may_convert_at_the_same_time(tmp_path: Path) -> None:
    picture = packaged_picture("zidane.jpg")
    results = []

    def work() -> None:
        results.append(PersonDetector.load(engine="openvino", cache_dir=tmp_path).detect([picture])[0])

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=240)
    assert len(results) == 2
    np.testing.assert_array_equal(results[0].boxes_xyxy, results[1].boxes_xyxy)
    assert len(list(tmp_path.iterdir())) == 1  # and no draft left behind


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    detector = PersonDetector.load(engine="openvino", cache_dir=blocked / "cache")
    with pytest.raises(ModelCacheError, match=r"cannot keep a converted model in .*file"):
        detector.detect([packaged_picture("zidane.jpg")])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="nowhere: there is no such folder"):
        PersonDetector.load(tmp_path / "nowhere", cache_dir=tmp_path)


def test_a_folder_without_weights_says_which_file_is_missing(tmp_path: Path) -> None:
    shutil.copy(EMBEDDED_FOLDER / "detector.json", tmp_path)
    with pytest.raises(ModelFolderError, match=r"detector\.safetensors is missing"):
        PersonDetector.load(tmp_path, cache_dir=tmp_path)


@pytest.mark.parametrize("card", ["no json", "[]", '{"confidence": 3}'])
def test_a_card_that_is_not_a_detectors_is_one_line(tmp_path: Path, card: str) -> None:
    shutil.copy(EMBEDDED_FOLDER / "detector.safetensors", tmp_path)
    (tmp_path / "detector.json").write_text(card)
    with pytest.raises(ModelFolderError, match=r"detector\.json is not a detector's") as caught:
        PersonDetector.load(tmp_path, cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_cut_short_weights_are_one_line(tmp_path: Path) -> None:
    shutil.copy(EMBEDDED_FOLDER / "detector.json", tmp_path)
    whole = (EMBEDDED_FOLDER / "detector.safetensors").read_bytes()
    (tmp_path / "detector.safetensors").write_bytes(whole[: len(whole) // 2])
    detector = PersonDetector.load(tmp_path, engine="openvino", cache_dir=tmp_path / "cache")
    with pytest.raises(ModelFolderError, match=r"detector\.safetensors cannot be read") as caught:
        detector.detect([packaged_picture("zidane.jpg")])
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    shutil.copy(EMBEDDED_FOLDER / "detector.json", tmp_path)
    weights = load_file(EMBEDDED_FOLDER / "detector.safetensors")
    save_file(dict(list(weights.items())[:-4]), tmp_path / "detector.safetensors")
    with pytest.raises(ModelFolderError, match=r"does not hold a yolo11n\.yaml"):
        PersonDetector.load(tmp_path, engine="torch", cache_dir=tmp_path)


def test_the_revision_names_the_weights_and_changes_with_them(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "other")
    weights = load_file(tmp_path / "other" / "detector.safetensors")
    first = next(iter(weights))
    weights[first] = weights[first] + 1
    save_file(weights, tmp_path / "other" / "detector.safetensors")
    shipped, other = DetectorFolder.open(), DetectorFolder.open(tmp_path / "other")
    assert shipped.revision.startswith("yolo11n-person-")
    assert shipped.revision != other.revision


def test_the_shipped_detector_is_small_and_says_what_it_was_measured_on() -> None:
    size_bytes = sum(path.stat().st_size for path in EMBEDDED_FOLDER.iterdir())
    assert size_bytes < 8_000_000
    card = json.loads((EMBEDDED_FOLDER / "detector.json").read_text())
    assert card["measured"]["starting weights, all clips"]["recall"] >= 0.95
    assert card["measured"]["starting weights, all clips"]["precision"] >= 0.90


@pytest.mark.parametrize(
    ("frame_size_wh", "canvas_size_wh"),
    [((768, 576), (640, 480)), ((480, 270), (640, 384)), ((1920, 1080), (640, 384)), ((810, 1080), (480, 640))],
)
def test_frames_are_read_at_the_smallest_canvas_of_their_shape(
    frame_size_wh: tuple[int, int], canvas_size_wh: tuple[int, int]
) -> None:
    assert Letterbox.fit(frame_size_wh, 640).canvas_size_wh == canvas_size_wh


@pytest.mark.parametrize("frame_size_wh", [(480, 270), (768, 576), (333, 777), (31, 17), (1, 1)])
def test_a_box_goes_to_the_canvas_and_back(frame_size_wh: tuple[int, int]) -> None:
    width, height = frame_size_wh
    placement = Letterbox.fit(frame_size_wh, 640)
    canvas = placement.place(np.zeros((height, width, 3), np.uint8))
    assert canvas.shape == (placement.canvas_size_wh[1], placement.canvas_size_wh[0], 3)
    left, top = placement.offset_xy
    whole = np.float32([[left, top, left + placement.scaled_size_wh[0], top + placement.scaled_size_wh[1]]])
    np.testing.assert_allclose(placement.to_frame(whole), [[0, 0, width, height]], atol=1e-3)


def test_worker_in_the_warehouse_is_found_in_every_frame(detector: PersonDetector, clip) -> None:
    from trainer.detector.evaluation import detections_on_clip

    per_frame = detections_on_clip(detector, clip("worker-zone.mp4"))
    assert len(per_frame) >= 24
    assert [len(found) for found in per_frame] == [1] * len(per_frame)
