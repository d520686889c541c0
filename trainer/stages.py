"""The two stages of training, and what a model and its data owe them.

Stage 1, *align*, moves the connector alone. Stage 2, *instruct*, moves the connector and the language model, and of the
vision tower as much as the recipe says. After LLaVA (https://arxiv.org/abs/2304.08485) and HumanVLM
(https://arxiv.org/abs/2411.03034).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as lightning

from trainer.schedule import steps_of_run

Stage = Literal["align", "instruct"]
STAGES: tuple[Stage, ...] = ("align", "instruct")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where weights come from: what is written beside them."""

    stage: Stage
    data_fingerprint: str
    git_revision: str
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    recipe: Mapping[str, Any] = field(default_factory=dict)


class StageData(lightning.LightningDataModule):
    """Batches of one stage; ready after `setup`."""

    @property
    @abstractmethod
    def batches_an_epoch(self) -> int:
        """Batches that this process gets in one epoch."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits: other data, other digits."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How many rows there are of each kind, those that were skipped included."""


class StageTask(lightning.LightningModule):
    """A model in training."""

    stage: Stage = "align"

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the run.

        Raises:
            RecipeError: it has no end.
        """
        run, data = self.trainer, self.trainer.datamodule  # type: ignore[attr-defined]
        return steps_of_run(
            run.max_epochs,
            run.max_steps,
            batches_an_epoch=data.batches_an_epoch,
            batches_a_step=run.accumulate_grad_batches,
        )

    @abstractmethod
    def begin(self, stage: Stage, start: Path | None, data: StageData) -> None:
        """Get ready for a stage.

        Args:
            stage: Which.
            start: The folder of weights to go on from; None begins with those that the recipe names.
            data: What will be learnt from: it is told how the model reads.
        """

    @abstractmethod
    def learns(self, name: str) -> bool:
        """Whether the stage moves the parameter of this name."""

    def rehearse(self, data: StageData, trainer: lightning.Trainer, *, resume: bool) -> None:
        """What comes before the first step of a run; nothing, unless a model says otherwise."""

    @abstractmethod
    def export(self, out: Path, data: StageData, origin: Origin) -> None:
        """Write a folder that `HumanVLM.load` reads."""
