"""`/api/v1/cameras…`: how cameras are, their frames, adding, changing and removing them."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime
from starlette.responses import Response

from consumers.access.access import Access
from consumers.access.roles import ADMINISTER, LOOK, PLAY
from consumers.errors import CameraChangeError, NoSuchCameraError, VideoReadError
from consumers.web.cameras.cameras_desk import CamerasDesk
from consumers.web.cameras.shapes import CameraChangeShape, WatchedCamerasShape
from consumers.web.plays import Plays
from consumers.web.who import Who, needs
from streamer.bus.errors import CameraFileError, MediaStoreError
from streamer.bus.messages import CAMERA_PATTERN

Problem = Callable[..., JSONResponse]
CameraName = Annotated[str, Path(pattern=CAMERA_PATTERN)]
HEADERS = {"Cache-Control": "private, max-age=60", "X-Content-Type-Options": "nosniff"}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}}


def cameras_router(cameras: CamerasDesk, access: Access, plays: Plays) -> APIRouter:
    """How cameras are, and their changes; every change goes into the audit log, without its secrets."""
    router = APIRouter()

    @router.get("/cameras/watched", dependencies=[needs(LOOK)])
    def watched(
        people_since: Annotated[
            AwareDatetime | None, Query(description="People are counted since then; otherwise for 24 hours.")
        ] = None,
    ) -> WatchedCamerasShape:
        return cameras.cameras(people_since)

    @router.get(
        "/cameras/{camera_id}/frame.jpg", dependencies=[needs(PLAY)], response_class=Response, responses=PICTURE
    )
    def frame(camera_id: str, who: Who, small: bool = False) -> Response:
        plays.note(who, f"newest frame of {camera_id}")
        try:
            picture = cameras.frame(camera_id, is_small=small)
        except (VideoReadError, MediaStoreError) as error:
            raise HTTPException(404, f"No frame of {camera_id} can be read now.") from error
        return Response(picture, media_type="image/jpeg", headers=HEADERS)

    @router.put("/cameras/{camera_id}", dependencies=[needs(ADMINISTER)], status_code=204)
    def put(camera_id: CameraName, asked: Annotated[CameraChangeShape, Body()], who: Who) -> None:
        note_change(access, who.name, camera_id, asked, is_new=cameras.put(camera_id, asked) is None)

    @router.delete("/cameras/{camera_id}", dependencies=[needs(ADMINISTER)], status_code=204)
    def remove(camera_id: CameraName, who: Who) -> None:
        cameras.remove(camera_id)
        access.log(who.name, "camera removed", camera_id)

    return router


def note_change(access: Access, who: str, camera_id: str, asked: CameraChangeShape, *, is_new: bool) -> None:
    """Write into the audit log what was asked for: which parts of a camera, and never what they are.

    Raises:
        DeskError: the log cannot be written.
    """
    access.log(who, "camera added" if is_new else "camera changed", camera_id, changed=sorted(asked.model_fields_set))


def tell_camera_problems(api: FastAPI, problem: Problem) -> None:
    """Answer what can go wrong with cameras: 404, 422."""

    @api.exception_handler(NoSuchCameraError)
    def unknown(_: Request, error: NoSuchCameraError) -> JSONResponse:
        return problem(404, str(error))

    @api.exception_handler(CameraChangeError)
    def cannot_be(_: Request, error: CameraChangeError) -> JSONResponse:
        return problem(422, str(error))

    @api.exception_handler(CameraFileError)
    def unfit(_: Request, error: CameraFileError) -> JSONResponse:
        return problem(422, str(error))
