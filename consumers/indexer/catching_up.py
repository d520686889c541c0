"""Makes an index whole: what the people database has is in it, and nobody whom the database lacks."""

import logging
from contextlib import AbstractContextManager

import numpy as np

from consumers.indexer.embeddings import Embeddings
from consumers.indexer.kept_index import KeptIndex
from consumers.indexer.people import PeopleReader

logger = logging.getLogger(__name__)

CHUNK = 5_000


def catch_up(index: KeptIndex, people: PeopleReader) -> int:
    """Add whoever the database has and the index lacks, take out whoever it has no longer; returns how many.

    Raises:
        PeopleTableError: The database cannot be read.
        VectorIndexError: The index cannot be changed.
    """
    embeddings, changed = Embeddings(people), 0
    for space in {*embeddings.spaces(), *index.spaces()}:
        there, wanted = index.keys(space), embeddings.keys(space)
        erased = np.setdiff1d(there, wanted, assume_unique=True)
        if len(erased):
            changed += index.remove(erased.tolist())
        missing = np.setdiff1d(wanted, there, assume_unique=True)
        for start in range(0, len(missing), CHUNK):
            found, vectors = embeddings.indexed(space, missing[start : start + CHUNK].tolist())
            changed += index.add(space, found, vectors)
    if changed:
        logger.info("the index has caught up with the person table", extra={"people": changed})
    return changed


class FurtherVectors:
    """Takes into the index what is embedded anew while the indexer runs; belongs to one thread."""

    def __init__(
        self, index: KeptIndex, people: PeopleReader, entering: AbstractContextManager[object], *, after_row: int
    ) -> None:
        """Begin with what was written after a row: everything before is in the index once it has caught up.

        Args:
            index: What takes the vectors.
            people: The database that they are written into.
            entering: Held by whoever enters or erases people.
            after_row: The row of the vector that was written last before the index began to catch up.
        """
        self._index, self._embeddings, self._entering = index, Embeddings(people), entering
        self._last = after_row

    def step(self) -> bool:
        """Take the next vectors; false when there are none.

        Raises:
            PeopleTableError: The database cannot be read.
            VectorIndexError: The index cannot be changed.
        """
        added = self._embeddings.added_since(self._last, at_most=CHUNK)
        for space in {space for _, _, space in added}:
            with self._entering:  # nobody is erased between reading and adding
                keys = [key for _, key, of_space in added if of_space == space]
                self._index.add(space, *self._embeddings.indexed(space, keys))
        if added:
            self._last = added[-1][0]
        return bool(added)
