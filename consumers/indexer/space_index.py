"""Everyone of one embedding space: shards by day and partition, who is where in them, and an inverted file over all."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np

from consumers.errors import VectorIndexError
from consumers.indexer.columns import NOBODY, Codes, Mask, Rows
from consumers.indexer.filtering import Wanted
from consumers.indexer.half_vectors import PIECE, dots
from consumers.indexer.ivf import Ivf
from consumers.indexer.key_map import ABSENT, KeyMap, Keys
from consumers.indexer.shard import Place, Shard
from consumers.search.vector_index import IndexedPerson, Neighbour, Vectors

ROW_BITS = 32
ROW_MASK = (1 << ROW_BITS) - 1
EXACT_BELOW = 20_000  # people who are wanted; each of them is scored
CANDIDATES_LEAST, CANDIDATES_PER_HIT = 100, 4  # of the inverted file, whose bytes rank less exactly
Chosen = list[tuple[int, Rows]]  # numbers of shards, and rows of each


class SpaceIndex:
    """Vectors of one width, compared with each other and with nothing else.

    One thread adds, and one changes the inverted file or takes people out; any number reads, and waits for none of
    them but, within the inverted file, for a millisecond.
    """

    def __init__(self, width: int, cameras: Codes) -> None:
        """Of nobody."""
        self.width, self._cameras = width, cameras
        self.shards: dict[int, Shard] = {}  # by number; replaced, never changed: readers keep the one they have seen
        self.ivf: Ivf | None = None
        self._numbers: dict[Place, int] = {}
        self._next_number = 0
        self._where = KeyMap()
        self._where_lock = threading.Lock()  # of whoever adds and whoever takes out

    def __len__(self) -> int:
        return self._where.count

    def keys(self) -> Keys:
        """Everyone's key, in order."""
        with self._where_lock:
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
            number = self._number(place)
            shard = self.shards[number]
            first, listed = shard.count, list(chosen.values())
            shard.extend([people[position] for position in listed], vectors[listed])
            with self._where_lock:
                self._where.put(keys[listed], places_of(number, np.arange(first, first + len(listed))))
        return sum(len(chosen) for chosen in positions.values())

    def adopt(self, shard: Shard) -> int:
        """Take in a shard that was read from files; returns its number."""
        number = self._number(shard.place, shard)
        keys = shard.columns.key.rows
        rows = np.flatnonzero(keys != NOBODY)
        self._where.put(keys[rows], places_of(number, rows))
        return number

    def search(self, vector: Vectors, k: int, wanted: Wanted) -> list[Neighbour]:
        """The `k` nearest to a unit vector (d,) among whoever is wanted, nearest first."""
        ivf, count = self.ivf, len(self)
        if ivf is None or (wanted.is_open and count < EXACT_BELOW):
            return self.exact(_rows_in(self.masks(wanted)), vector, k)
        candidates = max(CANDIDATES_LEAST, CANDIDATES_PER_HIT * k)
        if wanted.is_open:
            wanted_count, chosen = count, self.tail(ivf)
            places = ivf.search(vector, candidates, None, share=1.0)
        else:
            masks = self.masks(wanted)
            wanted_count = sum(int(np.count_nonzero(mask)) for mask in masks.values())
            if wanted_count < EXACT_BELOW:
                return self.exact(_rows_in(masks), vector, k)
            fed = {number: ivf.row_count(number) for number in masks}
            chosen = [(number, np.flatnonzero(mask[fed[number] :]) + fed[number]) for number, mask in masks.items()]
            places = ivf.search(vector, candidates, ivf.allowed(masks), share=wanted_count / max(count, 1))
        found = self.exact(_together([*chosen, *rows_of(places)]), vector, k)
        if len(found) < min(k, wanted_count):  # nearly everyone is asked for, and the lists looked into hold fewer
            return self.exact(_rows_in(self.masks(wanted)), vector, k)
        return found

    def masks(self, wanted: Wanted) -> dict[int, Mask]:
        """Which rows of each shard hold somebody who is wanted; shards of nobody are left out."""
        found = {number: shard.wanted(wanted) for number, shard in self.shards.items()}
        return {number: mask for number, mask in found.items() if len(mask)}

    def tail(self, ivf: Ivf) -> Chosen:
        """The rows that an inverted file lacks, empty ones too."""
        spans = ((number, ivf.row_count(number), shard.count) for number, shard in self.shards.items())
        return [(number, np.arange(first, until)) for number, first, until in spans if first < until]

    def exact(self, chosen: Chosen, vector: Vectors, k: int) -> list[Neighbour]:
        """The `k` of the chosen nearest to a unit vector (d,), nearest first, each scored; shards may be gone."""
        scored = [
            (
                np.concatenate([shard.keys(rows) for shard, rows in some]),
                dots(np.concatenate([shard.halves(rows) for shard, rows in some]), vector),
            )
            for some in self._in_pieces(chosen)
        ]
        if not scored:
            return []
        return nearest(np.concatenate([keys for keys, _ in scored]), np.concatenate([dots for _, dots in scored]), k)

    def located(self, keys: Keys) -> Chosen:
        """The rows of those keys that are there, by shard."""
        with self._where_lock:
            places = self._where.get(keys)
        return rows_of(places[places != ABSENT])

    def remove(self, keys: Keys) -> tuple[Keys, Chosen]:
        """Overwrite people; returns the keys of those who were there, and the rows in which they were."""
        with self._where_lock:
            places = self._where.get(np.unique(keys))
            gone = np.unique(keys)[places != ABSENT]
            self._where.forget(gone)
        chosen = rows_of(places[places != ABSENT])
        for number, rows in chosen:
            self.shards[number].forget(rows)
            if self.ivf is not None:
                self.ivf.remove(number, rows)
        return gone, chosen

    def drop_before(self, instant: datetime) -> tuple[Keys, list[Place]]:
        """Let go of every shard whose day ended before an instant; returns the keys of who was there, and which."""
        ended = {number: shard for number, shard in self.shards.items() if shard.place.ended_before(instant)}
        gone = [np.empty(0, dtype=np.int64)]
        self.shards = {number: shard for number, shard in self.shards.items() if number not in ended}
        for number, shard in ended.items():
            del self._numbers[shard.place]
            keys = shard.columns.key.rows
            gone.append(keys[keys != NOBODY].copy())
            with self._where_lock:
                self._where.forget(gone[-1])
            if self.ivf is not None:
                self.ivf.remove(number)
        return np.concatenate(gone), [shard.place for shard in ended.values()]

    def _in_pieces(self, chosen: Chosen) -> Iterator[list[tuple[Shard, Rows]]]:
        """The chosen a cacheful at a time, so that scoring many copies few."""
        shards, piece, room = self.shards, [], PIECE
        for number, rows in chosen:
            while number in shards and len(rows):
                taken, rows = rows[:room], rows[room:]
                piece.append((shards[number], taken))
                room -= len(taken)
                if not room:
                    yield piece
                    piece, room = [], PIECE
        if piece:
            yield piece

    def _number(self, place: Place, shard: Shard | None = None) -> int:
        if place not in self._numbers:
            number = self._next_number
            self._next_number += 1
            self.shards = {**self.shards, number: shard or Shard(place, self.width, self._cameras)}
            self._numbers[place] = number
        return self._numbers[place]


