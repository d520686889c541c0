"""Makes an index whole: what the person table has is in it, and nobody whom the table lacks."""

import logging

import numpy as np

from consumers.indexer.kept_index import KeptIndex
from consumers.indexer.people import PeopleReader

logger = logging.getLogger(__name__)

CHUNK = 5_000


def catch_up(index: KeptIndex, people: PeopleReader) -> int:
    """Add whoever the table has and the index lacks, take out whoever the table has no longer; returns how many.

    Raises:
        PeopleTableError: The table cannot be read.
        VectorIndexError: The index cannot be changed.
    """
    changed = 0
    in_table = people.spaces()
    for space in {*in_table, *index.spaces()}:
        there, wanted = index.keys(space), people.keys_of_space(space)
        erased = np.setdiff1d(there, wanted, assume_unique=True)
        if len(erased):
            changed += index.remove(erased.tolist())
        missing = np.setdiff1d(wanted, there, assume_unique=True)
        for start in range(0, len(missing), CHUNK):
            found, vectors = people.indexed(space, missing[start : start + CHUNK].tolist())
            changed += index.add(space, found, vectors)
    if changed:
        logger.info("the index has caught up with the person table", extra={"people": changed})
    return changed
