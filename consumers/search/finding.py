"""Finds people: what the indexer does with a query. Answers with keys; whoever asked reads the person table."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from consumers.errors import NotSeenError, SearchQueryError
from consumers.indexer.people import PeopleReader
from consumers.search.cursors import DEEPEST, Cursor, cursor_text, read_cursor
from consumers.search.described import Described, Descriptions
from consumers.search.elsewhere import elsewhere
from consumers.search.filters import PeopleFilter
from consumers.search.fusion import fused
from consumers.search.hits import AlsoSeen, Found, FoundPeople, Why
from consumers.search.pictures import decoded, whole
from consumers.search.query import By, SearchQuery
from consumers.search.towers import Placed, Towers
from consumers.search.vector_index import Neighbour, VectorIndex, Vectors

Ranked = TypeVar("Ranked")
POOL = 200  # nearest by picture that words are fused with: the same for every page, so that pages agree
DIGITS = 5  # of a score; beyond, it is noise of float16


@dataclass(frozen=True, slots=True)
class _Near:
    """Someone near: how much, in which space; `score` orders people of several spaces."""

    key: int
    score: float
    similarity: float
    embedding_space: str

    def found(self) -> Found:
        return Found(self.key, self.score, Why(self.similarity, (), self.embedding_space))


class Finder:
    """Answers searches; may be shared by threads.

    Raises (every method): `VectorIndexError`, `PeopleTableError` when index or table cannot be read.
    """

    def __init__(self, index: VectorIndex, towers: Towers, descriptions: Descriptions, people: PeopleReader) -> None:
        """Search `index` with what `towers` place, and `descriptions` by words."""
        self._index, self._towers, self._descriptions, self._people = index, towers, descriptions, people

    def find(self, query: SearchQuery) -> FoundPeople:
        """One page of who is found.

        Raises:
            SearchQueryError: The cursor is none or belongs to another query, or the picture cannot be read.
            NotSeenError: Nobody has the id that somebody should be like.
            ModelFolderError: The model that sees pictures is not there any more.
        """
        cursor = read_cursor(query)
        if cursor is not None and cursor.place > DEEPEST and not _is_list(query):
            raise SearchQueryError("after: this is no cursor; send `next` of the page before, unchanged")
        if _is_list(query):
            return self._list(query, cursor)
        at = cursor or Cursor(next(iter(self._index.newest(1)), 0), 0)
        if query.words:
            placed = self._towers.place_text(query.words)
            if query.by is not By.PICTURE:
                return self._by_words(query, placed, at)
        elif query.picture is not None:
            placed = self._towers.place_picture(whole(decoded(query.picture)))
        else:
            placed = self._like(query.like or "")
        near = self._nearest(placed.vectors, at.place + query.k + 1, at.horizon, query.filter)
        return _page(query, at, near, _Near.found, placed.unknown_words)

    def elsewhere(self, person_id: str, k: int) -> list[AlsoSeen]:
        """Other chains that may be the same person as somebody, the most alike first.

        Raises:
            NotSeenError: Nobody has that id.
        """
        person = self._people.place(person_id)
        if person is None:
            raise NotSeenError(person_id)
        return elsewhere(person, self._people, self._index, k)

    def _list(self, query: SearchQuery, cursor: Cursor | None) -> FoundPeople:
        """The newest whom the filter wants: a page begins below the last key, whatever came or went."""
        keys = self._index.newest(query.k + 1, query.filter, before_key=None if cursor is None else cursor.place)
        page = keys[: query.k]
        following = cursor_text(query, Cursor(page[0], page[-1])) if len(keys) > query.k else None
        return FoundPeople(tuple(Found(key, 0.0) for key in page), next=following)

    def _by_words(self, query: SearchQuery, placed: Placed, at: Cursor) -> FoundPeople:
        near = self._nearest(placed.vectors, POOL, at.horizon, query.filter)
        nearest = [one.key for one in near]
        described = self._descriptions.ranked(query.words, query.filter, nearest=nearest, horizon=at.horizon)
        by_key = {one.key: one for one in near}
        words = {one.key: one for one in described}
        if query.by is By.DESCRIPTION:
            scores = [(one.key, round(one.weight, DIGITS)) for one in described]
        else:
            scores = fused([nearest, [one.key for one in described]])

        def tell(scored: tuple[int, float]) -> Found:
            return _told(*scored, by_key, words)

        return _page(query, at, scores, tell, placed.unknown_words)

    def _like(self, person_id: str) -> Placed:
        person = self._people.place(person_id)
        if person is None:
            raise NotSeenError(person_id)
        vectors = {person.embedding_space: person.vector}
        for space in self._index.spaces():
            if space != person.embedding_space:
                other = self._index.vectors_of(space, [person.sight.key])
                vectors.update((space, vector) for vector in other.values())
        return Placed(vectors)

    def _nearest(self, vectors: Mapping[str, Vectors], k: int, horizon: int, wanted: PeopleFilter) -> list[_Near]:
        """The nearest up to key `horizon`; several spaces are merged by rank, as their likenesses do not compare."""
        rankings = {
            space: self._nearest_of(space, vector, k, horizon, wanted)
            for space, vector in vectors.items()
            if space in self._index.spaces()
        }
        if len(rankings) == 1:
            ((space, ranking),) = rankings.items()
            return [_Near(n.key, *(round(n.similarity, DIGITS),) * 2, space) for n in ranking]
        likest: dict[int, tuple[float, str]] = {}
        for space, ranking in rankings.items():
            for neighbour in ranking:
                likest.setdefault(neighbour.key, (round(neighbour.similarity, DIGITS), space))
        scores = fused([[neighbour.key for neighbour in ranking] for ranking in rankings.values()])
        return [_Near(key, round(score, 6), *likest[key]) for key, score in itertools.islice(scores, k)]

    def _nearest_of(
        self, space: str, vector: Vectors, k: int, horizon: int, wanted: PeopleFilter
    ) -> Sequence[Neighbour]:
        asked = k
        while True:
            neighbours = self._index.search(space, vector, asked, wanted)
            among = [neighbour for neighbour in neighbours if neighbour.key <= horizon]
            if len(among) >= k or len(neighbours) < asked:
                return among[:k]
            asked *= 2  # some of the nearest came after the first page


def _is_list(query: SearchQuery) -> bool:
    return not query.words and query.like is None and query.picture is None


def _told(key: int, score: float, near: Mapping[int, _Near], described: Mapping[int, Described]) -> Found:
    one, words = near.get(key), described.get(key)
    matched = words.matched_words if words else ()
    score = round(score, 6)
    return Found(key, score, Why(one.similarity, matched, one.embedding_space) if one else Why(None, matched))


def _page(
    query: SearchQuery,
    at: Cursor,
    found: Sequence[Ranked],
    tell: Callable[[Ranked], Found],
    unknown_words: tuple[str, ...],
) -> FoundPeople:
    end = at.place + query.k
    following = cursor_text(query, Cursor(at.horizon, end)) if len(found) > end and end <= DEEPEST else None
    return FoundPeople(tuple(tell(one) for one in found[at.place : end]), unknown_words, following)
