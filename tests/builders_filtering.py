"""A search over a person table whose likeness can be worked out by hand; filters and cursors are as the real one's."""

from collections.abc import Sequence

from consumers.errors import NotSeenError
from consumers.indexer.people import PeopleReader, Person
from consumers.search.cursors import Cursor, cursor_text, read_cursor
from consumers.search.filters import PeopleFilter
from consumers.search.hits import AlsoSeen, Found, FoundPeople, Why
from consumers.search.query import By, SearchQuery
from consumers.search.terms import said_of, terms_of, words_of
from tests.builders_web import CaptionSearch

LOOKED_AT = 5000


class FilteringSearch(CaptionSearch):
    """Likeness is the share of the asked words that a caption has; of an example the words are its caption's."""

    def __init__(self, people: PeopleReader) -> None:
        super().__init__(people)
        self._table = people

    def find(self, query: SearchQuery) -> FoundPeople:
        everybody = self._table.newest(LOOKED_AT)
        cursor = read_cursor(query) or Cursor(max((person.id for person in everybody), default=0), 0)
        people = [person for person in everybody if person.id <= cursor.horizon and wanted(person, query.filter)]
        asked, found = self._asked(query), [Found(person.id, 0.0) for person in people]
        if asked:
            found = [_judged(person, asked, query) for person in people]
            is_near = query.by is not By.DESCRIPTION
            found = sorted((one for one in found if one.score or is_near), key=lambda one: -one.score)
        known = {word for person in everybody for word in words_of(person.caption)}
        end = cursor.place + query.k
        following = cursor_text(query, Cursor(cursor.horizon, end)) if len(found) > end else None
        unknown = [term.said for term in terms_of(query.words) if term.indexed not in known]
        return FoundPeople(tuple(found[cursor.place : end]), tuple(unknown), following)

    def elsewhere(self, person_id: str, k: int) -> tuple[AlsoSeen, ...]:
        own = self._person(person_id)
        others = [one for one in self._table.newest(LOOKED_AT) if one.chain_id != own.chain_id]
        asked = words_of(own.caption)
        alike = [AlsoSeen(one.id, one.chain_id, 1, round(_share(one, asked), 4)) for one in others]
        alike.sort(key=lambda one: -one.similarity)
        return tuple(one for one in alike if one.similarity > 0.4)[:k]

    def _person(self, person_id: str) -> Person:
        person = self._table.person(person_id)
        if person is None:
            raise NotSeenError(person_id)
        return person

    def _asked(self, query: SearchQuery) -> list[str]:
        if query.like is not None:
            return words_of(self._person(query.like).caption)
        return ["a", "person"] if query.picture is not None else words_of(query.words)


def wanted(person: Person, asked: PeopleFilter) -> bool:
    """Whether a filter wants somebody."""
    return (
        (not asked.cameras or person.camera_id in asked.cameras)
        and (asked.since is None or person.first_seen_at >= asked.since)
        and (asked.until is None or person.first_seen_at < asked.until)
        and all(person.answers.get(one.question_id, {}).get(one.answer, 0.0) >= one.at_least for one in asked.answers)
        and all(word in words_of(person.caption) for word in asked.described)
        and person.detection_score >= asked.detected_at_least
    )


def _share(person: Person, asked: Sequence[str]) -> float:
    return len(set(asked) & set(words_of(person.caption))) / max(len(set(asked)), 1)


def _judged(person: Person, asked: Sequence[str], query: SearchQuery) -> Found:
    share = round(_share(person, asked), 4)
    matched = said_of(term for term in terms_of(query.words) if term.indexed in words_of(person.caption))
    has_picture = query.by is not By.DESCRIPTION
    return Found(
        person.id,
        share,
        Why(
            share if has_picture else None,
            () if query.by is By.PICTURE else matched,
            person.revisions["embedding_space"],
        ),
    )
