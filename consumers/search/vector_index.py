"""What every vector index can do, be it files on this machine or a server: one suite of tests runs against each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from consumers.search.filters import EVERYONE, PeopleFilter

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IndexedPerson:
    """What an index keeps of somebody beside their vector, so that a filter holds inside the search."""

    key: int  # the row of the person table
    camera_id: str
    partition: int  # of the topic they came by; a shard holds one day of one partition
    first_seen_at: datetime
    detection_score: float
    answers: Mapping[str, Mapping[str, float]]  # question_id -> answer -> probability
    caption: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Someone found and how near: the cosine in [-1, 1] of their vector with the query's."""

    key: int
    similarity: float


class VectorIndex(Protocol):
    """Unit vectors of people by key, in one or several embedding spaces; may be shared by threads.

    A view of the person table: it may lack what the table has until it has caught up, and repeats change nothing.

    Raises (every method): `VectorIndexError` when the index cannot be read or written.
    """

    def __len__(self) -> int:
        """How many vectors can be searched, of all spaces."""

    def spaces(self) -> Mapping[str, int]:
        """Every embedding space with how many vectors it has."""

    def add(self, embedding_space: str, people: Sequence[IndexedPerson], vectors: Vectors) -> int:
        """Take the people (n) whose keys that space lacks, with their unit vectors (n, d); returns how many."""

    def search(self, embedding_space: str, vector: Vectors, k: int, wanted: PeopleFilter = EVERYONE) -> list[Neighbour]:
        """The `k` nearest to a unit vector (d,) of that space among whoever is wanted, nearest first."""

    def newest(self, k: int, wanted: PeopleFilter = EVERYONE, *, before_key: int | None = None) -> list[int]:
        """The `k` greatest keys below `before_key` of whoever is wanted, greatest first: by attributes alone."""

    def wanted_of(self, keys: Sequence[int], wanted: PeopleFilter) -> list[int]:
        """Those of the keys that are wanted, in their order."""

    def vectors_of(self, embedding_space: str, keys: Sequence[int]) -> dict[int, Vectors]:
        """The vector (d,) of each key that the space has: what "more like this" searches with."""

    def remove(self, keys: Sequence[int]) -> int:
        """Take people out of every space for good, from what is on disk too; returns how many were there."""

    def drop_before(self, instant: datetime) -> int:
        """Let go of every whole day that ended before an instant; returns how many people went."""
