"""Searches with everything that is known of whoever is found: the indexer is asked who, the person table what."""

from collections.abc import Sequence

from consumers.indexer.people import PeopleReader
from consumers.search.client import IndexStatus, SearchClient
from consumers.search.hits import AlsoSeen, FoundPeople, Hit, SearchAnswer
from consumers.search.query import SearchQuery


class PeopleSearch:
    """Finds people; may be shared by threads.

    Raises: what `SearchClient` raises, and `PeopleTableError` when the table cannot be read.
    """

    def __init__(self, client: SearchClient, people: PeopleReader) -> None:
        """Ask `client` who is found, and read `people`."""
        self._client, self._people = client, people

    def search(self, query: SearchQuery) -> SearchAnswer:
        """One page of who is found; whoever was erased a moment ago is left out."""
        answer = self._client.find(query)
        people = self._people.by_key([one.key for one in answer.found])
        hits = tuple(Hit(people[one.key], one.score, one.why) for one in answer.found if one.key in people)
        return SearchAnswer(hits, answer.unknown_words, answer.next)

    def find(self, query: SearchQuery) -> FoundPeople:
        """One page of who is found, by their keys alone."""
        return self._client.find(query)

    def elsewhere(self, person_id: str, k: int) -> Sequence[AlsoSeen]:
        """Other chains that may be the same person as somebody."""
        return self._client.elsewhere(person_id, k)

    def status(self) -> IndexStatus:
        """How much is indexed."""
        return self._client.status()
