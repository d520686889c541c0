"""The gate before everything that the page serves: REST, media ranges, NiceGUI's files and its websocket.

It answers one question, *who is this*; what they may do is asked where it is done (`needs`, `Identity.may`). A
websocket is asked again while it is open, so that signing out or disabling a user closes what is open.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from anyio import to_thread
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.access.identity import Identity
from consumers.errors import DeskError

COOKIE = "crewsight-session"
SIGN_IN = "/sign-in"
# What nobody needs to be anybody for.
OPEN = frozenset({SIGN_IN, "/api/v1/health", "/metrics", "/live", "/ready"})
BELIEVED_S = 2.0  # for how long an answer is believed: a page of pictures asks a hundred times
MOST_BELIEVED = 4096
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY_VIOLATION = 1008  # of RFC 6455

Secrets = tuple[str | None, str | None]  # of the cookie, of the Authorization header
Identify = Callable[[str | None, str | None], Identity | None]


class Callers:
    """Who carries which secrets, believed for two seconds."""

    def __init__(self, identify: Identify, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask `identify` (cookie secret, token secret -> who that is; may block)."""
        self._identify, self._clock = identify, clock
        self._believed: OrderedDict[Secrets, tuple[float, Identity | None]] = OrderedDict()

    async def who(self, carried: Secrets) -> Identity | None:
        """Who that is; None: nobody."""
        now = self._clock()
        believed = self._believed.get(carried)
        if believed is not None and now - believed[0] < BELIEVED_S:
            return believed[1]
        identity = await to_thread.run_sync(self._identify, *carried)
        self._believed[carried] = (now, identity)
        self._believed.move_to_end(carried)
        while len(self._believed) > MOST_BELIEVED:
            self._believed.popitem(last=False)
        return identity

    def forget(self) -> None:
        """Believe nothing any more: somebody has just signed in or out."""
        self._believed.clear()


class Gate:
    """Lets in whoever `callers` knows and puts the identity into the request's state."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        """Stand before `app`."""
        self._app, self._callers = app, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it here."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        if is_foreign(scope, headers):
            await _refuse(scope, send, 403, "This was asked by a page of another site.")
            return
        if scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        carried = secrets_in(headers)
        try:
            identity = await self._callers.who(carried)
        except DeskError as error:
            await _refuse(scope, send, 503, str(error))
            return
        if identity is None:
            await _turn_away(scope, send)
            return
        scope.setdefault("state", {})["identity"] = identity
        if scope["type"] == "websocket":
            receive, send = self._watched(receive, send, carried, identity)
        await self._app(scope, receive, send)

    def _watched(self, receive: Receive, send: Send, carried: Secrets, identity: Identity) -> tuple[Receive, Send]:
        """The two ends of a websocket, which hangs up once its identity is gone or is another."""
        is_over = False

        async def hear() -> Message:
            nonlocal is_over
            message = await receive()
            if message["type"] != "websocket.receive" or await self._is_still(carried, identity):
                return message
            is_over = True
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

        async def say(message: Message) -> None:
            if not is_over:  # what is behind may not have noticed yet
                await send(message)

        return hear, say

    async def _is_still(self, carried: Secrets, identity: Identity) -> bool:
        try:
            return await self._callers.who(carried) == identity
        except DeskError:
            return False  # the browser comes back by itself, and is asked anew


def secrets_in(headers: Mapping[str, str]) -> Secrets:
    """The secrets that a request carries: of the session cookie, and of `Authorization: Bearer …`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    # As browsers read them: the standard library's reader gives up at what other programs of this host put into theirs.
    cookies = cookie_parser(headers.get("cookie", ""))
    return cookies.get(COOKIE), (token.strip() if scheme.lower() == "bearer" else None)


def is_foreign(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a page of another site asks for something that changes things, or for a websocket.

    A browser tells where a page comes from; a program does not, and carries no cookie of ours by itself.
    """
    if scope["type"] == "http" and scope["method"] in SAFE:
        return False
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True  # it is no address at all, so not ours


def _headers(scope: Scope) -> dict[str, str]:
    told: dict[str, str] = {}
    for raw_name, raw in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        # HTTP/2 may split a cookie header into several.
        told[name] = f"{told[name]}; {raw.decode('latin-1')}" if name in told else raw.decode("latin-1")
    return told


async def _turn_away(scope: Scope, send: Send) -> None:
    """Nobody: a browser that wants a page is sent to sign in, everything else is refused."""
    path = scope["path"]
    is_page = scope["type"] == "http" and scope["method"] in SAFE and not path.startswith(("/api/", "/media/", "/_"))
    if not is_page:
        await _refuse(scope, send, 401, "Sign in, or send a token: Authorization: Bearer …")
        return
    query = scope["query_string"].decode("latin-1")
    wanted = quote(f"{path}?{query}" if query else path, safe="")
    await _answer(send, 303, [(b"location", f"{SIGN_IN}?next={wanted}".encode())], b"")


async def _refuse(scope: Scope, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})  # before it is accepted: HTTP 403
        return
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = [(b"content-type", b"application/problem+json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await _answer(send, status, headers, json.dumps(problem).encode())


async def _answer(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
