"""The HTTP API: plain FastAPI over the desk, behind the gate.

Endpoints are ordinary functions, so the framework runs each in a thread: none blocks the page. Each declares the role
it needs. Every error has one shape, problem+json (RFC 9457).
"""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from consumers.access.access import SESSION_H, Access
from consumers.access.gate import Callers, Gate
from consumers.access.roles import ACT, LOOK
from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import DeskError, NotPermittedError, PeopleTableError, SearchUnavailableError
from consumers.indexer.people import PeopleReader
from consumers.web.alerts.acting import AlertActs
from consumers.web.alerts.api import alerts_router, tell_alert_problems
from consumers.web.alerts.board import AlertBoard
from consumers.web.alerts.frames import Frames
from consumers.web.body_limit import BodyLimit
from consumers.web.cameras.api import cameras_router, tell_camera_problems
from consumers.web.cameras.cameras_desk import CamerasDesk, Watched
from consumers.web.cameras.zones import Zones
from consumers.web.cameras.zones_api import zones_router
from consumers.web.desk import Desk, Search
from consumers.web.documenting import PROBLEM, documented
from consumers.web.exports.api import exports_router, tell_export_problems
from consumers.web.exports.exports import Exports
from consumers.web.media import media_router
from consumers.web.plays import Plays
from consumers.web.rules.api import rules_router, tell_rule_problems
from consumers.web.rules.rules_desk import RulesDesk
from consumers.web.schemas import (
    CameraShape,
    CorrectionShape,
    HealthShape,
    PeopleShape,
    PersonDetailShape,
    ProblemShape,
    StatusShape,
)
from consumers.web.search.api import search_router, tell_search_problems
from consumers.web.search.asking import Asking
from consumers.web.search.saved import SavedSearches
from consumers.web.search.saved_api import saved_router, tell_saved_problems
from consumers.web.services import Services
from consumers.web.system.api import tell_upkeep_problems, upkeep_router
from consumers.web.system.system_desk import Installation, SystemDesk
from consumers.web.who import Who, needs
from streamer.bus.media import MediaStore

PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": {"model": ProblemShape}, "5XX": {"model": ProblemShape}}
MOST = 200  # people in one answer
MOST_KEY = 2**63 - 1  # what a database holds
Camera = Annotated[str | None, Query(description="Only this camera.")]


def create_api(
    search: Search,
    people: PeopleReader,
    media: MediaStore,
    alerts: DeskDatabase,
    rules: RulesDesk,
    watched: Watched,
    installation: Installation,
    *,
    session_h: float = SESSION_H,
    site_name: str = "Crewsight",
) -> FastAPI:
    """The API over these seven, testable alone: `/api/v1/…` and `/media/…`.

    Args:
        search: Finds people by words.
        people: Who was seen.
        media: Where pictures and footage are.
        alerts: The desk database: alerts, and who may see them.
        rules: The rules, and why they say what they say.
        watched: The cameras, and what is said of them.
        installation: What there is to know of the rest of it.
        session_h: Hours after which whoever signed in has to do so again.
        site_name: What reports call this place.
    """
    api = FastAPI(
        title="Crewsight",
        version="1",
        docs_url=None,
        redoc_url=None,  # their assets would come from a CDN
        openapi_url="/api/v1/openapi.json",
        responses=PROBLEMS,
    )
    access = Access(alerts, session_h=session_h)
    frames = Frames(media)
    cameras, zones = CamerasDesk(watched, people, frames), Zones(rules, access)
    desk = Desk(search, people, media, access, cameras)
    board, acts = AlertBoard(alerts, people, media), AlertActs(alerts)
    api.state.access, api.state.callers = access, Callers(access.identify)
    asking = Asking(people, desk.asked_questions, lambda: rules.standing().book.camera_groups, frames)
    api.include_router(_people_router(desk, acts), prefix="/api/v1")
    api.include_router(search_router(desk, asking), prefix="/api/v1")
    saved = SavedSearches(alerts, rules, desk.asked_questions)
    api.include_router(saved_router(saved), prefix="/api/v1")
    api.include_router(_system_router(desk), prefix="/api/v1")
    exports = api.state.exports = Exports(desk.person, media, access, site_name=site_name)
    api.include_router(exports_router(exports), prefix="/api/v1")
    plays = Plays(access)
    api.include_router(media_router(media, plays))
    api.include_router(cameras_router(cameras, access, plays), prefix="/api/v1")
    api.include_router(zones_router(zones), prefix="/api/v1")
    system = SystemDesk(installation, cameras, people, media, access)
    api.include_router(upkeep_router(system), prefix="/api/v1")
    api.state.services = Services(
        desk, board, acts, access, rules, asking, saved, exports, frames, plays, cameras, zones, system
    )
    api.include_router(alerts_router(board, acts, frames, access), prefix="/api/v1")
    api.include_router(rules_router(rules, access), prefix="/api/v1")
    tell_alert_problems(api, board, _problem)
    tell_rule_problems(api, _problem)
    tell_search_problems(api, _problem)
    tell_export_problems(api, _problem)
    tell_saved_problems(api, _problem)
    tell_camera_problems(api, _problem)
    tell_upkeep_problems(api, _problem)
    api.add_middleware(BodyLimit)
    api.add_middleware(Gate, callers=api.state.callers)
    _tell_problems(api)
    api.openapi = documented(api)  # type: ignore[method-assign]
    return api


