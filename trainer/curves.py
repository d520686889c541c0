"""The learning curves of a run: one CSV that grows, and a picture of it."""

import csv
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Checkpoint
from typing_extensions import override

CURVES = "curves.csv"
COLUMNS = ("step", "name", "value")
Row = tuple[int, str, float]


class LearningCurves(Checkpoint):
    """Writes `curves.csv` (step, name, value) and `curves.png` into the run's folder.

    A resumed run goes on in the same file; what was written after the step it resumes from is dropped first.
    A `Checkpoint` in Lightning's terms only because those are called last: behind whoever measures at an epoch's end.
    """

    def __init__(self, folder: Path, *, every_steps: int) -> None:
        self._folder, self._every_steps = folder, every_steps
        self._rows: list[Row] = []

    @override
    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take up what an earlier part of the run has written."""
        if not trainer.is_global_zero:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._rows = [row for row in read_curves(self._folder) if row[0] <= trainer.global_step]
        with self._path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *self._rows])

    @override
    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write down the figures of a step, where it is time."""
        step = trainer.global_step
        is_noted = bool(self._rows) and self._rows[-1][0] == step  # by an earlier part of the same batch
        if trainer.is_global_zero and step and step % self._every_steps == 0 and not is_noted:
            self._note(trainer, step, "train/")

    @override
    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write down the figures of the epoch, and draw."""
        if trainer.is_global_zero:
            self._note(trainer, trainer.global_step, "held_out/")
            draw_curves(self._rows, self._folder / "curves.png")

    @property
    def _path(self) -> Path:
        return self._folder / CURVES

    def _note(self, trainer: lightning.Trainer, step: int, prefix: str) -> None:
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(prefix)}
        rows = [(step, name, value) for name, value in sorted(found.items())]
        self._rows.extend(rows)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def read_curves(folder: Path) -> list[Row]:
    """The rows of a run's `curves.csv`, less one that was cut off as it was written; none where there is none."""
    path = folder / CURVES
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        whole = [line for line in file if line.endswith("\n")]
    return [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(whole)]


def draw_curves(rows: list[Row], path: Path) -> None:
    """Draw losses on the left and what was measured on held-out people on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    for axes, prefix, title in zip(
        figure.subplots(1, 2), ("train/", "held_out/"), ("loss, nats", "held out"), strict=True
    ):
        for name in sorted({name for _, name, _ in rows if name.startswith(prefix)}):
            points = [(step, value) for step, named, value in rows if named == name]
            axes.plot(*zip(*points, strict=True), marker=".", markersize=3, label=name.removeprefix(prefix))
        axes.set_title(title)
        axes.set_xlabel("step")
        if axes.lines:
            axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
