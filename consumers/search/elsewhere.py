"""Where else somebody may have been seen: other chains that look alike, ranked; likely at best, never certain.

An embedding says how somebody looks, not who they are: two people in the same clothes are as alike as one person is to
himself. What is certain is left out: the own chain, and whoever the same camera saw at the same time.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from consumers.indexer.people import PeopleReader
from consumers.indexer.rows import PersonPlace, Sight
from consumers.search.hits import AlsoSeen
from consumers.search.vector_index import VectorIndex

LOOKED_AT = 400  # nearest tracks that other chains are made of
MOST_OF_CHAIN = 64  # tracks whose vectors speak for a chain
Times = npt.NDArray[np.float64]  # (n, 2): seconds since 1970, first and last sight


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
    seen = people.sights_of_chain(person.sight.chain_id)
    # The own tracks are the nearest of all, so that room for each is left beside the others.
    near = index.search(person.embedding_space, vector, LOOKED_AT + len(seen))
    own_keys = {sight.key for sight in seen}
    others = [neighbour for neighbour in near if neighbour.key not in own_keys][:LOOKED_AT]
    sights = people.sights([neighbour.key for neighbour in others])
    times = _times(seen)
    nearest: dict[str, AlsoSeen] = {}
    tracks: dict[str, int] = {}
    beside = {person.sight.chain_id}
    for neighbour in others:
        sight = sights.get(neighbour.key)
        if sight is None:
            continue
        if _is_at_once(sight, times):
            beside.add(sight.chain_id)
        tracks[sight.chain_id] = tracks.get(sight.chain_id, 0) + 1
        nearest.setdefault(sight.chain_id, AlsoSeen(sight.key, sight.chain_id, 1, round(neighbour.similarity, 4)))
    found = [one for chain_id, one in nearest.items() if chain_id not in beside]
    return [AlsoSeen(one.key, one.chain_id, tracks[one.chain_id], one.similarity) for one in found[:k]]


def _times(sights: Sequence[Sight]) -> dict[str, Times]:
    """From when until when somebody was seen, by camera."""
    found: dict[str, list[tuple[float, float]]] = {}
    for sight in sights:
        times = sight.first_seen_at.timestamp(), sight.last_seen_at.timestamp()
        found.setdefault(sight.camera_id, []).append(times)
    return {camera_id: np.asarray(times) for camera_id, times in found.items()}


def _is_at_once(sight: Sight, times: Mapping[str, Times]) -> bool:
    """Whether one camera saw both at the same time: then they are two people."""
    if (of_camera := times.get(sight.camera_id)) is None:
        return False
    begins, ends = sight.first_seen_at.timestamp(), sight.last_seen_at.timestamp()
    return bool(np.any((of_camera[:, 0] < ends) & (of_camera[:, 1] > begins)))
