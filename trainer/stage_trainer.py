"""Lightning's trainer with the two stages as its methods: from weights to start from to a folder of weights."""

from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from trainer.provenance import git_revision
from trainer.resumable import LAST
from trainer.stages import Origin, Stage, StageData, StageTask


class StageTrainer(lightning.Trainer):
    """Runs a stage; the run's own files lie in its default root folder."""

    recipe: dict[str, Any] = {}  # noqa: RUF012 (replaced whole, by whoever read it)

    def align(
        self,
        model: StageTask,
        datamodule: StageData,
        out: Path = Path("artefacts/humanvlm-align"),
        start: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Stage 1: only the connector learns.

        Args:
            model: What learns.
            datamodule: What it learns from.
            out: Folder that the trained model is written to.
            start: Folder of weights to go on from.
            resume: Go on from the last checkpoint in the work folder.
        """
        self._learn("align", model, datamodule, out, start, resume=resume)

    def instruct(
        self,
        model: StageTask,
        datamodule: StageData,
        out: Path = Path("artefacts/humanvlm"),
        start: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Stage 2: connector and language model learn, and what the recipe says of the vision tower.

        Args:
            model: What learns.
            datamodule: What it learns from.
            out: Folder that the trained model is written to.
            start: Folder of weights to go on from: what stage 1 wrote.
            resume: Go on from the last checkpoint in the work folder.
        """
        self._learn("instruct", model, datamodule, out, start, resume=resume)

    def _learn(
        self, stage: Stage, task: StageTask, data: StageData, out: Path, start: Path | None, *, resume: bool
    ) -> None:
        last = Path(self.default_root_dir) / LAST
        checkpoint = last if resume and last.exists() else None
        task.begin(stage, start, data)
        if checkpoint is None:
            self.strategy.remove_checkpoint(last)  # of an earlier run, which a later `--resume` must not go on with
            task.rehearse(data, self, resume=resume)
        self.fit(task, datamodule=data, ckpt_path=checkpoint)
        if self.is_global_zero:
            task.export(out, data, self._origin(stage, data))
        self._part()

    def _part(self) -> None:
        """Leave the other processes of the run, once the first has written what was learnt.

        Who leaves earlier takes the first with it: a launcher ends all when one fails, and Gloo's threads, where nobody
        ends them, abort some of the processes that end.
        """
        self.strategy.barrier("the model is written")
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def _origin(self, stage: Stage, data: StageData) -> Origin:
        metrics = {name: round(float(value), 5) for name, value in self.callback_metrics.items()}
        return Origin(stage, data.fingerprint(), git_revision(), data.counts(), metrics, self.recipe)
