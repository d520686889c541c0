"""`/api/v1/alerts…`: what the page can do with alerts, for machines too."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from consumers.access.access import Access
from consumers.access.roles import ACT, EXPORT, LOOK
from consumers.alerts.rules import Severity
from consumers.errors import ActRefusedError, NoSuchAlertError, StaleAlertError, VideoReadError
from consumers.web.alerts.acting import AlertActs, Seen
from consumers.web.alerts.acts import Act
from consumers.web.alerts.board import AlertBoard
from consumers.web.alerts.export import csv_lines
from consumers.web.alerts.filters import AlertFilter, Order
from consumers.web.alerts.frames import Frames
from consumers.web.alerts.shapes import (
    AlertDetailShape,
    AlertShape,
    AlertsShape,
    BulkShape,
    ConflictShape,
    RefusedShape,
    State,
    SummaryShape,
)
from consumers.web.alerts.summary import summarize
from consumers.web.instants import Instant
from consumers.web.who import Who, needs
from streamer.bus.errors import MediaStoreError

MOST = 500  # alerts in one answer, and in one change
DAY = timedelta(days=1)
LONGEST = timedelta(days=1100)  # three years; every hour of it is told
PICTURE_HEADERS = {"Cache-Control": "private, max-age=600", "X-Content-Type-Options": "nosniff"}
Problem = Callable[..., JSONResponse]


class SeenShape(BaseModel):
    """An alert as somebody saw it."""

    model_config = ConfigDict(extra="forbid")
    alert_id: str
    version: int


class ChangeShape(BaseModel):
    """A change to one alert."""

    model_config = ConfigDict(extra="forbid")
    version: int = Field(description="The version that was seen.")
    act: Act


class BulkChangeShape(BaseModel):
    """One change to several alerts."""

    model_config = ConfigDict(extra="forbid")
    alerts: Annotated[tuple[SeenShape, ...], Field(min_length=1, max_length=MOST)]
    act: Act


def asked_for(
    camera: Annotated[list[str] | None, Query(description="Only these cameras.")] = None,
    rule: Annotated[list[str] | None, Query(description="Only these rules.")] = None,
    state: Annotated[list[State] | None, Query(description="Only in these states.")] = None,
    severity: Annotated[list[Severity] | None, Query(description="Only as bad as these.")] = None,
    assignee: Annotated[str | None, Query(description="Only this user's.")] = None,
    since: Annotated[Instant | None, Query(description="Footage time, from.")] = None,
    until: Annotated[Instant | None, Query(description="Footage time, up to and without.")] = None,
) -> AlertFilter:
    """The filter that every list of alerts takes."""
    return AlertFilter(
        cameras=tuple(camera or ()),
        rules=tuple(rule or ()),
        states=tuple(state or ()),
        severities=tuple(severity or ()),
        assignee=assignee,
        since=since,
        until=until,
    )


Asked = Annotated[AlertFilter, Depends(asked_for)]


def alerts_router(board: AlertBoard, acts: AlertActs, frames: Frames, access: Access) -> APIRouter:
    """Lists, one alert, its frame, changes, the export and the summary."""
    router = APIRouter()
    _add_lists(router, board, access)
    _add_one(router, board, frames)
    _add_changes(router, board, acts)
    return router


def _add_lists(router: APIRouter, board: AlertBoard, access: Access) -> None:
    @router.get("/alerts", dependencies=[needs(LOOK)])
    def alerts(
        asked: Asked,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
        order: Annotated[Order, Query(description="The newest first, or the worst.")] = "newest",
        behind: Annotated[str | None, Query(pattern=r"^-?\d{1,3}\.\d{1,18}$", description="`next` of a page.")] = None,
    ) -> AlertsShape:
        return board.page(asked, limit, order=order, behind=behind)

    @router.get("/alerts.csv", dependencies=[needs(EXPORT)], response_class=StreamingResponse)
    def export(asked: Asked, who: Who) -> StreamingResponse:
        found = board.each(asked)
        access.log(who.name, "export", "alerts", **asked.told(), alerts=len(found))
        headers = {"Content-Disposition": 'attachment; filename="alerts.csv"', "Cache-Control": "no-store"}
        lines: Iterator[str] = csv_lines(found)
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    @router.get("/alerts/summary", dependencies=[needs(LOOK)])
    def summary(
        asked: Asked,
        time_zone: Annotated[str, Query(description="Whose hours are counted, such as Europe/Berlin.")] = "UTC",
    ) -> SummaryShape:
        until = asked.until or datetime.now(UTC)
        since = asked.since or until - DAY
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise HTTPException(422, f"time_zone: {time_zone} is none; write one such as Europe/Berlin") from error
        if since >= until:
            raise HTTPException(422, "since: must be before until")
        if until - since > LONGEST:
            raise HTTPException(422, f"since: at most {LONGEST.days} days before until")
        return summarize(board.each(within(asked, since, until)), since, until, zone)


def within(asked: AlertFilter, since: datetime, until: datetime) -> AlertFilter:
    """The same filter for a stretch of time."""
    return AlertFilter(asked.cameras, asked.rules, asked.states, asked.severities, asked.assignee, since, until)


def _add_one(router: APIRouter, board: AlertBoard, frames: Frames) -> None:
    @router.get("/alerts/{alert_id}", dependencies=[needs(LOOK)])
    def alert(alert_id: str) -> AlertDetailShape:
        return _detail(board, alert_id)

    @router.get("/alerts/{alert_id}/frame.jpg", dependencies=[needs(LOOK)], response_class=Response)
    def frame(alert_id: str) -> Response:
        uri, at_s = board.frame_of(_detail(board, alert_id))
        try:
            picture = frames.jpeg(uri, at_s)
        except (VideoReadError, MediaStoreError) as error:
            raise HTTPException(404, "The footage of this alert is gone, or cannot be read.") from error
        return Response(picture, media_type="image/jpeg", headers=PICTURE_HEADERS)


def _add_changes(router: APIRouter, board: AlertBoard, acts: AlertActs) -> None:
    conflict: dict[int | str, dict[str, Any]] = {409: {"model": ConflictShape}}

    @router.post("/alerts/acts", dependencies=[needs(ACT)])
    def change_all(change: Annotated[BulkChangeShape, Body()], who: Who) -> BulkShape:
        seen = [Seen(one.alert_id, one.version) for one in change.alerts]
        outcomes = acts.act_on_all(seen, change.act, who)
        current = board.some([outcome.alert_id for outcome in outcomes if outcome.refused])
        return BulkShape(
            done=tuple(outcome.alert for outcome in outcomes if outcome.alert is not None),
            refused=tuple(
                RefusedShape(alert_id=o.alert_id, reason=o.refused, current=current.get(o.alert_id))
                for o in outcomes
                if o.refused is not None
            ),
        )

    @router.post("/alerts/{alert_id}/acts", dependencies=[needs(ACT)], responses=conflict)
    def change(alert_id: str, change: Annotated[ChangeShape, Body()], who: Who) -> AlertShape:
        return acts.act(Seen(alert_id, change.version), change.act, who)


def _detail(board: AlertBoard, alert_id: str) -> AlertDetailShape:
    found = board.detail(alert_id)
    if found is None:
        raise NoSuchAlertError(alert_id)
    return found


def tell_alert_problems(api: FastAPI, board: AlertBoard, problem: Problem) -> None:
    """Answer what can go wrong with alerts: 404, 409 with the alert as it is, 422."""

    @api.exception_handler(NoSuchAlertError)
    def unknown(_: Request, error: NoSuchAlertError) -> JSONResponse:
        return problem(404, str(error))

    @api.exception_handler(StaleAlertError)
    def stale(_: Request, error: StaleAlertError) -> JSONResponse:
        current = board.some([error.alert_id]).get(error.alert_id)
        return problem(409, str(error), current=current.model_dump(mode="json") if current else None)

    @api.exception_handler(ActRefusedError)
    def senseless(_: Request, error: ActRefusedError) -> JSONResponse:
        return problem(422, str(error))
