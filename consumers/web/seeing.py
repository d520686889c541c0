"""`/metrics`, `/live` and `/ready` of the page at its own address, open to everyone: they name no camera."""

import time

from fastapi import APIRouter, Response
from sqlalchemy import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import DeskError, PeopleTableError
from consumers.indexer.people import PeopleReader
from operations.seeing.health import Health
from operations.seeing.meters import HTTP
from operations.seeing.serving import answered

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # whoever asks may invent others


def seeing_router(people: PeopleReader, desk: DeskDatabase) -> APIRouter:
    """The three addresses; ready while both databases answer."""
    router, health = APIRouter(include_in_schema=False), Health("database")

    @router.get("/metrics")
    def metrics() -> Response:
        _look(people, desk, health)
        return _said("/metrics", health)

    @router.get("/live")
    async def live() -> Response:  # in the loop itself: whoever gets an answer knows that it turns
        return _said("/live", health)

    @router.get("/ready")
    def ready() -> Response:
        _look(people, desk, health)
        return _said("/ready", health)

    return router


def _look(people: PeopleReader, desk: DeskDatabase, health: Health) -> None:
    try:
        people.newest(1)
        with desk.reading() as session:
            session.scalar(select(1))
    except (DeskError, PeopleTableError) as error:
        health.lacks("database", type(error).__name__)  # its words may name the server
    else:
        health.has("database")


def _said(path: str, health: Health) -> Response:
    status, media_type, body = answered(path, health)
    return Response(body, status, media_type=media_type)


class RequestMeter:
    """Counts requests and how long they took; websockets, which last for hours, are left out."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = time.perf_counter(), 500

        async def say(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, say)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            HTTP.labels(method, str(status)).observe(time.perf_counter() - began_s)
