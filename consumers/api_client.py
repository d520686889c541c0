"""A client of the REST API for Python, which the command line uses too.

with ApiClient("http://127.0.0.1:8080", token="crewsight_…") as api:
found = api.search(SearchAsked(words="worker without a vest"))
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from consumers.errors import ApiError
from consumers.web.schemas import PersonDetailShape
from consumers.web.search.shapes import (
    ElsewhereShape,
    HitShape,
    QuestionShape,
    SavedAsked,
    SavedSearchShape,
    SearchAsked,
    SearchShape,
)

T = TypeVar("T")
FOUND, ELSEWHERE, PERSON = TypeAdapter(SearchShape), TypeAdapter(ElsewhereShape), TypeAdapter(PersonDetailShape)
QUESTIONS, SAVED = TypeAdapter(tuple[QuestionShape, ...]), TypeAdapter(SavedSearchShape)
ALL_SAVED = TypeAdapter(tuple[SavedSearchShape, ...])


class ApiClient:
    """Asks the API at an address; may be shared by threads.

    Raises (every method): `ApiError` with the status and what the API said, or status 0 where nobody answers.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 30.0) -> None:
        """Ask the page at `url`, such as `http://127.0.0.1:8080`, with a token of `crewsight token add`."""
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url + "/api/v1", headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, asked: SearchAsked) -> SearchShape:
        """One page of who is found, best first."""
        return self._ask("POST", "/search", FOUND, asked.model_dump_json(exclude_defaults=True))

    def all(self, asked: SearchAsked) -> Iterator[HitShape]:
        """Everybody found, page after page; who arrives meanwhile is not among them."""
        while True:
            found = self.search(asked)
            yield from found.hits
            if found.next is None:
                return
            asked = asked.model_copy(update={"after": found.next})

    def person(self, person_id: str) -> PersonDetailShape:
        """One person."""
        return self._ask("GET", f"/people/{person_id}", PERSON)

    def elsewhere(self, person_id: str) -> ElsewhereShape:
        """Where else somebody may have been seen."""
        return self._ask("GET", f"/people/{person_id}/elsewhere", ELSEWHERE)

    def questions(self) -> tuple[QuestionShape, ...]:
        """What has been asked about people."""
        return self._ask("GET", "/questions", QUESTIONS)

    def searches(self) -> tuple[SavedSearchShape, ...]:
        """Saved searches, one's own and shared ones."""
        return self._ask("GET", "/searches", ALL_SAVED)

    def save(self, name: str, search: SavedAsked, *, is_shared: bool = False) -> SavedSearchShape:
        """Keep a search."""
        body = TypeAdapter(dict[str, object]).dump_json({"name": name, "search": search, "is_shared": is_shared})
        return self._ask("POST", "/searches", SAVED, body.decode())

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _ask(self, method: str, path: str, kind: TypeAdapter[T], body: str | None = None) -> T:
        try:
            answer = self._http.request(method, path, content=body, headers={"Content-Type": "application/json"})
        except httpx.HTTPError as error:
            raise ApiError(self.url, 0, str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise ApiError(self.url, answer.status_code, _detail(answer))
        try:
            return kind.validate_json(answer.content)
        except ValidationError as error:
            raise ApiError(self.url, answer.status_code, "something else answers there") from error


def _detail(answer: httpx.Response) -> str:
    """What a problem+json says, or the status in words."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