def _people_router(desk: Desk, acts: AlertActs) -> APIRouter:
    router = APIRouter()

    @router.get("/people", dependencies=[needs(LOOK)])
    def newest(
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
        after: Annotated[
            int | None, Query(ge=0, le=MOST_KEY, description="Only people who came after this cursor.")
        ] = None,
        before: Annotated[
            int | None, Query(ge=0, le=MOST_KEY, description="Only people who came before this cursor.")
        ] = None,
        camera: Camera = None,
    ) -> PeopleShape:
        return desk.newest(limit, before=before, after=after, camera=camera)

    @router.get("/people/{person_id}", dependencies=[needs(LOOK)])
    def person(person_id: str) -> PersonDetailShape:
        found = desk.person(person_id)
        if found is None:
            raise HTTPException(404, f"Nobody is called {person_id}.")
        return found

    @router.post("/people/{person_id}/corrections", dependencies=[needs(ACT)], status_code=204)
    def correct(person_id: str, correction: Annotated[CorrectionShape, Body()], who: Who) -> None:
        person, question = desk.asked(person_id, correction.question_id)
        acts.correct(person, question, correction.right_answer, who)

    return router


def _system_router(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/cameras", dependencies=[needs(LOOK)])
    def cameras() -> tuple[CameraShape, ...]:
        return desk.cameras()

    @router.get("/status", dependencies=[needs(LOOK)])
    def status() -> StatusShape:
        return desk.status()

    @router.get("/health")
    def health() -> HealthShape:
        return HealthShape()

    return router


def _tell_problems(api: FastAPI) -> None:
    @api.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @api.exception_handler(RequestValidationError)
    def misspelt(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors())
        return _problem(422, wrong)

    @api.exception_handler(SearchUnavailableError)
    def no_search(_: Request, error: SearchUnavailableError) -> JSONResponse:
        return _problem(503, str(error), {"Retry-After": "5"})

    @api.exception_handler(NotPermittedError)
    def not_permitted(_: Request, error: NotPermittedError) -> JSONResponse:
        return _problem(403, str(error))

    @api.exception_handler(DeskError)
    def no_desk(_: Request, error: DeskError) -> JSONResponse:
        return _problem(503, str(error), {"Retry-After": "5"})

    @api.exception_handler(PeopleTableError)
    def no_table(_: Request, error: PeopleTableError) -> JSONResponse:
        return _problem(503, str(error), {"Retry-After": "5"})


def _problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    shape = ProblemShape(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse({**shape.model_dump(), **more}, status_code=status, headers=headers, media_type=PROBLEM)
