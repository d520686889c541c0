"""The vector index of one machine: shards in this process, searched exactly."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from consumers.errors import VectorIndexError
from consumers.indexer.columns import NOBODY, Codes
from consumers.indexer.filtering import made_ready, mask, may_hold
from consumers.indexer.key_map import Keys
from consumers.indexer.space_index import SpaceIndex
from consumers.search.filters import EVERYONE, PeopleFilter
from consumers.search.vector_index import IndexedPerson, Neighbour, Vectors


class LocalIndex:
    """A `VectorIndex` in this process: writers take turns, readers never wait for them.

    Raises (every method): `VectorIndexError`.
    """

    def __init__(self) -> None:
        """Of nobody."""
        self._cameras = Codes()
        self._spaces: dict[str, SpaceIndex] = {}  # replaced, never changed
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return sum(len(space) for space in self._spaces.values())

    def spaces(self) -> Mapping[str, int]:
        """Every embedding space with how many vectors it has."""
        return {name: len(space) for name, space in self._spaces.items() if len(space)}

    def keys(self, embedding_space: str) -> Keys:
        """The keys of everyone whom that space has, in order."""
        space = self._spaces.get(embedding_space)
        return space.keys() if space is not None else np.empty(0, dtype=np.int64)

    def add(self, embedding_space: str, people: Sequence[IndexedPerson], vectors: Vectors) -> int:
        """Take the people (n) whose keys that space lacks, with their unit vectors (n, d); returns how many."""
        if not people:
            return 0
        if vectors.ndim != 2:
            raise VectorIndexError(f"expected vectors of shape ({len(people)}, d), got {vectors.shape}")
        with self._writing:
            space = self._spaces.get(embedding_space)
            if space is None:
                space = SpaceIndex(vectors.shape[1], self._cameras)
                self._spaces = {**self._spaces, embedding_space: space}
            return space.add(people, vectors)

    def search(self, embedding_space: str, vector: Vectors, k: int, wanted: PeopleFilter = EVERYONE) -> list[Neighbour]:
        """The `k` nearest to a unit vector (d,) of that space among whoever is wanted, nearest first."""
        space = self._spaces.get(embedding_space)
        if space is None or k < 1:
            return []
        if vector.shape != (space.width,):
            raise VectorIndexError(f"expected a vector of shape {(space.width,)}, got {vector.shape}")
        return space.exact(space.wanted(made_ready(wanted, self._cameras)), vector.astype(np.float32), k)

    def newest(self, k: int, wanted: PeopleFilter = EVERYONE, *, before_key: int | None = None) -> list[int]:
        """The `k` greatest keys below `before_key` of whoever is wanted, greatest first: by attributes alone."""
        ready = made_ready(wanted, self._cameras)
        shards = [shard for space in self._spaces.values() for shard in space.shards.values()]
        found = np.empty(0, dtype=np.int64)
        for shard in sorted(shards, key=lambda shard: shard.greatest_key, reverse=True):
            if len(found) >= k and found[-1] >= shard.greatest_key:
                break
            keys = shard.keys(shard.wanted(ready))
            if before_key is not None:
                keys = keys[keys < before_key]
            found = np.unique(np.concatenate([found, keys]))[::-1][:k]
        return [int(key) for key in found if key != NOBODY]

    def wanted_of(self, keys: Sequence[int], wanted: PeopleFilter) -> list[int]:
        """Those of the keys that are wanted, in their order."""
        ready = made_ready(wanted, self._cameras)
        asked = np.asarray(keys, dtype=np.int64)
        holding: set[int] = set()
        for space in self._spaces.values():
            by_shard: dict[object, list[tuple[int, int]]] = {}
            located = space.located(asked)
            for key, (shard, row) in located.items():
                by_shard.setdefault(shard.place, []).append((key, row))
            for pairs in by_shard.values():
                shard = located[pairs[0][0]][0]
                if may_hold(shard.columns, ready):
                    kept = mask(shard.columns, shard.count, ready)
                    holding.update(key for key, row in pairs if kept[row])
        return [key for key in keys if key in holding]

    def vectors_of(self, embedding_space: str, keys: Sequence[int]) -> dict[int, Vectors]:
        """The vector (d,) of each key that the space has."""
        space = self._spaces.get(embedding_space)
        if space is None:
            return {}
        located = space.located(np.asarray(keys, dtype=np.int64))
        return {key: shard.halves(np.asarray([row]))[0].astype(np.float32) for key, (shard, row) in located.items()}

    def remove(self, keys: Sequence[int]) -> int:
        """Take people out of every space for good; returns how many were there."""
        with self._writing:
            gone = [space.remove(np.asarray(keys, dtype=np.int64)) for space in self._spaces.values()]
        return _different(gone)

    def drop_before(self, instant: datetime) -> int:
        """Let go of every whole day that ended before an instant; returns how many people went."""
        with self._writing:
            gone = [space.drop_before(instant) for space in self._spaces.values()]
        return _different(gone)

    def save(self) -> None:
        """Nothing is kept: the person table makes this index again."""

    def close(self) -> None:
        """Nothing to let go of."""


def _different(keys: list[Keys]) -> int:
    return len(np.unique(np.concatenate(keys))) if keys else 0
