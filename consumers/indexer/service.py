"""The indexer's internal HTTP service: searches, and how much is indexed. Loopback only."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Annotated, Any, Protocol

import uvicorn
from fastapi import FastAPI, Query
from pydantic import TypeAdapter

from consumers.indexer.people import PeopleReader
from consumers.indexer.vectors import VectorShard
from consumers.search.client import IndexStatus
from consumers.search.hits import Hit, SearchAnswer
from model.humanvlm import TextEmbedding

MOST_HITS = 1000
CLOSE_S = 2


class TextEmbedder(Protocol):
    """Places texts in an embedding space."""

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies."""


class Searching:
    """Answers searches: text to vector, vector to keys, keys to people. May be shared by threads."""

    def __init__(self, tower: TextEmbedder, shard: VectorShard, people: PeopleReader) -> None:
        """Search `shard` with the tower of its own space."""
        self._tower, self._shard, self._people = tower, shard, people
        self._lock = threading.Lock()  # one text at a time: the tower's threads are all the processor has

    def search(self, text: str, k: int, camera: str | None = None) -> SearchAnswer:
        """The `k` people nearest to `text`, best first.

        Raises:
            PeopleTableError: The table cannot be read.
        """
        with self._lock:
            embedded = self._tower.embed_text(text)
        among = None if camera is None else self._people.keys_of_camera(camera)
        found = self._shard.search(embedded.vector, k, among=among)
        people = self._people.by_key([key for key, _ in found])
        hits = tuple(Hit(people[key], round(score, 4)) for key, score in found if key in people)
        return SearchAnswer(hits, embedded.unknown_words)


def create_service(searching: Searching, people: PeopleReader, shard: VectorShard) -> FastAPI:
    """The service over these; testable alone."""
    service = FastAPI(title="Crewsight search", docs_url=None, redoc_url=None, openapi_url=None)
    answers, statuses = TypeAdapter(SearchAnswer), TypeAdapter(IndexStatus)

    @service.get("/search")
    def search(
        q: Annotated[str, Query(min_length=1, max_length=500)],
        k: Annotated[int, Query(ge=1, le=MOST_HITS)] = 20,
        camera: str | None = None,
    ) -> Any:
        return answers.dump_python(searching.search(q, k, camera), mode="json")

    @service.get("/status")
    def status() -> Any:
        counts = people.counts()
        standing = IndexStatus(counts.people, counts.segments, counts.rejections, counts.chains, len(shard))
        return statuses.dump_python(standing, mode="json")

    return service


@contextlib.contextmanager
def served(service: FastAPI, listening: socket.socket) -> Iterator[None]:
    """Serve on an open socket from a thread of its own, as long as the block runs."""
    config = uvicorn.Config(
        service, log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=CLOSE_S
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="search", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(CLOSE_S + 1)
        listening.close()
