"""What an evaluated detector's figures are, as plain values that a table, a card and a test can all read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from model.detector import PersonDetector
from model.detector_network import CARD_FILE, DetectorFolder
from trainer.detector.evaluation import (
    Agreement,
    StartingWeights,
    agreement,
    agreement_on_photos,
    detections_on_clip,
)


def evaluate_detector(
    name: str | Path,
    *,
    starting_weights: Path,
    clips: Sequence[Path],
    photos: Path | None = None,
    cache_dir: Path,
    at_most: int | None = None,
) -> dict[str, Agreement]:
    """A detector against the starting weights on clips, and both against the labels of photos.

    Args:
        name: The detector, as `PersonDetector.load` takes it; run at its own threshold.
        starting_weights: An Ultralytics checkpoint, run as Ultralytics runs it at its default threshold of 0.25.
        clips: Videos, sampled at 5 frames a second.
        photos: A folder with images/ and labels/, or None.
        cache_dir: For the converted network.
        at_most: Frames of each clip, spread over its length; None for all.

    Returns:
        Against the starting weights by clip name and for `all clips`; against labels, `labels` and `labels, starting
        weights`.
    """
    student = PersonDetector.load(name, engine="openvino", cache_dir=cache_dir)
    teacher = StartingWeights(starting_weights)
    figures: dict[str, Agreement] = {}
    for clip in clips:
        found = detections_on_clip(student, clip, at_most=at_most)
        figures[clip.name] = agreement(found, detections_on_clip(teacher, clip, at_most=at_most))
    figures["all clips"] = sum(figures.values(), Agreement())
    if photos is not None:
        figures["labels"] = agreement_on_photos(student, photos)
        figures["labels, starting weights"] = agreement_on_photos(teacher, photos)
    return figures


def record(name: str | Path, figures: Mapping[str, Agreement]) -> Path:
    """Write figures into the card of a detector's folder; the path of the card. The weights keep their revision.

    Raises:
        ModelFolderError: The folder holds no detector.
    """
    opened = DetectorFolder.open(name)
    measured = {
        (row if row.startswith("labels") else f"starting weights, {row}"): {
            "recall": round(found.recall, 4),
            "precision": round(found.precision, 4),
            "expected": found.expected,
        }
        for row, found in figures.items()
    }
    path = opened.folder / CARD_FILE
    path.write_text(opened.card.model_copy(update={"measured": measured}).model_dump_json(indent=2) + "\n", "utf-8")
    return path
