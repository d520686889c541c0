"""Everyone of one embedding space: shards by day and partition, and who is where in them."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from consumers.errors import VectorIndexError
from consumers.indexer.columns import Codes, Rows
from consumers.indexer.filtering import Wanted
from consumers.indexer.half_vectors import dots
from consumers.indexer.key_map import ABSENT, KeyMap, Keys
from consumers.indexer.shard import Place, Shard
from consumers.search.vector_index import IndexedPerson, Neighbour, Vectors

ROW_BITS = 32
Chosen = list[tuple[Shard, Rows]]


class SpaceIndex:
    """Vectors of one width, compared with each other and with nothing else; one thread writes, any number reads."""

    def __init__(self, width: int, cameras: Codes) -> None:
        """Of nobody."""
        self.width, self._cameras = width, cameras
        self.shards: dict[Place, Shard] = {}  # replaced, never changed: readers go through the one they have seen
        self._numbered: list[Shard | None] = []
        self._numbers: dict[Place, int] = {}
        self._where = KeyMap()

    def __len__(self) -> int:
        return self._where.count

    def keys(self) -> Keys:
        """Everyone's key, in order."""
        return self._where.keys()

    def add(self, people: Sequence[IndexedPerson], vectors: Vectors) -> int:
        """Take those who are not there yet; returns how many.

        Raises:
            VectorIndexError: The vectors have another width.
        """
        if vectors.shape != (len(people), self.width):
            raise VectorIndexError(f"expected vectors of shape {(len(people), self.width)}, got {vectors.shape}")
        keys = np.asarray([person.key for person in people], dtype=np.int64)
        positions: dict[Place, dict[int, int]] = {}
        for position in np.flatnonzero(self._where.get(keys) == ABSENT).tolist():
            positions.setdefault(Place.of(people[position]), {}).setdefault(people[position].key, position)
        for place, chosen in positions.items():
            shard = self._shard(place)
            first, listed = shard.count, list(chosen.values())
            shard.extend([people[position] for position in listed], vectors[listed])
            self._where.put(keys[listed], self._places(place, np.arange(first, first + len(listed))))
        return sum(len(chosen) for chosen in positions.values())

    def wanted(self, wanted: Wanted) -> Chosen:
        """Whoever is wanted, by shard."""
        found = ((shard, shard.wanted(wanted)) for shard in self.shards.values())
        return [(shard, rows) for shard, rows in found if len(rows)]

    def exact(self, chosen: Chosen, vector: Vectors, k: int) -> list[Neighbour]:
        """The `k` of the chosen nearest to a unit vector (d,), nearest first, each scored."""
        if not chosen:
            return []
        halves = [shard.halves(rows) for shard, rows in chosen]
        keys = [shard.keys(rows) for shard, rows in chosen]
        scores = dots(np.concatenate(halves), vector)
        return nearest(np.concatenate(keys), scores, k)

    def located(self, keys: Keys) -> dict[int, tuple[Shard, int]]:
        """Shard and row of each key that is there."""
        places = self._where.get(keys)
        found: dict[int, tuple[Shard, int]] = {}
        for key, place in zip(keys.tolist(), places.tolist(), strict=True):
            shard = self._numbered[place >> ROW_BITS] if place != ABSENT else None
            if shard is not None:
                found[key] = shard, place & ((1 << ROW_BITS) - 1)
        return found

    def remove(self, keys: Keys) -> Keys:
        """Overwrite people; returns the keys of those who were there."""
        by_shard: dict[Place, tuple[list[int], list[int]]] = {}
        for key, (shard, row) in self.located(np.unique(keys)).items():
            gone, rows = by_shard.setdefault(shard.place, ([], []))
            gone.append(key)
            rows.append(row)
        for place, (gone, rows) in by_shard.items():
            self._where.forget(np.asarray(gone, dtype=np.int64))
            self.shards[place].forget(np.asarray(rows, dtype=np.int64))
        return np.asarray([key for gone, _ in by_shard.values() for key in gone], dtype=np.int64)

    def drop_before(self, instant: datetime) -> Keys:
        """Let go of every shard whose day ended before an instant; returns the keys of who was there."""
        ended = [place for place in self.shards if place.ended_before(instant)]
        gone = [np.empty(0, dtype=np.int64)]
        for place in ended:
            shard = self.shards[place]
            keys = shard.columns.key.rows
            gone.append(keys[keys >= 0].copy())
            self._where.forget(gone[-1])
            self._numbered[self._numbers.pop(place)] = None
        self.shards = {place: shard for place, shard in self.shards.items() if place not in ended}
        return np.concatenate(gone)

    def _shard(self, place: Place) -> Shard:
        if place not in self.shards:
            self._number(Shard(place, self.width, self._cameras))
        return self.shards[place]

    def _number(self, shard: Shard) -> None:
        self._numbers[shard.place] = len(self._numbered)
        self._numbered.append(shard)
        self.shards = {**self.shards, shard.place: shard}

    def _places(self, place: Place, rows: Rows) -> Keys:
        return rows + (self._numbers[place] << ROW_BITS)


def nearest(keys: Keys, scores: Vectors, k: int) -> list[Neighbour]:
    """The `k` best of these, best first; of equals the lesser key."""
    if len(keys) > k:
        kept = np.argpartition(-scores, k - 1)[:k]
        keys, scores = keys[kept], scores[kept]
    order = np.lexsort((keys, -scores))
    return [Neighbour(int(keys[at]), float(scores[at])) for at in order]
