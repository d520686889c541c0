"""Signing in and out: two plain forms, so that nothing of the page is served to nobody."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from consumers.access.access import Access
from consumers.access.gate import COOKIE, SIGN_IN, secrets_in
from consumers.errors import SignInRefusedError
from consumers.web.components.markup import Markup, tag, together

LOOKS = tuple(Path(__file__).with_name(f"{name}.css") for name in ("theme", "upkeep"))
THEME_COOKIE = "crewsight-theme"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def sign_in_router(access: Access, site_name: str, on_change: Callable[[], None]) -> APIRouter:
    """`GET` and `POST /sign-in`, `POST /sign-out`.

    Args:
        access: Where users and sessions are.
        site_name: What the form calls the place.
        on_change: Called when somebody has signed in or out.
    """
    router = APIRouter(include_in_schema=False)

    @router.get(SIGN_IN)
    def form(request: Request, next: str = "/") -> Response:
        if not access.has_users():
            return RedirectResponse(own_place(next), status_code=303)
        return _form(request, site_name, own_place(next))

    @router.post(SIGN_IN)
    def sign_in(
        request: Request,
        name: Annotated[str, Form(max_length=200)] = "",
        password: Annotated[str, Form(max_length=2000)] = "",
        next: Annotated[str, Form(max_length=4000)] = "/",
    ) -> Response:
        place = own_place(next)
        address = request.client.host if request.client else ""
        try:
            secret = access.sign_in(name.strip(), password, address)
        except SignInRefusedError as error:
            return _form(request, site_name, place, name=name, refused=error)
        on_change()
        answer = RedirectResponse(place, status_code=303)
        answer.set_cookie(
            COOKIE,
            secret,
            max_age=round(access.session_h * 3600),
            httponly=True,
            samesite="lax",  # strict would ask whoever follows the link of a mail to sign in again
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/sign-out")
    def sign_out(request: Request) -> Response:
        secret, _ = secrets_in(request.headers)
        if secret is not None:
            access.sign_out(secret)
            on_change()
        answer = RedirectResponse(SIGN_IN, status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    return router


def theme_style(*, is_dark: bool) -> Markup:
    """The look of everything, in the colours of the theme."""
    looks = "\n".join(look.read_text() for look in LOOKS)
    return Markup(f"<style>:root{{color-scheme:{'dark' if is_dark else 'light'}}}\n{looks}</style>")


def own_place(address: str) -> str:
    """Where to go after signing in: a place of this page, never another site.

    >>> own_place("/alerts?alert=7"), own_place("//evil.example"), own_place("https://evil.example/x"), own_place("//[")
    ('/alerts?alert=7', '/', '/', '/')
    """
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:
        return "/"  # no address at all
    is_own = not parts.scheme and not parts.netloc and parts.path.startswith("/") and not parts.path.startswith("//")
    if not is_own or parts.path == SIGN_IN:
        return "/"
    return quote(parts.path) + (f"?{parts.query}" if parts.query else "")


def _form(
    request: Request, site_name: str, place: str, *, name: str = "", refused: SignInRefusedError | None = None
) -> HTMLResponse:
    is_dark = request.cookies.get(THEME_COOKIE) != "light"
    status = 200 if refused is None else 429 if refused.retry_after_s else 401
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    if refused is not None and refused.retry_after_s:
        headers["Retry-After"] = str(round(refused.retry_after_s))
    page = _document(site_name, _fields(place, name, refused), is_dark=is_dark)
    return HTMLResponse(f"<!doctype html>{page}", status, headers=headers)


def _document(site_name: str, form: Markup, *, is_dark: bool) -> Markup:
    head = together(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"Sign in · {site_name}"),
        theme_style(is_dark=is_dark),
    )
    main = tag("main", tag("h1", site_name), form, class_="sign-in")
    return tag("html", tag("head", head), tag("body", main), lang="en")


def _fields(place: str, name: str, refused: SignInRefusedError | None) -> Markup:
    told = tag("p", str(refused), class_="note warn", role="alert") if refused else Markup()
    return tag(
        "form",
        told,
        _field("Name", "name", "text", "username", name),
        _field("Password", "password", "password", "current-password", ""),
        _hidden("next", place),
        tag("button", "Sign in", class_="act main", type="submit"),
        method="post",
        action=SIGN_IN,
    )


def _field(words: str, name: str, kind: str, autocomplete: str, value: str) -> Markup:
    return tag(
        "label",
        tag("span", words),
        tag(
            "input",
            name=name,
            type=kind,
            autocomplete=autocomplete,
            value=value,
            required="required",
            autocapitalize="none",
            autofocus="autofocus" if kind == "text" else None,
        ),
    )


def _hidden(name: str, value: str) -> Markup:
    return tag("input", type="hidden", name=name, value=value)
