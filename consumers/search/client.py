"""Asks the indexer: what the page and the command line search with."""

from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from consumers.errors import SearchUnavailableError
from consumers.search.hits import SearchAnswer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How much is indexed; `keys` are vectors that can be searched."""

    people: int
    segments: int
    rejections: int
    chains: int
    keys: int


class SearchClient:
    """Asks the indexer over its internal port; may be shared by threads.

    Raises (every method): `SearchUnavailableError` naming the address and what happened.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        """Ask the service at `url`, such as `http://127.0.0.1:18081`."""
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)  # never through a proxy

    def search(self, text: str, k: int = 20, *, camera: str | None = None) -> SearchAnswer:
        """The `k` people nearest to `text`, of one camera where one is named."""
        asked = {"q": text, "k": str(k), **({"camera": camera} if camera is not None else {})}
        return self._get("/search", asked, TypeAdapter(SearchAnswer))

    def status(self) -> IndexStatus:
        """How much is indexed."""
        return self._get("/status", {}, TypeAdapter(IndexStatus))

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def _get(self, path: str, asked: dict[str, str], kind: TypeAdapter[T]) -> T:
        try:
            answer = self._http.get(path, params=asked)
            answer.raise_for_status()
            return kind.validate_json(answer.content)
        except httpx.HTTPStatusError as error:
            raise SearchUnavailableError(self.url, f"it answers {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise SearchUnavailableError(self.url, str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise SearchUnavailableError(self.url, "something else answers there") from error
