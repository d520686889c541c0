"""Photos with YOLO labels, as folders `images/` and `labels/` beside a `data.yaml`.

A label file has one line a box: class, centre x, centre y, width, height, all relative to the photo.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.errors import PhotosError, RecipeError
from trainer.rows import RowCount

HARD_HAT, MASK, NO_HARD_HAT, NO_MASK, NO_VEST, PERSON, CONE, VEST, MACHINERY, VEHICLE = range(10)


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One labelled thing: its class and its box in pixels of the photo, (4,) float32 x0 y0 x1 y1."""

    label: int
    box_xyxy: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo, (h, w, 3) uint8 RGB, with its boxes. `source` names the original it was made from."""

    name: str
    source: str
    pixels: NDArray[np.uint8]
    boxes: tuple[LabelledBox, ...]


def labelled_photos(folder: Path, count: RowCount | None = None) -> Iterator[LabelledPhoto]:
    """Every photo of a folder that can be read with its labels, in the order of their names.

    Args:
        folder: Holds `images/` and `labels/`.
        count: Is told of every photo.

    Raises:
        PhotosError: there are no photos; or, once all were tried, fewer than nine in ten can be read.
    """
    paths = sorted((folder / "images").glob("*.jpg"))
    if not paths:
        raise PhotosError(folder, "no images/*.jpg in it")
    counted = count if count is not None else RowCount()
    for path in paths:
        photo = _photo(path, folder / "labels" / f"{path.stem}.txt")
        if isinstance(photo, str):
            counted.skipped[photo] += 1
        else:
            counted.readable += 1
            yield photo
    try:
        counted.refuse_unreadable(folder)
    except RecipeError as error:
        raise PhotosError(folder, error.reason) from error


def fingerprint(folder: Path) -> str:
    """Sixteen hexadecimal digits of the names and labels of a folder's photos: another data set has another."""
    digest = hashlib.sha256()
    for path in sorted((folder / "labels").glob("*.txt")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _photo(path: Path, labels: Path) -> LabelledPhoto | str:
    """The photo, or why it is none."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        return "photo not readable"
    try:
        boxes = _boxes(labels, pixels.shape[1], pixels.shape[0])
    except (OSError, ValueError):
        return "labels not in YOLO's form"
    # Roboflow names an augmented copy `<original>.rf.<hash>`.
    return LabelledPhoto(path.stem, path.stem.split(".rf.")[0], np.asarray(pixels, dtype=np.uint8), boxes)


def _boxes(path: Path, width_px: int, height_px: int) -> tuple[LabelledBox, ...]:
    if not path.exists():
        return ()
    rows = [[float(v) for v in line.split()] for line in path.read_text().splitlines() if line.strip()]
    size = np.array([width_px, height_px, width_px, height_px], dtype=np.float32)
    boxes = []
    for label, x, y, w, h in rows:
        if not all(0 <= share <= 1 for share in (x, y, w, h)):  # pixels, or a box beside its photo
            raise ValueError(f"a box of {path} is not relative to its photo")
        corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dtype=np.float32) * size
        boxes.append(LabelledBox(int(label), corners))
    return tuple(boxes)
