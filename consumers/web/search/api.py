"""`/api/v1/search` and what goes with it: find people by words, by example or by what was answered about them."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from consumers.access.roles import LOOK, SEARCH
from consumers.errors import SearchQueryError
from consumers.search.query import By
from consumers.web.desk import Desk
from consumers.web.search.asking import Asking
from consumers.web.search.shapes import (
    LONGEST,
    LONGEST_NAME,
    MOST,
    ElsewhereShape,
    FilterAsked,
    QuestionShape,
    SearchAsked,
    SearchShape,
)
from consumers.web.who import Who, needs

FOUND: dict[int | str, dict[str, Any]] = {200: {"model": SearchShape}}
Problem = Callable[..., JSONResponse]
JSON = "application/json"


def search_router(desk: Desk, asking: Asking) -> APIRouter:
    """Searches, where else somebody was, and the questions that answers can be asked for."""
    router = APIRouter()

    # Both answer bytes, made once: checking them against the shape again would cost as much as the search.
    @router.post("/search", dependencies=[needs(SEARCH)], responses=FOUND, response_class=Response)
    def find(asked: Annotated[SearchAsked, Body()], who: Who) -> Response:
        return Response(desk.find_json(asking.query(asked), by=who.name), media_type=JSON)

    @router.get("/search", dependencies=[needs(SEARCH)], responses=FOUND, response_class=Response)
    def search(
        who: Who,
        q: Annotated[str, Query(min_length=1, max_length=LONGEST, description="Words that describe a person.")],
        k: Annotated[int, Query(ge=1, le=MOST, description="How many people at most.")] = 24,
        camera: Annotated[
            str | None, Query(max_length=LONGEST_NAME, description="Only this camera, or camera group.")
        ] = None,
        by: Annotated[By, Query(description="What the words are compared with.")] = By.PICTURE,
        after: Annotated[str | None, Query(max_length=500, description="`next` of the page before.")] = None,
    ) -> Response:
        cameras = (camera,) if camera else ()
        asked = SearchAsked.model_construct(words=q, by=by, filter=FilterAsked(cameras=cameras), k=k, after=after)
        return Response(desk.find_json(asking.query(asked), by=who.name), media_type=JSON)

    @router.get("/people/{person_id}/elsewhere", dependencies=[needs(SEARCH)])
    def elsewhere(
        person_id: str, who: Who, k: Annotated[int, Query(ge=1, le=50, description="Chains at most.")] = 12
    ) -> ElsewhereShape:
        return desk.elsewhere(person_id, k, by=who.name)

    @router.get("/questions", dependencies=[needs(LOOK)])
    def questions() -> tuple[QuestionShape, ...]:
        return desk.questions()

    return router


def tell_search_problems(api: FastAPI, problem: Problem) -> None:
    """Answer what cannot be searched for: 422."""

    @api.exception_handler(SearchQueryError)
    def senseless(_: Request, error: SearchQueryError) -> JSONResponse:
        return problem(422, str(error))
