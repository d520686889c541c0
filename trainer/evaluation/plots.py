"""Reports as pictures: confusion, reliability, and a radar chart over the tasks of all models."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes

from trainer.evaluation.report import PhotoScores, Report
from trainer.evaluation.scores import Confusion, ReliabilityBin

_PANEL_INCHES = 3.4
_COLUMNS = 3
_TITLE_WIDTH = 40


def draw_report(report: Report, folder: Path) -> list[Path]:
    """A model's confusion and reliability as PNG files; none where it was measured on no photos."""
    if report.photos is None or not report.photos.answering.scores:
        return []
    return [
        _draw_confusion(report.photos, folder / f"{report.slug}.confusion.png"),
        _draw_reliability(report.photos, folder / f"{report.slug}.reliability.png"),
    ]


def draw_radar(reports: Sequence[Report], path: Path) -> Path:
    """The tasks of all models as one radar chart; a task that a model lacks counts 0."""
    tasks = list(dict.fromkeys(name for report in reports for name in report.tasks()))
    angles = np.linspace(0, 2 * np.pi, len(tasks), endpoint=False)
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    for report in reports:
        values = [report.tasks().get(name, 0.0) for name in tasks]
        axes.plot([*angles, angles[0]], [*values, values[0]], marker="o", label=report.model)
        axes.fill([*angles, angles[0]], [*values, values[0]], alpha=0.12)
    axes.set_xticks(angles, tasks)
    axes.tick_params(axis="x", pad=12)
    axes.set_ylim(0, 1)
    axes.set_rlabel_position(180 / max(len(tasks), 1))  # between two axes, where no line hides it
    figure.legend(loc="outside lower center", ncols=2)
    return _saved(figure, path)


def _draw_confusion(photos: PhotoScores, path: Path) -> Path:
    scores = photos.answering.scores

    def panel(axes: Axes, text: str) -> None:
        _confusion(axes, scores[text].confusion)

    return _panels(list(scores), panel, path)


def _draw_reliability(photos: PhotoScores, path: Path) -> Path:
    pooled = "all questions"
    bins = {pooled: photos.answering.reliability}
    bins |= {text: score.reliability for text, score in photos.answering.scores.items()}

    def panel(axes: Axes, text: str) -> None:
        _reliability(axes, bins[text])

    return _panels(list(bins), panel, path)


def _panels(titles: Sequence[str], panel: Callable[[Axes, str], None], path: Path) -> Path:
    rows = -(-len(titles) // _COLUMNS)
    figure = Figure(figsize=(_COLUMNS * _PANEL_INCHES, rows * _PANEL_INCHES), layout="constrained")
    for position, title in enumerate(titles, start=1):
        axes = figure.add_subplot(rows, _COLUMNS, position)
        axes.set_title(_wrapped(title), fontsize=9)
        panel(axes, title)
    return _saved(figure, path)


def _confusion(axes: Axes, confusion: Confusion) -> None:
    people = np.array(confusion.people, dtype=np.float64)
    shares = people / np.maximum(people.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(confusion.said)), confusion.said, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(confusion.labelled)), confusion.labelled, fontsize=8)
    axes.set_xlabel("said", fontsize=8)
    axes.set_ylabel("labelled", fontsize=8)
    for (row, column), count in np.ndenumerate(people):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, fontsize=8)


def _reliability(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.plot([part.sure for part in bins], [part.right for part in bins], marker="o", markersize=4)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("probability of the forced answer", fontsize=8)
    axes.set_ylabel("share right", fontsize=8)
    axes.tick_params(labelsize=8)


def _wrapped(title: str) -> str:
    if len(title) <= _TITLE_WIDTH:
        return title
    cut = title.rfind(" ", 0, _TITLE_WIDTH)
    return f"{title[:cut]}\n{title[cut + 1 :]}"


def _saved(figure: Figure, path: Path) -> Path:
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=110)
    return path
