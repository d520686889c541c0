"""Before stage 1: a language model that has read nothing yet learns to read, from texts alone.

Where a picture will stand, it is given a description of a person in words, and is asked what it will be asked of
pictures. So when stage 1 freezes it, there is something to align to: a connector that makes of a picture what the
description was is understood.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from model.tokens import PAD, WordTokens
from model.vision_tower import VisionSizes
from trainer.augment import View
from trainer.curves import LearningCurves
from trainer.looks import Looks, looks_of
from trainer.people import Attributes
from trainer.photos_data import PhotosData
from trainer.recipe import WarmUpRecipe
from trainer.resumable import LAST, LastCheckpoint, ResumableEpoch, StepSeeds
from trainer.schedule import cooled
from trainer.texts import caption_of, statements_of, worded

if TYPE_CHECKING:
    from trainer.task import CompactTask

_NO_PICTURE = VisionSizes(height_px=32, width_px=32)  # the smallest: nobody looks at it
_BLANK = np.zeros((32, 32, 3), dtype=np.uint8)


class Described(NamedTuple):
    """A batch without pictures: `descriptions` (B, P) tokens in their place, and what is asked about them."""

    descriptions: Tensor
    looks: Looks


class Descriptions:
    """Descriptions of people put together from what is known of several: a batch follows from seed and number alone."""

    def __init__(
        self, people: Sequence[Attributes], words: WordTokens, *, length: int, batch: int, batches: int, seed: int
    ) -> None:
        self._people, self._words = people, words
        self._length, self._batch, self._batches, self._seed = length, batch, batches, seed

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[Described]:
        for index in range(self._batches):
            chance = np.random.default_rng((self._seed, index))
            people = [self._person(chance) for _ in range(self._batch)]
            looks = looks_of([View(_BLANK, person) for person in people], self._words, _NO_PICTURE, chance)
            yield Described(torch.tensor([self._description(person, chance) for person in people]), looks)

    def _person(self, chance: np.random.Generator) -> Attributes:
        head, body, place = (self._people[int(i)] for i in chance.integers(len(self._people), size=3))
        person = replace(head, vest=body.vest, vest_colour=body.vest_colour, top_colour=body.top_colour)
        person = replace(person, trousers_colour=body.trousers_colour, nearby=place.nearby)
        drawn = chance.random()
        if drawn < 0.12 and person.hard_hat is not None:
            person = replace(person, hard_hat="hidden", hat_colour=None, mask=person.mask and "hidden")
        elif drawn < 0.24 and person.vest is not None:
            person = replace(person, vest="hidden", vest_colour=None, top_colour=None)
        return person

    def _description(self, person: Attributes, chance: np.random.Generator) -> list[int]:
        """Everything that is known, as a caption or as a search would put it; as long as a picture."""
        text = caption_of(person, chance) if chance.random() < 0.5 else worded(statements_of(person), chance)
        ids = self._words.ids(text)[: self._length]
        return [*ids, *[self._words.id_of(PAD)] * (self._length - len(ids))]


class Reader(lightning.LightningModule):
    """What is being warmed up: the language model, and the heads of the search space."""

    def __init__(self, task: "CompactTask", recipe: WarmUpRecipe) -> None:
        super().__init__()
        self.task = task
        self._recipe = recipe
        for name, parameter in task.named_parameters():
            parameter.requires_grad_(not name.startswith(("network.vision_tower.", "network.connector.")))

    def training_step(self, described: Described, _index: int) -> Tensor:
        """The losses of stage 1 and 2, about a description."""
        tokens = self.task.network.language_model.embedded(described.descriptions)
        losses = self.task.losses_about(tokens, described.looks)
        self.log_dict({f"train/{name}_loss_nats": loss.detach() for name, loss in losses.items()}, prog_bar=True)
        return self.task.weighted(losses)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, warmed up and then cooled along a cosine."""
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=self._recipe.learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
        return cooled(optimizer, total_steps=self._recipe.steps, warmup_share=0.05)


def warm_up(
    task: "CompactTask", recipe: WarmUpRecipe, data: PhotosData, outer: lightning.Trainer, *, resume: bool
) -> None:
    """Teach a task's language model to read; its vision tower and connector stay as they are.

    Args:
        task: Its weights are changed in place.
        recipe: How long and how fast.
        data: The people whose attributes are described.
        outer: The run that this comes before: it lends its device, its precision and its folder.
        resume: Whether to go on where a warm-up in that folder was stopped.
    """
    work = Path(outer.default_root_dir) / "warm-up"
    last = work / LAST
    if not resume:
        outer.strategy.remove_checkpoint(last)  # of an earlier run
    data.setup()
    descriptions = Descriptions(
        [person.attributes for person in data.learnt],
        task.words,
        length=task.network.vision_tower.sizes.patches,
        batch=recipe.people_a_batch,
        batches=recipe.steps,
        seed=data.seed,
    )
    inner = lightning.Trainer(
        max_epochs=1,
        accelerator="auto",
        devices=1,
        precision=outer.precision,
        gradient_clip_val=1.0,
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=outer.progress_bar_callback is not None,
        callbacks=[
            StepSeeds(data.seed),
            LearningCurves(work, every_steps=5),
            LastCheckpoint(work, every_steps=200),
        ],
    )
    checkpoint = last if resume and last.is_file() else None
    inner.fit(Reader(task, recipe), ResumableEpoch(descriptions), ckpt_path=checkpoint)
