import copy
import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from model.detector import PersonDetector
from model.detector_network import DetectorFolder, keep_person, person_network
from model.ultralytics_loading import ultralytics_tamed
from tests.builders_detector import packaged_picture
from trainer.detector.losses import RawOutputs, known_persons, missed_persons, teacher_loss
from trainer.detector.photos import LabelledPhoto, PersonBatch, PersonPhotos, collate, training_photos
from trainer.detector.task import Adaptation, DetectorTask
from trainer.detector.training import DetectorRecipe, train_detector
from trainer.errors import PhotosError, RecipeError
from trainer.photos import PERSON, LabelledBox

SIZE = 256
HIDDEN_PERSON = (110.0, 60.0, 160.0, 150.0)  # where the picture below shows none: what only a label knows


def bus_batch(*boxes: tuple[float, ...]) -> PersonBatch:
    picture = cv2.resize(packaged_picture("bus.jpg"), (SIZE, SIZE))
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    return PersonBatch(pixels, [torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)])


def shipped() -> nn.Module:
    return DetectorFolder.open().network()


def task(**changes: float) -> DetectorTask:
    return DetectorTask(shipped(), shipped(), Adaptation(**changes))


def test_student_and_teacher_agree_at_the_start() -> None:
    start = task()
    with torch.no_grad():
        _, from_teacher = start.losses(bus_batch())
    assert from_teacher.item() == pytest.approx(0.0, abs=1e-5)


def test_a_changed_student_is_held_back_by_its_teacher() -> None:
    network = shipped()
    with torch.no_grad():
        network.model[-1].cv3[2][-1].bias += 1.0
        _, from_teacher = DetectorTask(network, shipped(), Adaptation()).losses(bus_batch())
    assert from_teacher.item() > 0.01


def outputs(seed: int) -> RawOutputs:
    chance = torch.Generator().manual_seed(seed)
    scores, sides = torch.randn(1, 6, generator=chance), torch.randn(1, 64, 6, generator=chance)
    return RawOutputs(scores, sides, torch.rand(6, 2), torch.full((6, 1), 8.0))


def test_anchors_that_do_not_count_cost_nothing() -> None:
    assert teacher_loss(outputs(1), outputs(2), torch.zeros(1, 6, dtype=torch.bool)).item() == 0.0
    assert teacher_loss(outputs(1), outputs(2), torch.ones(1, 6, dtype=torch.bool)).item() > 0.0


def test_labels_that_the_teacher_found_as_well_are_not_missed() -> None:
    labels = torch.tensor([[0.0, 0.0, 10.0, 20.0], [50.0, 50.0, 60.0, 70.0]])
    (missed,) = missed_persons([labels], [labels[:1] + 1], same_person_iou=0.3)
    assert missed.tolist() == labels[1:].tolist()
    (every,) = missed_persons([labels], [labels[:0]], same_person_iou=0.3)
    assert every.tolist() == labels.tolist()


def test_without_missed_persons_the_labels_ask_for_nothing() -> None:
    learner = task()
    with torch.no_grad():
        from_labels, _ = learner.losses(bus_batch())
    assert from_labels.item() == 0.0


def test_frozen_layers_stay_the_teachers() -> None:
    learner = task()
    labels, from_teacher = learner.losses(bus_batch(HIDDEN_PERSON))
    (labels + from_teacher).backward()
    assert all(p.grad is None for layer in learner.network.model[:11] for p in layer.parameters())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in learner.network.model[11:].parameters())


def test_a_few_steps_on_one_batch_learn_the_person_whom_the_teacher_missed() -> None:
    learner, batch = task(), bus_batch(HIDDEN_PERSON)
    before = best_score_near(learner.network, batch, HIDDEN_PERSON)
    optimizer = torch.optim.AdamW(learner.network.parameters(), lr=5e-4)
    losses = []
    for _ in range(12):
        labels, from_teacher = learner.losses(batch)
        optimizer.zero_grad()
        (labels + from_teacher).backward()
        optimizer.step()
        losses.append(labels.item())
    assert losses[-1] < 0.8 * losses[0]
    assert best_score_near(learner.network, batch, HIDDEN_PERSON) > before + 0.1


