"""What makes a run that was stopped and resumed the same run: where in the epoch it was, and what chance said there."""

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn
from typing_extensions import override

Batch = TypeVar("Batch", covariant=True)
LAST = "last.ckpt"


class SizedBatches(Sized, Iterable[Batch], Protocol[Batch]):
    """Batches of one epoch, as many as `len` says, the same ones every time they are asked for."""


@runtime_checkable
class Skipping(Protocol[Batch]):
    """Batches that need not make those that nobody wants."""

    def from_batch(self, first: int) -> Iterator[Batch]:
        """The batches from one on."""


class ResumableEpoch(Generic[Batch]):
    """One epoch's batches; Lightning saves how many were given, and a resumed run is given the others.

    >>> epoch = ResumableEpoch([1, 2, 3])
    >>> epoch.load_state_dict({"given": 2})
    >>> list(epoch), list(epoch)
    ([3], [1, 2, 3])
    """

    def __init__(self, batches: SizedBatches[Batch]) -> None:
        self._batches = batches
        self._given = 0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._others():
            self._given += 1  # before it is given: whoever saves is working on it
            yield batch
        self._given = 0

    def _others(self) -> Iterator[Batch]:
        if isinstance(self._batches, Skipping):
            return self._batches.from_batch(self._given)
        return islice(iter(self._batches), self._given, None)

    def state_dict(self) -> dict[str, int]:
        """What `load_state_dict` needs."""
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the batches that were given."""
        self._given = state["given"]


class StepSeeds(Callback):
    """Seeds torch anew before every batch, from the run's seed and the batch's place: there is nothing to save."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @override
    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed."""
        place = [self._seed, trainer.current_epoch, batch_idx, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`: written every so many steps and at the end of each epoch."""

    def __init__(self, folder: Path, *, every_steps: int) -> None:
        self._path = folder / LAST
        self._every_steps = every_steps
        self._saved_at = -1

    @override
    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save, where it is time."""
        step = trainer.global_step
        if step % self._every_steps == 0 and step != self._saved_at:
            self._save(trainer)

    @override
    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save."""
        self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self._path, weights_only=False)
        self._saved_at = trainer.global_step


class RunningMean(WeightAveraging):
    """Leaves a run with the running mean of its weights, also one that was resumed behind its last step."""

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    @override
    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the mean over: where nothing is left to train, Lightning tells nobody of the training's end."""
        self.on_train_end(trainer, pl_module)
