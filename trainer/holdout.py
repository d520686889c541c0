"""Which people are kept from training, to calibrate on. Pure, given a backbone.

Photos are held out whole. The data set's mosaics show each photo many times under many names, so training crops that
look like a held-out one are left out as well: else calibration would measure memory.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from model.backbone import Backbone
from model.vision_tower import VisionSizes, resized
from trainer.augment import plain_view
from trainer.people import Person

CROPS_AT_ONCE = 8  # what a CPU's cache holds: four times as fast there as 64


def split_people(
    people: Sequence[Person], backbone: Backbone, *, percent: int, alike: float
) -> tuple[list[Person], list[Person]]:
    """People to learn from, and people held out.

    Args:
        people: Everyone.
        backbone: What resemblance is measured with.
        percent: Share of the source photos held out; chosen by the hash of their names, so the same ones in every run.
        alike: Cosine similarity, after whitening, from which two crops count as the same person seen twice.
    """
    is_held = np.array([_draw(person.source) < percent for person in people], dtype=bool)
    if not is_held.any() or is_held.all():
        return list(people), []
    upright, mirrored = _looks_of(people, is_held, backbone)
    nearest = np.maximum(upright @ upright[is_held].T, upright @ mirrored.T).max(axis=1)
    kept = [p for p, held, near in zip(people, is_held, nearest, strict=True) if not held and near <= alike]
    return kept, [p for p, held in zip(people, is_held, strict=True) if held]


def _draw(source: str) -> int:
    return int(hashlib.sha256(source.encode()).hexdigest()[:6], 16) % 100


def _looks_of(
    people: Sequence[Person], is_held: NDArray[np.bool_], backbone: Backbone
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whitened unit features (people, F) of everyone, and (held, F) of the mirror images of those held out."""
    sizes = VisionSizes()
    crops = [resized(plain_view(person, margin=0.0).pixels, sizes) for person in people]
    mirrors = [np.flip(crop, axis=1) for crop, held in zip(crops, is_held, strict=True) if held]
    upright, mirrored = _features(crops, backbone), _features(mirrors, backbone)
    centre, spread = upright.mean(axis=0), upright.std(axis=0) + 1e-3
    return _unit((upright - centre) / spread), _unit((mirrored - centre) / spread)


@torch.inference_mode()
def _features(crops: Sequence[NDArray[np.uint8]], backbone: Backbone) -> NDArray[np.float32]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone = backbone.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(crops), CROPS_AT_ONCE):
        pixels = torch.from_numpy(np.stack(crops[start : start + CROPS_AT_ONCE])).to(device)
        at_stride_16 = backbone.pyramid(pixels.permute(0, 3, 1, 2) / 255)[1]
        found.append(functional.adaptive_avg_pool2d(at_stride_16, (4, 2)).flatten(1).cpu().numpy())
    return np.concatenate(found)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
