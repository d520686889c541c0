"""Builds and feeds the inverted file of a space while searches go on: what it lacks is searched exactly."""

import logging
from contextlib import AbstractContextManager

import numpy as np

from consumers.indexer.columns import NOBODY
from consumers.indexer.ivf import SAMPLES_PER_LIST, Ivf, list_count
from consumers.indexer.memory import give_back
from consumers.indexer.space_index import EXACT_BELOW, SpaceIndex, places_of

logger = logging.getLogger(__name__)

REBUILT_AT = 2  # times the people that it was made for
TAIL_AT_MOST = 2048  # rows that are searched exactly beside the inverted file: a tenth of a millisecond
PIECE = 4096  # rows added at once

Lock = AbstractContextManager[object]


def is_due(space: SpaceIndex) -> bool:
    """Whether the people of a space have become so many that an inverted file has to be built, or built anew."""
    return len(space) >= max(EXACT_BELOW, REBUILT_AT * space.ivf.made_for if space.ivf else 0)


def build(space: SpaceIndex, width: int, changing: Lock, *, seed: int = 0) -> Ivf:
    """A new inverted file of a space, not yet in place: `put_in_place` is what searches wait for.

    Args:
        space: Whose people; they may change meanwhile.
        width: Numbers in a vector.
        changing: Held while rows are read, so that nobody is taken out between reading and adding.
        seed: Of the sample that lists are fitted to.
    """
    people = len(space)
    ivf = Ivf.trained(_sample(space, width, SAMPLES_PER_LIST * list_count(people), seed), people)
    while feed(space, ivf, changing):
        pass
    fitted = ivf.fitted()
    del ivf
    give_back()
    return fitted


def feed(space: SpaceIndex, ivf: Ivf, changing: Lock) -> bool:
    """Add the next rows that an inverted file lacks, at most a few thousand; false when it lacks none."""
    with changing:
        tail = space.tail(ivf)
        if not tail:
            return False
        number, rows = tail[0]
        shard, rows = space.shards[number], rows[:PIECE]
        is_there = shard.keys(rows) != NOBODY
        ivf.add(number, places_of(number, rows), shard.halves(rows).astype(np.float32), is_there)
    return True


def tail_count(space: SpaceIndex, ivf: Ivf) -> int:
    """How many rows an inverted file lacks."""
    return sum(shard.count - ivf.row_count(number) for number, shard in list(space.shards.items()))


def put_in_place(space: SpaceIndex, ivf: Ivf) -> None:
    """Let searches use an inverted file; whoever was taken out while it was built is taken out of it.

    Nobody may be taken out while this runs.
    """
    for number, ids in ivf.ids.items():
        shard = space.shards.get(number)
        if shard is None:
            ivf.remove(number)
        else:
            ivf.remove(number, np.flatnonzero(shard.columns.key.rows[: len(ids)] == NOBODY))
    space.ivf = ivf
    logger.info("an inverted file is in place", extra={"people": len(ivf)})


def _sample(space: SpaceIndex, width: int, count: int, seed: int) -> np.ndarray:
    randomness = np.random.default_rng(seed)
    shards = list(space.shards.values())
    rows_in_all = sum(shard.count for shard in shards)
    found = [np.empty((0, width), dtype=np.float32)]
    for shard in shards:
        chosen = np.flatnonzero(randomness.random(shard.count) < count / rows_in_all)
        found.append(shard.halves(chosen[shard.keys(chosen) != NOBODY]).astype(np.float32))
    return np.concatenate(found)
