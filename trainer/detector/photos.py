"""Labelled photos as a detector's training batches: enlarged, shrunk, tiled and mirrored, the boxes with them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from model.letterbox import GREY
from trainer.photos import PERSON, LabelledPhoto, labelled_photos

SCALES = (0.4, 2.0)  # a mosaic's quarter seen whole at the one end, people as small as on a street camera at the other
TILED_SHARE = 0.3  # of the samples are four photos at half their size: many, small people
LEFT_IN_VIEW = 0.4  # a label stays if this much of it does
SMALLEST_PX = 8.0


class PersonSample(NamedTuple):
    """One canvas (3, H, W) uint8 RGB and its persons' boxes (n, 4) float32, pixels of the canvas."""

    pixels: Tensor
    boxes_xyxy: Tensor


class PersonBatch(NamedTuple):
    """Canvases (B, 3, H, W) float32 in 0..1, and the boxes (n, 4) of each."""

    pixels: Tensor
    boxes_xyxy: list[Tensor]


class PersonPhotos(Dataset[PersonSample]):
    """Random views of labelled photos. The view of a position depends on seed and position alone."""

    def __init__(self, photos: Sequence[LabelledPhoto], *, image_size: int, views: int, seed: int) -> None:
        self._photos, self._image_size, self._views, self._seed = photos, image_size, views, seed

    def __len__(self) -> int:
        return self._views

    def __getitem__(self, position: int) -> PersonSample:
        chance = np.random.default_rng((self._seed, position))
        size = self._image_size
        if chance.random() < TILED_SHARE:
            pixels, boxes = self._tiled(chance)
        else:
            pixels, boxes = _placed(*_persons(self._drawn(chance)), size, float(_log_uniform(chance)), chance)
        if chance.random() < 0.5:
            pixels = pixels[:, ::-1]
            boxes = np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], axis=1)
        gain, lift = chance.uniform(0.75, 1.25), chance.uniform(-20, 20)
        lit = np.clip(pixels.astype(np.float32) * gain + lift, 0, 255).astype(np.uint8)
        channels_first = torch.from_numpy(np.ascontiguousarray(lit.transpose(2, 0, 1)))
        return PersonSample(channels_first, torch.from_numpy(boxes.astype(np.float32)))

    def _drawn(self, chance: np.random.Generator) -> LabelledPhoto:
        return self._photos[int(chance.integers(len(self._photos)))]

    def _tiled(self, chance: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        half = self._image_size // 2
        canvas = np.empty((2 * half, 2 * half, 3), np.uint8)
        boxes = []
        for left, top in ((0, 0), (half, 0), (0, half), (half, half)):
            pixels, found = _persons(self._drawn(chance))
            scale = half / max(pixels.shape[:2]) * float(chance.uniform(0.8, 1.6))
            tile, kept = _placed(pixels, found, half, scale, chance)
            canvas[top : top + half, left : left + half] = tile
            boxes.append(kept + np.asarray([left, top, left, top], dtype=np.float32))
        return canvas, np.concatenate(boxes)


def collate(samples: Sequence[PersonSample]) -> PersonBatch:
    """Samples of one size as a batch."""
    pixels = torch.stack([sample.pixels for sample in samples]).float() / 255
    return PersonBatch(pixels, [sample.boxes_xyxy for sample in samples])


def training_photos(folder: Path, *, held_out_share: float) -> tuple[list[LabelledPhoto], list[LabelledPhoto]]:
    """The photos to train on and those held out for tuning; copies of one original stay on one side.

    Raises:
        PhotosError: There are no photos, or one cannot be read.
    """
    train: list[LabelledPhoto] = []
    held_out: list[LabelledPhoto] = []
    for photo in labelled_photos(folder):
        (held_out if _fraction(photo.source) < held_out_share else train).append(photo)
    return train, held_out


def _fraction(name: str) -> float:
    """A number in 0..1 that a name always has."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def _persons(photo: LabelledPhoto) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    boxes = [box.box_xyxy for box in photo.boxes if box.label == PERSON]
    return photo.pixels, np.stack(boxes) if boxes else np.empty((0, 4), np.float32)


def _log_uniform(chance: np.random.Generator) -> float:
    return float(np.exp(chance.uniform(*np.log(SCALES))))


def _placed(
    pixels: NDArray[np.uint8], boxes: NDArray[np.float32], size: int, scale: float, chance: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The picture at `scale` somewhere on a grey square of `size`, or the square somewhere on the picture."""
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=interpolation)
    height, width = scaled.shape[:2]
    shift_x, shift_y = (_shift(size - length, chance) for length in (width, height))
    canvas = np.full((size, size, 3), GREY, np.uint8)
    x0, y0, x1, y1 = max(shift_x, 0), max(shift_y, 0), min(shift_x + width, size), min(shift_y + height, size)
    canvas[y0:y1, x0:x1] = scaled[y0 - shift_y : y1 - shift_y, x0 - shift_x : x1 - shift_x]
    moved = boxes * scale + np.asarray([shift_x, shift_y, shift_x, shift_y], dtype=np.float32)
    return canvas, _in_view(moved, size)


def _shift(room: int, chance: np.random.Generator) -> int:
    """Where the picture begins on the square: `room` is what is left of the square, or negative, what is too much."""
    return int(chance.integers(min(room, 0), max(room, 0) + 1))


def _in_view(boxes: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    clipped = boxes.clip(0, size)
    sides, before = clipped[:, 2:] - clipped[:, :2], boxes[:, 2:] - boxes[:, :2]
    left = sides.prod(axis=1) / np.maximum(before.prod(axis=1), 1e-6)
    kept: NDArray[np.float32] = clipped[(left >= LEFT_IN_VIEW) & (sides.min(axis=1) >= SMALLEST_PX)]
    return kept
