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
    upright, mirrored = _looks_of(people, backbone)
    nearest = np.maximum(upright @ upright[is_held].T, upright @ mirrored[is_held].T).max(axis=1)
    kept = [p for p, held, near in zip(people, is_held, nearest, strict=True) if not held and near <= alike]
    return kept, [p for p, held in zip(people, is_held, strict=True) if held]


def _draw(source: str) -> int:
    return int(hashlib.sha256(source.encode()).hexdigest()[:6], 16) % 100


@torch.inference_mode()
def _looks_of(people: Sequence[Person], backbone: Backbone) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whitened unit features (people, F) of every person, and of their mirror images."""
    upright: list[NDArray[np.float32]] = []
    mirrored: list[NDArray[np.float32]] = []
    sizes = VisionSizes()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone = backbone.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for start in range(0, len(people), 64):
        crops = [resized(plain_view(person, margin=0.0).pixels, sizes) for person in people[start : start + 64]]
        planes = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2) / 255
        for view, into in ((planes, upright), (planes.flip(3), mirrored)):
            into.append(functional.adaptive_avg_pool2d(backbone.pyramid(view)[1], (4, 2)).flatten(1).cpu().numpy())
    first, second = np.concatenate(upright), np.concatenate(mirrored)
    centre, spread = first.mean(axis=0), first.std(axis=0) + 1e-3
    return _unit((first - centre) / spread), _unit((second - centre) / spread)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
