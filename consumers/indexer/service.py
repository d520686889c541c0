"""The indexer's internal HTTP service: searches, and how much is indexed. Loopback only, unless a token is asked for.

It answers with keys and reasons; whoever asked reads the person table, so no row is written and parsed twice.
"""

import contextlib
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from consumers.errors import NotSeenError, SearchQueryError
from consumers.indexer.people import PeopleReader
from consumers.search.client import ElsewhereAsked, IndexStatus
from consumers.search.finding import Finder
from consumers.search.query import SearchQuery
from consumers.search.vector_index import VectorIndex
from operations.seeing.meters import SEARCH

CLOSE_S = 2
JSON = "application/json"
QUERY, ELSEWHERE = TypeAdapter(SearchQuery), TypeAdapter(ElsewhereAsked)


def create_service(finder: Finder, people: PeopleReader, index: VectorIndex, *, token: str = "") -> FastAPI:
    """The service over these, for whoever shows `token`, or for everybody; testable alone."""
    asking = [Depends(_only_with(token))] if token else []
    service = FastAPI(title="Crewsight search", docs_url=None, redoc_url=None, openapi_url=None, dependencies=asking)

    # The bodies are read here and not by the framework: this is asked hundreds of times a second.
    @service.post("/find")
    async def find(request: Request) -> Response:
        return await _answered(QUERY, await request.body(), finder.find)

    @service.post("/elsewhere")
    async def elsewhere(request: Request) -> Response:
        def look(asked: ElsewhereAsked) -> object:
            return finder.elsewhere(asked.person_id, asked.k)

        return await _answered(ELSEWHERE, await request.body(), look)

    @service.get("/status")
    def status() -> Response:
        counts = people.counts()
        standing = IndexStatus(counts.people, counts.segments, counts.rejections, counts.chains, len(index))
        return Response(orjson.dumps(standing), media_type=JSON)

    return service


def _only_with(token: str) -> Callable[[Request], Awaitable[None]]:
    wanted = f"Bearer {token}".encode()

    async def check(request: Request) -> None:
        shown = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(shown, wanted):
            raise HTTPException(401, "search.token is another")

    return check


async def _answered(kind: TypeAdapter[Any], body: bytes, work: Callable[[Any], object]) -> Response:
    """What `work` makes of a body; 422 or 404 with the reason where it refuses."""
    try:
        asked = kind.validate_json(body)
        with SEARCH.time():
            found = await run_in_threadpool(work, asked)
        return Response(orjson.dumps(found), media_type=JSON)
    except ValidationError as error:
        return Response(error.errors()[0]["msg"], 422, media_type="text/plain")
    except SearchQueryError as error:
        return Response(str(error), 422, media_type="text/plain")
    except NotSeenError as error:
        return Response(error.wanted, 404, media_type="text/plain")


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
