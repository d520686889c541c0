"""Asks the indexer: what the page and the command line search with."""

from dataclasses import dataclass
from typing import Any, TypeVar

import urllib3
from pydantic import TypeAdapter, ValidationError

from consumers.errors import NotSeenError, SearchQueryError, SearchUnavailableError
from consumers.search.hits import AlsoSeen, FoundPeople
from consumers.search.query import SearchQuery

PICTURE_TIMEOUT_S = 60.0  # the first picture waits for the model that sees to be loaded
CONNECTIONS = 16  # kept open; more may be open at once
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How much is indexed; `keys` are vectors that can be searched."""

    people: int
    segments: int
    rejections: int
    chains: int
    keys: int


@dataclass(frozen=True, slots=True)
class ElsewhereAsked:
    """Who is looked for elsewhere, and how many chains at most."""

    person_id: str
    k: int


QUERY, ELSEWHERE = TypeAdapter(SearchQuery), TypeAdapter(ElsewhereAsked)
FOUND, CHAINS, STATUS = TypeAdapter(FoundPeople), TypeAdapter(tuple[AlsoSeen, ...]), TypeAdapter(IndexStatus)


class SearchClient:
    """Asks the indexer over its internal port; may be shared by threads.

    Raises (every method): `SearchUnavailableError` naming the address and what happened.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, token: str = "") -> None:
        """Ask the service at `url`, such as `http://127.0.0.1:18081`, and show it `token`, if there is one."""
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else None
        # urllib3 asks a fifth of the processor time of httpx, and knows no proxies unless told.
        self._http = urllib3.PoolManager(
            maxsize=CONNECTIONS, timeout=urllib3.Timeout(timeout_s), retries=False, headers=headers
        )

    def find(self, query: SearchQuery) -> FoundPeople:
        """One page of who is found, by their keys.

        Raises:
            SearchQueryError: The query, its cursor or its picture makes no sense.
            NotSeenError: Nobody has the id that somebody should be like.
        """
        timeout_s = PICTURE_TIMEOUT_S if query.picture is not None else None
        return self._ask("POST", "/find", QUERY.dump_json(query), FOUND, timeout_s)

    def elsewhere(self, person_id: str, k: int) -> tuple[AlsoSeen, ...]:
        """Other chains that may be the same person as somebody.

        Raises:
            NotSeenError: Nobody has that id.
        """
        return self._ask("POST", "/elsewhere", ELSEWHERE.dump_json(ElsewhereAsked(person_id, k)), CHAINS)

    def status(self) -> IndexStatus:
        """How much is indexed."""
        return self._ask("GET", "/status", None, STATUS)

    def close(self) -> None:
        """Give the connections back."""
        self._http.clear()

    def _ask(
        self, method: str, path: str, body: bytes | None, kind: TypeAdapter[T], timeout_s: float | None = None
    ) -> T:
        within: dict[str, Any] = {"timeout": timeout_s} if timeout_s is not None else {}
        try:
            try:
                answer: Any = self._http.request(method, self.url + path, body=body, **within)
            except urllib3.exceptions.ProtocolError:  # kept open too long, and closed there meanwhile
                answer = self._http.request(method, self.url + path, body=body, **within)
        except urllib3.exceptions.HTTPError as error:
            reason = str(error).rpartition(": ")[2]  # urllib3 begins with the object that it was
            raise SearchUnavailableError(self.url, reason) from error
        if answer.status == 422:
            raise SearchQueryError(answer.data.decode(errors="replace"))
        if answer.status == 404 and body is not None:
            raise NotSeenError(answer.data.decode(errors="replace"))
        if answer.status == 401:
            raise SearchUnavailableError(self.url, "it wants another search.token")
        if answer.status != 200:
            raise SearchUnavailableError(self.url, f"it answers {answer.status}")
        try:
            return kind.validate_json(answer.data)
        except ValidationError as error:
            raise SearchUnavailableError(self.url, "something else answers there") from error
