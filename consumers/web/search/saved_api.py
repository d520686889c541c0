"""`/api/v1/searches…`: searches with a name, of one user or shared, and guards."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Path, Request
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from consumers.access.roles import SEARCH, WRITE_RULES
from consumers.alerts.rules import Schedule
from consumers.errors import NoSuchSearchError, SavedSearchError
from consumers.web.search.saved import Change, SavedSearches
from consumers.web.search.shapes import Asked, SavedAsked, SavedSearchShape
from consumers.web.who import Who, needs

Problem = Callable[..., JSONResponse]
Called = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Channel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class SaveAsked(Asked):
    """A search to keep."""

    name: Called
    is_shared: bool = Field(False, description="Whether everybody who may search sees it.")
    search: SavedAsked


class ChangeAsked(Asked):
    """What is to be different; what is left out stays."""

    name: Called | None = None
    is_shared: bool | None = None


class GuardAsked(Asked):
    """How a search stands guard."""

    schedule: Schedule | None = Field(None, description="When it does, as in a rule; none: always.")
    channels: Annotated[tuple[Channel, ...], Field(max_length=20)] = Field((), description="Who is told, as in a rule.")


def saved_router(saved: SavedSearches) -> APIRouter:
    """Saved searches."""
    router = APIRouter(prefix="/searches")

    @router.get("", dependencies=[needs(SEARCH)])
    def searches(who: Who) -> tuple[SavedSearchShape, ...]:
        return saved.all(who)

    @router.post("", dependencies=[needs(SEARCH)], status_code=201)
    def save(asked: Annotated[SaveAsked, Body()], who: Who) -> SavedSearchShape:
        return saved.save(asked.name, asked.search, who, is_shared=asked.is_shared)

    @router.get("/{search_id}", dependencies=[needs(SEARCH)])
    def search(search_id: Id, who: Who) -> SavedSearchShape:
        return saved.one(search_id, who)

    @router.patch("/{search_id}", dependencies=[needs(SEARCH)])
    def change(search_id: Id, asked: Annotated[ChangeAsked, Body()], who: Who) -> SavedSearchShape:
        return saved.change(search_id, Change(asked.name, asked.is_shared), who)

    @router.delete("/{search_id}", dependencies=[needs(SEARCH)], status_code=204)
    def delete(search_id: Id, who: Who) -> None:
        saved.delete(search_id, who)

    @router.put("/{search_id}/guard", dependencies=[needs(WRITE_RULES)])
    def stand_guard(search_id: Id, asked: Annotated[GuardAsked, Body()], who: Who) -> SavedSearchShape:
        return saved.stand_guard(search_id, who, schedule=asked.schedule, channels=asked.channels)

    @router.delete("/{search_id}/guard", dependencies=[needs(WRITE_RULES)])
    def stand_down(search_id: Id, who: Who) -> SavedSearchShape:
        return saved.stand_down(search_id, who)

    return router


def tell_saved_problems(api: FastAPI, problem: Problem) -> None:
    """Answer what can go wrong with saved searches: 404, 422 with the reason."""

    @api.exception_handler(NoSuchSearchError)
    def unknown(_: Request, error: NoSuchSearchError) -> JSONResponse:
        return problem(404, str(error))

    @api.exception_handler(SavedSearchError)
    def senseless(_: Request, error: SavedSearchError) -> JSONResponse:
        return problem(422, str(error))
