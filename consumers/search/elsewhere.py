"""Where else somebody may have been seen: other chains that look alike, ranked; likely at best, never certain.

An embedding says how somebody looks, not who they are: two people in the same clothes are as alike as one person is to
himself. What is certain is left out: the own chain, and whoever the same camera saw at the same time.
"""

import numpy as np

from consumers.indexer.people import PeopleReader
from consumers.indexer.rows import PersonPlace, Sight
from consumers.search.hits import AlsoSeen
from consumers.search.vector_index import VectorIndex

LOOKED_AT = 400  # nearest tracks that chains are made of
MOST_OF_CHAIN = 64  # tracks that speak for a chain


def elsewhere(person: PersonPlace, people: PeopleReader, index: VectorIndex, k: int) -> list[AlsoSeen]:
    """The `k` chains most alike to somebody's, each by its track most alike, the most alike first.

    What is compared is the middle of the own chain's vectors, in their space.

    Raises:
        PeopleTableError, VectorIndexError: Table or index cannot be read.
    """
    chain = people.places_of_chain(person.sight.chain_id, MOST_OF_CHAIN)
    own = [one for one in chain if one.embedding_space == person.embedding_space] or [person]
    middle = np.mean(np.stack([one.vector for one in own]), axis=0)
    vector = (middle / max(float(np.linalg.norm(middle)), 1e-9)).astype(np.float32)
    near = index.search(person.embedding_space, vector, LOOKED_AT + len(own))
    sights = people.sights([neighbour.key for neighbour in near])
    nearest: dict[str, AlsoSeen] = {}
    tracks: dict[str, int] = {}
    others = {person.sight.chain_id}
    for neighbour in near:
        sight = sights.get(neighbour.key)
        if sight is None:
            continue
        if any(_at_once(sight, one.sight) for one in own):
            others.add(sight.chain_id)
        tracks[sight.chain_id] = tracks.get(sight.chain_id, 0) + 1
        nearest.setdefault(sight.chain_id, AlsoSeen(sight.key, sight.chain_id, 1, round(neighbour.similarity, 4)))
    found = [one for chain_id, one in nearest.items() if chain_id not in others]
    return [AlsoSeen(one.key, one.chain_id, tracks[one.chain_id], one.similarity) for one in found[:k]]


def _at_once(one: Sight, other: Sight) -> bool:
    """Whether one camera saw both at the same time: then they are two people."""
    return (
        one.camera_id == other.camera_id
        and one.first_seen_at < other.last_seen_at
        and other.first_seen_at < one.last_seen_at
    )
