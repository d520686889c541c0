"""People ranked by the words that their captions and answers share with a query.

Candidates are ranked and never the whole table: the people nearest by picture, the newest who have the words, and the
newest whom the filter wants. A word counts by how rare it is: log(1 + (N - n + 0.5) / (n + 0.5)) with n of N people
having it, the weight that BM25 gives a word (Robertson and Zaragoza, 2009, https://doi.org/10.1561/1500000019); texts
are about equally long and say a word once, so there is nothing else to weigh.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.indexer.full_text import FullText
from consumers.search.filters import PeopleFilter
from consumers.search.terms import Term, said_of, terms_of
from consumers.search.vector_index import VectorIndex

CANDIDATES = 200  # newest people who have the words, and newest whom a filter wants
CHUNK = 1500  # matches looked through at once where a filter leaves few of them
CHUNKS = 4


@dataclass(frozen=True, slots=True)
class Described:
    """Somebody whose description shares words with a query."""

    key: int
    weight: float  # sum of the weights of the words shared
    matched_words: tuple[str, ...]  # as they were said


class Descriptions:
    """Ranks people by words; may be shared by threads."""

    def __init__(self, text: FullText, index: VectorIndex) -> None:
        """Look into `text`, for whoever `index` says a filter wants."""
        self._text, self._index = text, index

    def ranked(self, words: str, wanted: PeopleFilter, *, nearest: Sequence[int], horizon: int) -> list[Described]:
        """People up to key `horizon` who share words with the query, the best first; of equals the nearest, the newest.

        Args:
            words: The query.
            wanted: Who is looked for at all.
            nearest: Keys of the people nearest by picture, best first; all of them wanted.
            horizon: The greatest key.
        """
        terms = terms_of(words)
        weights: dict[str, tuple[float, Term]] = {}
        for term, stem in zip(terms, self._text.stems([term.indexed for term in terms]), strict=True):
            if stem is not None and stem not in weights and (weight := self._weight(stem, horizon)) is not None:
                weights[stem] = weight, term
        if not weights:
            return []
        candidates = dict.fromkeys(nearest)
        candidates.update(dict.fromkeys(self._having(weights, wanted, horizon)))
        if wanted.is_open:  # the text may name some who are gone, until it is read again
            candidates = dict.fromkeys(self._index.wanted_of(list(candidates), wanted))
        else:
            candidates.update(dict.fromkeys(self._index.newest(CANDIDATES * 2, wanted, before_key=horizon + 1)))
        place = {key: rank for rank, key in enumerate(nearest)}
        found = []
        told: dict[tuple[str, ...], tuple[float, tuple[str, ...]]] = {}  # few different words, many people
        for key, shared in self._text.sharing(list(weights), list(candidates)).items():
            if shared not in told:
                best = sorted((weights[stem] for stem in shared), key=lambda weighed: -weighed[0])
                told[shared] = round(sum(weight for weight, _ in best), 9), said_of(term for _, term in best)
            found.append(Described(key, *told[shared]))
        found.sort(key=lambda one: (-one.weight, place.get(one.key, len(place)), -one.key))
        return found

    def _having(self, weights: dict[str, tuple[float, Term]], wanted: PeopleFilter, horizon: int) -> list[int]:
        """The newest who have all the words; where they are few, also who have the rarer half, then each of them."""
        stems = sorted(weights, key=lambda stem: -weights[stem][0])
        tried = dict.fromkeys((tuple(stems), tuple(stems[: len(stems) // 2]), *((stem,) for stem in stems)))
        found: dict[int, None] = {}
        for some in filter(None, tried):
            found.update(dict.fromkeys(self._newest_wanted(some, wanted, horizon)))
            if len(found) >= CANDIDATES:
                break
        return list(found)

    def _newest_wanted(self, stems: Sequence[str], wanted: PeopleFilter, horizon: int) -> list[int]:
        if wanted.is_open:
            return self._text.newest_with(stems, CANDIDATES, through_key=horizon)
        found: list[int] = []
        through = horizon
        for _ in range(CHUNKS):
            matching = self._text.newest_with(stems, CHUNK, through_key=through)
            found += self._index.wanted_of(matching, wanted)
            if len(matching) < CHUNK or len(found) >= CANDIDATES:
                break
            through = matching[-1] - 1
        return found

    def _weight(self, stem: str, people: int) -> float | None:
        """The weight of a word, where the greatest key stands for how many people there are: near enough, and free.

        None: nobody has it, so that it tells nobody from anybody.
        """
        having = min(self._text.count_with(stem, through_key=people), people)
        return math.log(1 + (people - having + 0.5) / (having + 0.5)) if having else None