def best_score_near(network: nn.Module, batch: PersonBatch, box: tuple[float, ...]) -> float:
    x0, y0, x1, y1 = box
    with torch.no_grad():
        rows = network(batch.pixels)[0][0]
    inside = (rows[0] > x0) & (rows[0] < x1) & (rows[1] > y0) & (rows[1] < y1)
    return float(rows[4, inside].max())


def test_the_teacher_and_the_batch_norms_statistics_never_move() -> None:
    learner = task()
    learner.train()
    statistics = copy.deepcopy({n: b for n, b in learner.network.named_buffers() if "running" in n})
    labels, from_teacher = learner.losses(bus_batch(HIDDEN_PERSON))
    (labels + from_teacher).backward()
    assert all(parameter.grad is None for parameter in learner.teacher.parameters())
    assert all(torch.equal(b, statistics[n]) for n, b in learner.network.named_buffers() if n in statistics)


def test_the_teachers_boxes_are_those_a_detector_finds(tmp_path: Path) -> None:
    batch = bus_batch()
    with torch.no_grad():
        (boxes,) = known_persons(shipped()(batch.pixels)[0], 0.5)
    detector = PersonDetector.load(engine="torch", cache_dir=tmp_path, confidence=0.5, image_size=SIZE)
    picture = cv2.resize(packaged_picture("bus.jpg"), (SIZE, SIZE))
    (found,) = detector.detect([picture])
    np.testing.assert_allclose(sorted(boxes[:, 0].tolist()), sorted(found.boxes_xyxy[:, 0].tolist()), atol=1.0)


def test_only_the_person_row_of_a_coco_network_is_kept() -> None:
    with ultralytics_tamed():
        from ultralytics.nn.tasks import DetectionModel

    coco = DetectionModel("yolo11n.yaml", nc=80, verbose=False).eval()
    pixels = bus_batch().pixels
    with torch.no_grad():
        every = coco(pixels)[0]
        person = keep_person(coco)(pixels)[0]
    assert person.shape[1] == 5
    torch.testing.assert_close(person, every[:, :5])


def labelled(name: str = "bus", *boxes: tuple[float, ...]) -> LabelledPhoto:
    rows = boxes or ((50.0, 400.0, 240.0, 900.0),)
    labels = [LabelledBox(PERSON, np.float32(row)) for row in rows] + [LabelledBox(0, np.float32([1, 1, 9, 9]))]
    return LabelledPhoto(name, name, packaged_picture("bus.jpg"), tuple(labels))


def test_views_differ_but_each_is_always_the_same() -> None:
    views = PersonPhotos([labelled()], image_size=128, views=20, seed=3)
    assert len(views) == 20
    assert torch.equal(views[7].pixels, views[7].pixels)
    assert not torch.equal(views[7].pixels, views[8].pixels)


def test_boxes_of_views_stay_on_the_canvas_and_hold_only_persons() -> None:
    views = PersonPhotos([labelled()], image_size=160, views=60, seed=0)
    samples = [views[i] for i in range(60)]
    boxes = torch.cat([sample.boxes_xyxy for sample in samples])
    assert len(boxes) > 20
    assert boxes.min() >= 0
    assert boxes.max() <= 160
    assert (boxes[:, 2:] - boxes[:, :2]).min() >= 8
    assert {tuple(sample.pixels.shape) for sample in samples} == {(3, 160, 160)}


def test_boxes_move_with_the_pixels() -> None:
    white = np.zeros((400, 400, 3), np.uint8)
    white[100:300, 150:250] = 255
    photo = LabelledPhoto("white", "white", white, (LabelledBox(PERSON, np.float32([150, 100, 250, 300])),))
    views = PersonPhotos([photo], image_size=320, views=40, seed=1)
    seen = 0
    for sample in (views[i] for i in range(40)):
        bright = (sample.pixels > 165).all(dim=0)
        for x0, y0, x1, y1 in sample.boxes_xyxy.round().int().tolist():
            assert bright[y0 : y1 + 1, x0 : x1 + 1].float().mean() > 0.85
            seen += 1
    assert seen > 20


def test_a_batch_holds_the_boxes_of_each_view() -> None:
    views = PersonPhotos([labelled()], image_size=128, views=4, seed=0)
    batch = collate([views[i] for i in range(4)])
    assert batch.pixels.shape == (4, 3, 128, 128)
    assert 0 <= batch.pixels.min() <= batch.pixels.max() <= 1
    assert len(batch.boxes_xyxy) == 4


