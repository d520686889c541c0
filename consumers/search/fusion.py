"""Reciprocal rank fusion. Pure.

Cormack, Clarke and Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods, SIGIR
2009, https://doi.org/10.1145/1571941.1572114. Scores of different kinds are never compared, only places.
"""

from collections.abc import Sequence

K = 60  # the paper's: how little the first places count beside the next


def fused(rankings: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """Keys of all rankings with the sum of 1 / (60 + rank), best first; of equals the one of the earlier ranking.

    >>> [(key, round(score, 4)) for key, score in fused([[7, 8], [8, 9]])]
    [(8, 0.0325), (7, 0.0164), (9, 0.0161)]
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (K + rank)
    return sorted(scores.items(), key=lambda scored: -scored[1])
