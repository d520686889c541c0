"""Refuses bodies that are larger than anything somebody may send, before they fill the memory."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 16 << 20  # a picture of 8 MiB as base64, and to spare


class BodyLimit:
    """Lets an application read no more than so much of a body; what is behind answers 413."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES) -> None:
        """Stand before `app`."""
        self._app, self._most_bytes = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        is_too_large = stated.isdigit() and int(stated) > self._most_bytes
        read_bytes = 0

        async def counted() -> Message:
            nonlocal read_bytes
            message = None if is_too_large else await receive()
            read_bytes += len(message.get("body", b"")) if message is not None else 0
            if message is None or read_bytes > self._most_bytes:
                raise HTTPException(413, f"At most {self._most_bytes >> 20} MiB can be sent at once.")
            return message

        await self._app(scope, counted, send)
