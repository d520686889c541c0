"""`/api/v1/rules…`: read, check and save rules; why a rule says what it says of somebody."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from consumers.access.access import Access
from consumers.access.roles import LOOK, WRITE_RULES
from consumers.errors import NotSeenError, RulesError, StaleRulesError
from consumers.web.rules.rules_desk import RulesDesk
from consumers.web.rules.shapes import RulesShape, VerdictShape, shape_rules, shape_verdict
from consumers.web.who import Who, needs

Problem = Callable[..., JSONResponse]


class RulesTextShape(BaseModel):
    """Rules as somebody wrote them."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=1_000_000)]
    revision: str = Field(description="Of the file that was seen.")


def rules_router(rules: RulesDesk, access: Access) -> APIRouter:
    """The rules, and why."""
    router = APIRouter()

    @router.get("/rules", dependencies=[needs(LOOK)])
    def read() -> RulesShape:
        written = rules.text()
        return shape_rules(rules.standing(), written.text, written.revision)

    @router.put("/rules", dependencies=[needs(WRITE_RULES)])
    def save(asked: Annotated[RulesTextShape, Body()], who: Who) -> RulesShape:
        standing = rules.save(asked.text, asked.revision)
        written = rules.text()
        access.log(who.name, "rules saved", str(rules.path), revision=written.revision, before=asked.revision)
        return shape_rules(standing, written.text, written.revision)

    @router.post("/rules/check", dependencies=[needs(WRITE_RULES)])
    def check(asked: Annotated[RulesTextShape, Body()]) -> RulesShape:
        return shape_rules(rules.check(asked.text), asked.text, asked.revision)

    @router.get("/people/{person_id}/verdicts", dependencies=[needs(LOOK)])
    def why(person_id: str) -> tuple[VerdictShape, ...]:
        return tuple(shape_verdict(one) for one in rules.why(person_id))

    return router


def tell_rule_problems(api: FastAPI, problem: Problem) -> None:
    """Answer what can go wrong with rules: 404, 409, 422 with the line."""

    @api.exception_handler(RulesError)
    def unfit(_: Request, error: RulesError) -> JSONResponse:
        return problem(422, str(error), line=error.line)

    @api.exception_handler(StaleRulesError)
    def stale(_: Request, error: StaleRulesError) -> JSONResponse:
        return problem(409, str(error))

    @api.exception_handler(NotSeenError)
    def unseen(_: Request, error: NotSeenError) -> JSONResponse:
        return problem(404, str(error))
