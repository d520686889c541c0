"""Training a HumanVLM, tiny but real: the losses, a batch learnt by heart, a run from photos to a checkpoint."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from model.backbone import Backbone
from model.tokens import PAD, WordTokens
from model.vision_tower import VisionSizes
from tests.builders_photos import photo_folder
from tests.builders_trainer import TINY_SIZES
from trainer.augment import plain_view
from trainer.calibration import Answered
from trainer.holdout import split_people
from trainer.looks import Looks, LooksOfEpoch, looks_of
from trainer.people import Person, people_in
from trainer.photos import labelled_photos
from trainer.photos_data import PhotosData
from trainer.recipe import StepsRecipe
from trainer.stages import Stage
from trainer.task import CompactTask
from trainer.texts import HARD_HAT, agrees, all_texts, search_text_of

WORDS = WordTokens.of(all_texts())
VISION = VisionSizes(height_px=64, width_px=32, backbone_width=0.2, backbone_depth=0.3)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    folder = photo_folder(tmp_path_factory.mktemp("photos") / "train", count=3)
    return [person for photo in labelled_photos(folder) for person in people_in(photo, smallest_px=64)]


def tiny_task(stage: Stage = "instruct", **steps: object) -> CompactTask:
    torch.manual_seed(0)
    recipe = StepsRecipe(**{"frozen_backbone_layers": 0, "tokens_dropped": 0.0, "label_smoothing": 0.0, **steps})
    task = CompactTask(TINY_SIZES, recipe)
    task.begin(stage, None, PhotosData(Path("unread")))
    return task


@torch.no_grad()
def measured(task: CompactTask, looks: Looks) -> dict[str, float]:
    return {name: float(loss) for name, loss in task.losses(looks).items()}


def test_one_batch_can_be_learnt_by_heart(people: list[Person]) -> None:
    looks = looks_of([plain_view(person) for person in people], WORDS, VISION, np.random.default_rng(0))
    task = tiny_task()
    optimizer = torch.optim.AdamW(task.parameters(), lr=3e-3)
    first = measured(task, looks)
    assert first == pytest.approx({"answer": 1.360, "caption": 4.390, "search": 2.118}, abs=0.02)  # of this seed
    for _ in range(120):
        optimizer.zero_grad()
        torch.stack(list(task.losses(looks).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
    last = measured(task, looks)
    assert last["answer"] < 0.1 * first["answer"]
    assert last["caption"] < 0.2 * first["caption"]
    assert last["search"] < 0.2 * first["search"]


def test_what_is_not_known_costs_nothing(people: list[Person]) -> None:
    looks = looks_of([plain_view(person) for person in people], WORDS, VISION, np.random.default_rng(0))
    silent = looks._replace(
        answers=torch.full_like(looks.answers, -100), agreement=torch.full_like(looks.agreement, -1)
    )
    losses = measured(tiny_task(), silent)
    assert (losses["answer"], losses["search"]) == (0.0, 0.0)


def test_the_first_layers_of_the_backbone_stay_as_they_are() -> None:
    backbone = tiny_task(frozen_backbone_layers=3).network.vision_tower.backbone
    assert not any(parameter.requires_grad for layer in list(backbone)[:3] for parameter in layer.parameters())
    assert all(parameter.requires_grad for layer in list(backbone)[3:] for parameter in layer.parameters())


def test_stage_one_lets_the_connector_learn_and_nothing_else() -> None:
    learning = {name for name, parameter in tiny_task("align").named_parameters() if parameter.requires_grad}
    assert learning
    assert {name.split(".")[1] for name in learning} == {"connector"}


def test_a_caption_that_would_leave_out_a_colour_to_be_seen_is_not_learnt(people: list[Person]) -> None:
    chance, view = np.random.default_rng(0), plain_view(people[0])
    unnamed = replace(view, attributes=replace(view.attributes, vest_colour=None))
    grey = replace(unnamed, pixels=np.full_like(view.pixels, 128))
    learnt = looks_of([view, unnamed, grey], WORDS, VISION, chance).captions[:, 1:] != WORDS.id_of(PAD)
    assert learnt.any(dim=1).tolist() == [True, False, True]  # in grey there is no colour to leave out


def test_an_epoch_is_drawn_from_the_seed_and_its_number(people: list[Person]) -> None:
    def drawn(epoch: int) -> torch.Tensor:
        epochs = LooksOfEpoch(people, WORDS, VISION, batch=3, seed=1, epoch=epoch)
        return torch.cat([looks.pixels for looks in epochs])

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))


def test_more_processes_and_longer_epochs_draw_the_same_batches(people: list[Person]) -> None:
    looks = LooksOfEpoch(people, WORDS, VISION, batch=3, seed=1, epoch=0, rounds=4)
    assert len(looks) == 4 * len(people) // 3
    alone = list(looks)
    together = list(DataLoader(looks, batch_size=None, num_workers=2))
    assert len(alone) == len(together) == len(looks)
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_text_is_judged_of_each_person(people: list[Person]) -> None:
    chance = np.random.default_rng(0)
    views = [plain_view(person) for person in people]
    looks = looks_of(views, WORDS, VISION, chance)
    again = np.random.default_rng(0)
    texts = [search_text_of(view.attributes, again) for view in views]
    verdict = {True: 1, False: 0, None: -1}
    told = [text for text in texts if text is not None]
    judged = [[verdict[agrees(text.stated, view.attributes)] for text in told] for view in views]
    assert looks.agreement.tolist() == judged


def test_people_like_the_held_out_ones_are_not_learnt_from(people: list[Person]) -> None:
    backbone = Backbone(0.2, 0.3)
    sources = {person.source for person in people}
    percent = next(
        p for p in range(1, 100) if 0 < len(split_people(people, backbone, percent=p, alike=2.0)[1]) < len(people)
    )
    learnt, held_out = split_people(people, backbone, percent=percent, alike=2.0)
    assert {p.source for p in learnt} | {p.source for p in held_out} == sources
    assert not {p.source for p in learnt} & {p.source for p in held_out}
    # The drawn people of different photos are copies of each other but for the wall behind them.
    assert split_people(people, backbone, percent=percent, alike=-2.0)[0] == []


def test_the_temperature_softens_what_is_too_sure() -> None:
    chance = torch.Generator().manual_seed(0)
    right = torch.randint(0, 2, (400,), generator=chance)
    said = torch.where(torch.rand(400, generator=chance) < 0.75, right, 1 - right)
    logits = torch.nn.functional.one_hot(said, 3) * 9.0
    found = Answered(HARD_HAT, logits, right)
    assert found.balanced_accuracy() == pytest.approx(0.75, abs=0.06)
    assert found.calibration()[0] > 3


def test_a_network_that_leans_to_no_is_put_upright() -> None:
    chance = torch.Generator().manual_seed(0)
    right = torch.randint(0, 2, (600,), generator=chance)
    evidence = torch.where(right == 0, 1.0, -1.0) + torch.randn(600, generator=chance)
    logits = torch.stack([evidence - 1.5, -evidence, torch.full((600,), -9.0)], dim=1)
    _, (to_yes, to_no, to_neither) = Answered(HARD_HAT, logits, right).calibration()
    assert to_yes - to_no == pytest.approx(-1.5, abs=0.3)
    assert to_neither == 0  # never the right answer here: nothing is known of it


def test_a_network_that_never_says_cannot_tell_is_led_to_it() -> None:
    chance = torch.Generator().manual_seed(0)
    right = torch.randint(0, 3, (600,), generator=chance)
    evidence = torch.nn.functional.one_hot(right, 3) * 2.5 + torch.randn(600, 3, generator=chance)
    found = Answered(HARD_HAT, evidence - torch.tensor([0.0, 0.0, 4.0]), right)
    temperature, leaning = found.calibration()
    said = ((found.logits - torch.tensor(leaning)) / temperature).argmax(dim=1)
    assert (said[right == 2] == 2).float().mean() > 0.8
    assert (said[right != 2] == 2).float().mean() < 0.1
