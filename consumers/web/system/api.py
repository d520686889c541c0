"""`/api/v1/system` and `/api/v1/dead-letters…`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Query, Request
from fastapi.responses import JSONResponse

from consumers.access.roles import ACT, ADMINISTER, LOOK
from consumers.errors import DeadLetterError
from consumers.web.system.shapes import DeadLetterShape, ReplayShape, SystemShape
from consumers.web.system.system_desk import SystemDesk
from consumers.web.who import Who, needs
from streamer.bus.errors import BrokerUnreachableError

Problem = Callable[..., JSONResponse]


def upkeep_router(system: SystemDesk) -> APIRouter:
    """How everything stands, and what nobody could read."""
    router = APIRouter()

    @router.get("/system", dependencies=[needs(LOOK)])
    def stands() -> SystemShape:
        return system.stands()

    @router.get("/dead-letters", dependencies=[needs(ACT)])
    def dead_letters(
        with_handled: Annotated[bool, Query(description="Also those that were replayed or dropped.")] = False,
    ) -> tuple[DeadLetterShape, ...]:
        return system.dead_letters(with_handled=with_handled)

    @router.post("/dead-letters/{rejected_id}/replay", dependencies=[needs(ADMINISTER)])
    def replay(rejected_id: str, asked: Annotated[ReplayShape, Body()], who: Who) -> DeadLetterShape:
        return system.replay(rejected_id, by=who.name, is_again=asked.is_again)

    @router.post("/dead-letters/{rejected_id}/drop", dependencies=[needs(ADMINISTER)])
    def drop(rejected_id: str, who: Who) -> DeadLetterShape:
        return system.drop(rejected_id, by=who.name)

    return router


def tell_upkeep_problems(api: FastAPI, problem: Problem) -> None:
    """Answer what can go wrong with dead letters: 409 with what to do, 503 while the broker is away."""

    @api.exception_handler(DeadLetterError)
    def unhandled(_: Request, error: DeadLetterError) -> JSONResponse:
        return problem(409, str(error))

    @api.exception_handler(BrokerUnreachableError)
    def no_broker(_: Request, error: BrokerUnreachableError) -> JSONResponse:
        return problem(503, str(error), {"Retry-After": "5"})
