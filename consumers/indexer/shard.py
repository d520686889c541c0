"""One day of one partition of the topic, in one embedding space: vectors and the columns beside them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt

from consumers.indexer.columns import NOBODY, Codes, Columns, Mask, Rows
from consumers.indexer.filtering import Wanted, mask, may_hold
from consumers.indexer.half_vectors import HalfVectors, Halves
from consumers.search.vector_index import IndexedPerson, Vectors

NONE: Mask = np.empty(0, dtype=np.bool_)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Which shard: the UTC day on which its people were first seen, and the partition they came by."""

    day: date
    partition: int

    @classmethod
    def of(cls, person: IndexedPerson) -> "Place":
        """Where a person belongs."""
        return cls(person.first_seen_at.astimezone(UTC).date(), person.partition)

    def ended_before(self, instant: datetime) -> bool:
        """Whether the whole day was over at an instant."""
        return self.day < instant.astimezone(UTC).date()


class Shard:
    """Rows that are only ever added at the end or overwritten; one thread writes, readers never wait.

    A row keeps its number for good, so that other structures may point at it; whoever is taken out leaves an empty row.
    """

    def __init__(self, place: Place, width: int, cameras: Codes) -> None:
        """Of nobody; vectors have `width` numbers."""
        self.place, self.width = place, width
        self.identity = uuid.uuid4().hex  # rows keep their numbers as long as it stays
        self.columns = Columns(cameras)
        self._halves = HalfVectors(width)
        self.count = 0  # rows, empty ones too
        self.gone_count = 0
        self.least_us, self.greatest_us, self.greatest_key = 2**63 - 1, -(2**63), NOBODY

    @classmethod
    def restored(cls, place: Place, identity: str, columns: Columns, halves: Halves) -> "Shard":
        """The shard of these rows, its vectors (n, d) resting where they are."""
        shard = cls(place, halves.shape[1], columns.cameras)
        shard.identity, shard.columns, shard._halves = identity, columns, HalfVectors(halves.shape[1], halves)
        keys, times = columns.key.rows, columns.first_seen_us.rows
        is_there = keys != NOBODY
        shard.count, shard.gone_count = len(keys), int(len(keys) - is_there.sum())
        if shard.people_count:
            shard.least_us, shard.greatest_us = int(times[is_there].min()), int(times[is_there].max())
            shard.greatest_key = int(keys.max())
        return shard

    @property
    def people_count(self) -> int:
        """Rows that hold somebody."""
        return self.count - self.gone_count

    def extend(self, people: Sequence[IndexedPerson], vectors: Vectors) -> None:
        """Add people (n) with unit vectors (n, d)."""
        self._halves.extend(vectors)
        self.columns.extend(people)
        times = self.columns.first_seen_us.rows[self.count :]
        self.least_us = min(self.least_us, int(times.min()))
        self.greatest_us = max(self.greatest_us, int(times.max()))
        self.greatest_key = max(self.greatest_key, int(self.columns.key.rows[self.count :].max()))
        self.count += len(people)  # last: from here on the rows are seen

    def forget(self, rows: Rows) -> None:
        """Overwrite the rows of people, vectors too."""
        self.columns.forget(rows)
        self._halves.overwrite(rows)
        self.gone_count += len(rows)

    def wanted(self, wanted: Wanted) -> Mask:
        """Which rows hold somebody who is wanted, shape (rows,); shape (0,) where that is certain of none."""
        if wanted.until_us <= self.least_us or wanted.since_us > self.greatest_us:
            return NONE
        if not may_hold(self.columns, wanted):
            return NONE
        return mask(self.columns, self.count, wanted, all_there=not self.gone_count)

    def wanted_among(self, rows: Rows, wanted: Wanted) -> Rows:
        """Those of some rows, increasing, whose people are wanted."""
        if not may_hold(self.columns, wanted):
            return np.empty(0, dtype=np.int64)
        return rows[mask(self.columns, self.count, wanted, rows)]

    def keys(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Keys of rows."""
        return self.columns.key.rows[rows]

    def halves(self, rows: Rows) -> Halves:
        """Vectors of rows, (n, d)."""
        return self._halves.take(rows)

    def halves_between(self, first: int, until: int) -> Halves:
        """Vectors of the rows from `first` up to and without `until`, (n, d)."""
        return self._halves.between(first, until)

    def fit(self) -> None:
        """Let go of the memory that is held in reserve for rows to come."""
        self.columns.fit()
        self._halves.fit()

    @property
    def in_memory_bytes(self) -> int:
        """What the vectors that rest on no file take."""
        return self._halves.in_memory_bytes

    def rest_on(self, resting: Halves) -> None:
        """Let go of the memory of the vectors that `resting` holds, which are the first."""
        self._halves.rest_on(resting)

    def take_into_memory(self) -> None:
        """Read the vectors that rest on a file."""
        if self.in_memory_bytes < self.count * self.width * 2:
            read = HalfVectors(self.width)
            read.extend(self.halves_between(0, self.count))
            self._halves = read