def places_of(number: int, rows: Rows) -> Keys:
    """Rows of a shard as single numbers."""
    return rows + (number << ROW_BITS)


def rows_of(places: Keys) -> Chosen:
    """Places by shard, their rows increasing."""
    ordered = np.sort(places)
    numbers, starts = np.unique(ordered >> ROW_BITS, return_index=True)
    parts = np.split(ordered & ROW_MASK, starts[1:]) if len(numbers) else []
    return list(zip(numbers.tolist(), parts, strict=True))


def _rows_in(masks: Mapping[int, Mask]) -> Chosen:
    return [(number, np.flatnonzero(mask)) for number, mask in masks.items()]


def _together(chosen: Chosen) -> Chosen:
    """Each row once: some may have come into the inverted file while it was searched."""
    merged: dict[int, Rows] = {}
    for number, rows in chosen:
        merged[number] = np.union1d(merged[number], rows) if number in merged else rows
    return list(merged.items())


def nearest(keys: Keys, scores: Vectors, k: int) -> list[Neighbour]:
    """The `k` best of these, best first; of equals the lesser key; empty rows are left out."""
    there = keys != NOBODY
    if not there.all():
        keys, scores = keys[there], scores[there]
    if len(keys) > k:
        kept = np.argpartition(-scores, k - 1)[:k]
        keys, scores = keys[kept], scores[kept]
    order: Iterable[int] = np.lexsort((keys, -scores))
    return [Neighbour(int(keys[at]), float(scores[at])) for at in order]
