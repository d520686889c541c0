"""Crops, segments and evidence over HTTP, with byte ranges, so that a browser can start a clip at any second."""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from consumers.access.roles import LOOK, PLAY
from consumers.errors import VideoReadError
from consumers.web.plays import Plays
from consumers.web.previews import Previews
from consumers.web.who import Who, needs, refuse_unless
from streamer.bus.errors import MediaStoreAwayError, MediaStoreError
from streamer.bus.media import SCHEME, MediaStore

CHUNK_BYTES = 1 << 20
VIDEO = "video/mp4"
SERVED = {  # folder and ending -> content type
    ("crops", ".jpg"): "image/jpeg",
    ("media", ".mp4"): VIDEO,
    ("media", ".jpg"): "image/jpeg",
    ("evidence", ".jpg"): "image/jpeg",
    ("evidence", ".mp4"): VIDEO,
}
HEADERS = {
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=600",  # short: what is erased must not live on in a browser
}
Read = Callable[[int, int], bytes]  # from the first byte to before the last
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


def media_router(media: MediaStore, plays: Plays) -> APIRouter:
    """`GET` and `HEAD /media/{path}`: crops, segments and evidence of the store, nothing else of it.

    Crops are for everybody who was let in; footage, be it a video or a whole picture, needs the role that may play it,
    and is noted in `plays`. With `?preview=true` a video comes as an H.264 copy, for browsers that do not play what the
    camera sends.
    """
    router, previews = APIRouter(), Previews(media)

    @router.get("/media/{path:path}", include_in_schema=False, dependencies=[needs(LOOK)])
    @router.head("/media/{path:path}", include_in_schema=False, dependencies=[needs(LOOK)])
    def serve(path: str, request: Request, who: Who, preview: bool = False) -> Response:
        content_type = _content_type(path)
        is_footage = content_type == VIDEO or path.startswith("media/")
        if is_footage:
            refuse_unless(who, PLAY)
        uri = SCHEME + path
        try:
            if not media.exists(uri):
                raise HTTPException(404, f"There is nothing at {path}: it may have been removed.")
            if is_footage:
                plays.note(who, path)
            if preview and content_type == VIDEO:
                return _previewed(previews, uri, path, request)
            local = media.local_path(uri)
            if local is not None:
                return FileResponse(local, media_type=content_type, headers=HEADERS)
            size = media.size_bytes(uri)
        except MediaStoreAwayError as error:
            raise HTTPException(503, "The media store does not answer.", headers={"Retry-After": "5"}) from error
        except MediaStoreError as error:
            raise HTTPException(404, f"{path} cannot be read.") from error
        return _ranged(lambda start, end: media.read(uri, start, end), size, content_type, request)

    return router


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The first byte asked for and the one after the last; None when all of it is wanted.

    Several ranges at once are answered with all of it, which RFC 9110 allows.

    Raises:
        ValueError: the range lies outside the file.

    >>> parse_range("bytes=10-19", 100), parse_range("bytes=-5", 100), parse_range("bytes=95-", 100)
    ((10, 20), (95, 100), (95, 100))
    >>> parse_range(None, 100), parse_range("bytes=0-1,5-6", 100)
    (None, None)
    """
    asked = _RANGE.match(header or "")
    if asked is None or asked.groups() == ("", ""):
        return None
    first, last = asked.groups()
    start = max(0, size_bytes - int(last)) if not first else int(first)
    end = size_bytes if not first or not last else min(size_bytes, int(last) + 1)
    if start >= size_bytes or start >= end:
        raise ValueError(f"range {header} lies outside {size_bytes} bytes")
    return start, end


def _content_type(path: str) -> str:
    parts = PurePosixPath(path).parts
    served = SERVED.get((parts[0] if parts else "", PurePosixPath(path).suffix))
    if served is None or ".." in parts or path.startswith("/") or "\\" in path or "\0" in path:
        raise HTTPException(404, "Only crops, segments and evidence are served here.")
    return served


def _previewed(previews: Previews, uri: str, path: str, request: Request) -> Response:
    try:
        copy = previews.of(uri)
    except VideoReadError as error:
        raise HTTPException(404, f"{path} cannot be read.") from error
    return _ranged(lambda start, end: copy[start:end], len(copy), VIDEO, request)


def _ranged(read: Read, size: int, content_type: str, request: Request) -> Response:
    """The answer for what is no local file: all of it, or the range that was asked for."""
    try:
        asked = parse_range(request.headers.get("range"), size)
    except ValueError as error:
        raise HTTPException(416, str(error), headers={"Content-Range": f"bytes */{size}"}) from error
    start, end = asked or (0, size)
    headers = {**HEADERS, "Content-Length": str(end - start)}
    if asked:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 206 if asked else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=content_type)
    return StreamingResponse(_chunks(read, start, end), status, headers=headers, media_type=content_type)


def _chunks(read: Read, start: int, end: int) -> Iterator[bytes]:
    for position in range(start, end, CHUNK_BYTES):
        yield read(position, min(position + CHUNK_BYTES, end))
