"""The vector index of one machine: shards in this process, on the disk in one folder."""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from consumers.errors import VectorIndexError
from consumers.indexer import ivf_building, ivf_files
from consumers.indexer.columns import NOBODY, Codes, Rows
from consumers.indexer.filtering import made_ready
from consumers.indexer.key_map import Keys
from consumers.indexer.memory import give_back
from consumers.indexer.shard import Shard
from consumers.indexer.shard_files import ShardFiles
from consumers.indexer.space_index import SpaceIndex
from consumers.search.filters import EVERYONE, PeopleFilter
from consumers.search.vector_index import IndexedPerson, Neighbour, Vectors

logger = logging.getLogger(__name__)

MEMORY_BYTES = 2 * 1024**3


class LocalIndex:
    """A `VectorIndex` in this process. Readers never wait for whoever adds, saves or builds.

    Raises (every method): `VectorIndexError`.
    """

    def __init__(self, folder: Path, *, memory_bytes: int = MEMORY_BYTES) -> None:
        """Take up what lies in `folder`.

        Args:
            folder: Where shards are kept; nobody else writes there.
            memory_bytes: How much the float16 vectors may take; beyond it those of the oldest days stay on the disk.
        """
        self._files, self._memory_bytes = ShardFiles(folder), memory_bytes
        self._cameras = Codes()
        self._spaces: dict[str, SpaceIndex] = {}  # replaced, never changed
        self._owed: list[tuple[str, Shard, Rows]] = []  # rows that are still on the disk and may not be
        self._adding = threading.Lock()
        self._changing = threading.RLock()  # taking out, saving, putting an inverted file in place; taken first
        for name, shard in self._files.load(self._cameras):
            self._space(name, shard.width).adopt(shard)
        for name, space in self._spaces.items():
            space.ivf = ivf_files.read(self._files.space_folder(name), space)
        self._keep_within_memory()

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
        with self._adding:
            return self._space(embedding_space, vectors.shape[1]).add(people, vectors)

    def search(self, embedding_space: str, vector: Vectors, k: int, wanted: PeopleFilter = EVERYONE) -> list[Neighbour]:
        """The `k` nearest to a unit vector (d,) of that space among whoever is wanted, nearest first."""
        space = self._spaces.get(embedding_space)
        if space is None or k < 1:
            return []
        if vector.shape != (space.width,):
            raise VectorIndexError(f"expected a vector of shape {(space.width,)}, got {vector.shape}")
        return space.search(vector.astype(np.float32), k, made_ready(wanted, self._cameras))

    def newest(self, k: int, wanted: PeopleFilter = EVERYONE, *, before_key: int | None = None) -> list[int]:
        """The `k` greatest keys below `before_key` of whoever is wanted, greatest first: by attributes alone."""
        ready = made_ready(wanted, self._cameras)
        shards = [shard for space in self._spaces.values() for shard in space.shards.values()]
        found = np.empty(0, dtype=np.int64)
        for shard in sorted(shards, key=lambda shard: shard.greatest_key, reverse=True):
            if len(found) >= k and found[-1] >= shard.greatest_key:
                break
            keys = shard.keys(np.flatnonzero(shard.wanted(ready)))
            if before_key is not None:
                keys = keys[keys < before_key]
            found = np.unique(np.concatenate([found, _greatest(keys, k)]))[::-1][:k]
        return [int(key) for key in found if key != NOBODY]

    def wanted_of(self, keys: Sequence[int], wanted: PeopleFilter) -> list[int]:
        """Those of the keys that are wanted, in their order."""
        ready = made_ready(wanted, self._cameras)
        holding: set[int] = set()
        for space in self._spaces.values():
            located, shards = space.located(np.asarray(keys, dtype=np.int64)), space.shards
            for number, rows in located:
                if number in shards:
                    holding.update(shards[number].keys(shards[number].wanted_among(rows, ready)).tolist())
        return [key for key in keys if key in holding]

    def vectors_of(self, embedding_space: str, keys: Sequence[int]) -> dict[int, Vectors]:
        """The vector (d,) of each key that the space has."""
        space = self._spaces.get(embedding_space)
        if space is None:
            return {}
        found: dict[int, Vectors] = {}
        located, shards = space.located(np.asarray(keys, dtype=np.int64)), space.shards
        for number, rows in located:
            if number in shards:
                vectors = shards[number].halves(rows).astype(np.float32)
                found.update(zip(shards[number].keys(rows).tolist(), vectors, strict=True))
        return {key: found[key] for key in keys if key in found}

    def remove(self, keys: Sequence[int]) -> int:
        """Take people out of every space for good, from what is on disk too; returns how many were there."""
        gone: list[Keys] = []
        with self._changing:
            for name, space in self._spaces.items():
                with self._adding:
                    removed, chosen = space.remove(np.asarray(keys, dtype=np.int64))
                gone.append(removed)
                self._owed.extend((name, space.shards[number], rows) for number, rows in chosen)
            self._erase_owed()
        return _different(gone)

    def drop_before(self, instant: datetime) -> int:
        """Let go of every whole day that ended before an instant; returns how many people went."""
        gone: list[Keys] = []
        with self._changing:
            for name, space in self._spaces.items():
                with self._adding:
                    dropped, places = space.drop_before(instant)
                gone.append(dropped)
                if places:
                    ivf_files.forget(self._files.space_folder(name))
                for place in places:
                    self._files.drop(name, place)
            self._files.commit()
        return _different(gone)

    def save(self) -> None:
        """Make everything durable that was added so far; people may be added and searched meanwhile."""
        with self._changing:
            self._erase_owed()
            for name, space in self._spaces.items():
                for shard in space.shards.values():
                    if not self._files.save(name, shard):
                        with self._adding:
                            shard.fit()  # its day is over, for all that is known
            if self._files.is_behind:
                self._files.commit()
                self._keep_within_memory()
                give_back()

    def tend(self) -> bool:
        """Do the next piece of work on the inverted files; false when there is none. Belongs to one thread."""
        return any(self._tend(name, space) for name, space in self._spaces.items())

    def close(self) -> None:
        """Nothing to let go of: files are open only while they are written."""

    def _tend(self, name: str, space: SpaceIndex) -> bool:
        folder = self._files.space_folder(name)
        if ivf_building.is_due(space):
            ivf = ivf_building.build(space, space.width, self._changing)
            with self._changing:
                ivf_building.put_in_place(space, ivf)
                ivf_files.forget(folder)
            return True
        if space.ivf is None:
            return False
        if ivf_building.tail_count(space, space.ivf) >= ivf_building.TAIL_AT_MOST:
            return ivf_building.feed(space, space.ivf, self._changing)
        if not ivf_files.is_written(folder):
            with self._changing:
                ivf_files.write(folder, space.ivf, space)
            return True
        return False

    def _erase_owed(self) -> None:
        """Take people from the disk who were taken from memory; what fails is owed until it succeeds."""
        if not self._owed:
            return
        for name, shard, rows in self._owed:
            ivf_files.forget(self._files.space_folder(name))
            self._files.erase(name, shard, rows)
            if self._files.holds(name, shard):
                self._files.save(name, shard)
        self._files.commit()
        self._owed = []

    def _space(self, name: str, width: int) -> SpaceIndex:
        if name not in self._spaces:
            self._spaces = {**self._spaces, name: SpaceIndex(width, self._cameras)}
        return self._spaces[name]

    def _keep_within_memory(self) -> None:
        """Let the vectors of the newest days be in memory as far as there is room, the others on the disk."""
        room = self._memory_bytes
        shards = [(name, shard) for name, space in self._spaces.items() for shard in space.shards.values()]
        for name, shard in sorted(shards, key=lambda one: one[1].place, reverse=True):
            room -= shard.count * shard.width * 2
            with self._adding:
                if room >= 0:
                    shard.take_into_memory()
                elif shard.in_memory_bytes:
                    mapped = self._files.mapped(name, shard.place)
                    if mapped is not None:
                        shard.rest_on(mapped)


def _greatest(keys: Keys, k: int) -> Keys:
    return keys if len(keys) <= k else np.partition(keys, len(keys) - k)[len(keys) - k :]


def _different(keys: list[Keys]) -> int:
    return len(np.unique(np.concatenate(keys))) if keys else 0
