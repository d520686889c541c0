"""People of a vector index, as its tests want them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from consumers.search.vector_index import IndexedPerson
from tests.builders_consumers import NOON, WIDTH, unit_vector


def a_person(
    key: int,
    *,
    camera_id: str = "gate",
    partition: int = 0,
    first_seen_at: datetime = NOON,
    detection_score: float = 0.8,
    answers: Mapping[str, Mapping[str, float]] | None = None,
    caption: str = "a worker in a yellow hard hat",
) -> IndexedPerson:
    """Someone seen at the gate at noon."""
    return IndexedPerson(key, camera_id, partition, first_seen_at, detection_score, answers or {}, caption)


def vectors_towards(*directions: int) -> Any:
    """Unit vectors (n, d), each along an axis of its own or a shared one."""
    return np.stack([unit_vector(direction % WIDTH) for direction in directions])


def clustered(count: int, width: int, *, seed: int, clusters: int = 200, spread: float = 0.7) -> Any:
    """Unit vectors (n, d) around some centres, as pictures of people are."""
    randomness = np.random.default_rng(seed)
    centres = randomness.normal(size=(clusters, width)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = randomness.normal(size=(count, width)).astype(np.float32) * (spread / np.sqrt(width))
    made = centres[randomness.integers(clusters, size=count)] + noise
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