def photo_folder(folder: Path, count: int) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    picture = cv2.resize(packaged_picture("bus.jpg"), (160, 160))
    for i in range(count):
        for copy_ in "ab":
            stem = f"photo{i}.rf.{copy_}"
            cv2.imwrite(str(folder / "images" / f"{stem}.jpg"), picture[..., ::-1])
            (folder / "labels" / f"{stem}.txt").write_text("5 0.18 0.6 0.23 0.46\n0 0.1 0.1 0.1 0.1")
    return folder


def test_copies_of_one_photo_are_never_on_both_sides(tmp_path: Path) -> None:
    train, held_out = training_photos(photo_folder(tmp_path / "train", 20), held_out_share=0.3)
    assert len(train) + len(held_out) == 40
    assert train
    assert held_out
    assert not {p.source for p in train} & {p.source for p in held_out}


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="cannot read labelled photos in"):
        training_photos(tmp_path, held_out_share=0.1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("photos: [", "no YAML"),
        ("photos: x", "starting_weights: Field required"),
        ("photos: x\nstarting_weights: y\nspeed: 3", "speed: Extra inputs are not permitted"),
        ("photos: x\nstarting_weights: y\nadaptation: {speed: 3}", "adaptation: .*speed"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    with pytest.raises(RecipeError, match=reason) as caught:
        DetectorRecipe.read(recipe)
    assert "\n" not in str(caught.value)


def test_the_shipped_recipe_can_be_read() -> None:
    recipe = DetectorRecipe.read(Path(__file__).parents[3] / "trainer" / "configs" / "detector.yaml")
    assert recipe.settings().steps > 0


def test_missing_starting_weights_are_named(tmp_path: Path) -> None:
    recipe = DetectorRecipe(
        photos=photo_folder(tmp_path / "p" / "train", 1).parent, starting_weights=tmp_path / "no.pt"
    )
    with pytest.raises(RecipeError, match=r"no\.pt: starting_weights: there is no such file"):
        train_detector(recipe, out=tmp_path / "out", work=tmp_path / "work")


def test_training_writes_a_detector_that_loads_and_can_be_resumed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    coco = DetectorFolder.open().network()
    torch.save({"model": coco_from(coco)}, tmp_path / "start.pt")
    recipe = DetectorRecipe(
        photos=photo_folder(tmp_path / "photos" / "train", 2).parent,
        starting_weights=tmp_path / "start.pt",
        image_size=64,
        photos_a_batch=2,
        save_every_steps=1,
        adaptation={"steps": 2, "warmup_steps": 1},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice about loggers, workers and short epochs
        train_detector(recipe, out=tmp_path / "out", work=tmp_path / "work")
        train_detector(recipe, out=tmp_path / "again", work=tmp_path / "work", resume=True)
        other = recipe.model_copy(update={"seed": 7})
        train_detector(other, out=tmp_path / "other", work=tmp_path / "work")
        train_detector(other, out=tmp_path / "other-again", work=tmp_path / "work", resume=True)
    card = json.loads((tmp_path / "out" / "detector.json").read_text())
    assert card["training"]["steps_taken"] == 2
    assert PersonDetector.load(tmp_path / "out", engine="torch", cache_dir=tmp_path).revision.startswith("yolo11n-")
    names = ("out", "again", "other", "other-again")
    first, again, second, second_again = ((tmp_path / n / "detector.safetensors").read_bytes() for n in names)
    assert first == again
    assert second == second_again
    assert first != second


def coco_from(person: nn.Module) -> nn.Module:
    """A network with COCO's 80 classes whose person is that of `person`: what starting weights look like."""
    with ultralytics_tamed():
        from ultralytics.nn.tasks import DetectionModel

    coco = DetectionModel("yolo11n.yaml", nc=80, verbose=False)
    weights = {name: tensor for name, tensor in person.state_dict().items() if "cv3" not in name or ".2." not in name}
    coco.load_state_dict(weights, strict=False)
    return coco


def test_a_network_for_persons_has_one_class() -> None:
    network = person_network()
    assert network.model[-1].nc == 1
    assert network.names == {0: "person"}
