"""`/api/v1/exports`: people taken along as an archive."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse

from consumers.access.roles import EXPORT
from consumers.errors import ExportError, ExportsFullError, NoSuchExportError
from consumers.web.exports.exports import Exports
from consumers.web.exports.shapes import ExportAsked, ExportShape
from consumers.web.who import Who, needs

Problem = Callable[..., JSONResponse]
RETRY_AFTER_S = 10
ZIP = "application/zip"


def exports_router(exports: Exports) -> APIRouter:
    """Begin an export, ask how it stands, take the archive."""
    router = APIRouter()

    @router.post("/exports", dependencies=[needs(EXPORT)], status_code=202)
    def begin(asked: Annotated[ExportAsked, Body()], who: Who) -> ExportShape:
        return exports.begin(asked, who)

    @router.get("/exports/{export_id}", dependencies=[needs(EXPORT)])
    def stands(export_id: str, who: Who) -> ExportShape:
        return exports.get(export_id, who)

    @router.get(
        "/exports/{export_id}/archive.zip",
        dependencies=[needs(EXPORT)],
        response_class=FileResponse,
        responses={200: {"content": {ZIP: {}}, "description": "The archive; it can be fetched in ranges."}},
    )
    def archive(export_id: str, who: Who) -> FileResponse:
        path = exports.archive(export_id, who)
        if path is None:
            raise HTTPException(409, "The export is not ready; ask for its state first.")
        headers = {"Cache-Control": "no-store"}
        return FileResponse(path, media_type=ZIP, filename=f"crewsight-{export_id[:8]}.zip", headers=headers)

    return router


def tell_export_problems(api: FastAPI, problem: Problem) -> None:
    """Answer what cannot be exported: 404, 422, 429."""

    @api.exception_handler(NoSuchExportError)
    def nothing(_: Request, error: NoSuchExportError) -> JSONResponse:
        return problem(404, str(error))

    @api.exception_handler(ExportsFullError)
    def full(_: Request, error: ExportsFullError) -> JSONResponse:
        return problem(429, str(error), {"Retry-After": f"{RETRY_AFTER_S}"})

    @api.exception_handler(ExportError)
    def refused(_: Request, error: ExportError) -> JSONResponse:
        return problem(422, str(error))
