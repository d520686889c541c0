"""One day of one partition of the topic, in one embedding space: vectors and the columns beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt

from consumers.indexer.columns import NOBODY, Codes, Columns, Rows
from consumers.indexer.filtering import Wanted, wanted_rows
from consumers.indexer.growing import Growing
from consumers.indexer.half_vectors import Halves, Scores, dots, gathered
from consumers.search.vector_index import IndexedPerson, Vectors


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
        self.columns = Columns(cameras)
        self._halves = Growing(np.float16, width=width)
        self.count = 0  # rows, empty ones too
        self.gone_count = 0
        self.least_us, self.greatest_us, self.greatest_key = 2**63 - 1, -(2**63), NOBODY

    @property
    def people_count(self) -> int:
        """Rows that hold somebody."""
        return self.count - self.gone_count

    def extend(self, people: Sequence[IndexedPerson], vectors: Vectors) -> None:
        """Add people (n) with unit vectors (n, d)."""
        self._halves.extend(vectors.astype(np.float16))
        self.columns.extend(people)
        times = self.columns.first_seen_us.rows[self.count :]
        self.least_us = min(self.least_us, int(times.min()))
        self.greatest_us = max(self.greatest_us, int(times.max()))
        self.greatest_key = max(self.greatest_key, int(self.columns.key.rows[self.count :].max()))
        self.count += len(people)  # last: from here on the rows are seen

    def forget(self, rows: Rows) -> None:
        """Overwrite the rows of people, vectors too."""
        self.columns.forget(rows)
        self._halves.overwrite(rows, 0)
        self.gone_count += len(rows)

    def wanted(self, wanted: Wanted) -> Rows:
        """The rows of whoever is wanted, increasing."""
        count = self.count
        if wanted.until_us <= self.least_us or wanted.since_us > self.greatest_us:
            return np.empty(0, dtype=np.int64)
        if wanted.is_open and not self.gone_count:
            return np.arange(count)
        return wanted_rows(self.columns, count, wanted)

    def keys(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Keys of rows."""
        return self.columns.key.rows[rows]

    def halves(self, rows: Rows) -> Halves:
        """Vectors of rows, (n, d)."""
        return gathered(self._halves.rows, rows)

    def dots(self, rows: Rows, vector: Vectors) -> Scores:
        """The cosine of each row's vector with a unit vector (d,)."""
        return dots(self.halves(rows), vector)
