"""The gate before the real API: REST, media ranges and a websocket, without a session and with the wrong role."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from consumers.access.access import Access
from consumers.access.gate import BELIEVED_S, COOKIE
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.people import PeopleTable
from consumers.web.sign_in import sign_in_router
from streamer.bus.media import SCHEME, MediaStore
from tests.builders_access import PASSWORD, enter_users, session_of
from tests.builders_alerts import api_over
from tests.builders_web import HAT, CaptionSearch, Walk, enter_segment, panned_clip, sure

BOX = (64.0, 48.0, 128.0, 240.0)
OWN = "http://testserver"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskDatabase]:
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
def api(tmp_path: Path, desk: DeskDatabase) -> Iterator[FastAPI]:
    """The API over one person, with a websocket that says back what it hears."""
    store, table = MediaStore(str(tmp_path / "media")), PeopleTable(f"sqlite:///{tmp_path / 'people.sqlite3'}")
    clip = panned_clip(np.full((480, 640, 3), 90, np.uint8), tmp_path / "grey.mp4", seconds=1)
    crop = np.full((80, 40, 3), 120, np.uint8)
    enter_segment(
        store, table, clip, [Walk([(0.4, BOX)], crop, "worker in an orange vest", sure(HAT, "no"))], camera="gate"
    )
    api = api_over(CaptionSearch(table), table, store, desk, tmp_path)
    api.include_router(sign_in_router(api.state.access, "North Yard", api.state.callers.forget))

    @api.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.send_text(await socket.receive_text())

    yield api
    table.close()


@pytest.fixture
def access(api: FastAPI) -> Access:
    access = api.state.access
    assert isinstance(access, Access)
    return access


@pytest.fixture
def client(api: FastAPI, desk: DeskDatabase) -> TestClient:
    """Somebody who has not signed in, where others can."""
    enter_users(desk)
    return TestClient(api, follow_redirects=False)


def as_(client: TestClient, access: Access, name: str) -> dict[str, str]:
    """The headers of somebody signed in."""
    return {"Cookie": f"{COOKIE}={session_of(access, name)}"}


def alter(desk: DeskDatabase, statement: str) -> None:
    """Do something to the database behind the page's back."""
    with desk.writing() as session:
        session.connection().exec_driver_sql(statement)


def clip_url(client: TestClient, headers: dict[str, str]) -> str:
    return str(client.get("/api/v1/people", headers=headers).json()["people"][0]["clip"]["url"])


def test_without_a_session_rest_is_a_problem_and_a_page_leads_to_the_form(client: TestClient):
    for path in ("/api/v1/people", "/api/v1/search?q=vest", "/api/v1/openapi.json", "/media/media/gate/x.mp4"):
        refused = client.get(path)
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    sent = client.get("/alerts?alert=7&x=a b")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=%2Falerts%3Falert%3D7%26x%3Da%2520b")
    assert client.get("/api/v1/health").status_code == 200


def test_without_a_session_no_range_of_a_clip_and_no_websocket_opens(client: TestClient, access: Access):
    url = clip_url(client, as_(client, access, "viewer"))
    assert client.get(url, headers={"Range": "bytes=0-9"}).status_code == 401
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/echo"):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/echo", headers={"Cookie": f"{COOKIE}=invented"}),
    ):
        pass


def test_with_the_wrong_role_neither_search_nor_footage_opens(client: TestClient, access: Access):
    viewer, analyst = as_(client, access, "viewer"), as_(client, access, "analyst")
    url = clip_url(client, viewer)
    refused = client.get("/api/v1/search?q=vest", headers=viewer)
    assert (refused.status_code, refused.json()["detail"]) == (403, "This needs the role analyst; viewer is viewer.")
    assert client.get(url, headers={**viewer, "Range": "bytes=0-9"}).status_code == 403
    assert client.get("/api/v1/search?q=vest", headers=analyst).status_code == 200
    part = client.get(url, headers={**analyst, "Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)


def test_searches_and_plays_are_logged_a_clip_once_however_many_ranges_are_asked_for(
    client: TestClient, access: Access
):
    analyst = as_(client, access, "analyst")
    client.get("/api/v1/search?q=orange vest&camera=gate", headers=analyst)
    url = clip_url(client, analyst)
    for start in range(0, 50, 10):
        client.get(url, headers={**analyst, "Range": f"bytes={start}-{start + 9}"})
    logged = [(e.action, e.subject) for e in access.entries(9, who="analyst")]
    assert logged == [("play", url.removeprefix("/media/")), ("search", "orange vest"), ("sign-in", "127.0.0.1")]


def test_footage_stays_closed_for_as_long_as_its_line_cannot_be_written_and_opens_with_it(
    client: TestClient, access: Access, desk: DeskDatabase
):
    analyst = as_(client, access, "analyst")
    url = clip_url(client, analyst)

    def asked(start: int) -> int:
        return client.get(url, headers={**analyst, "Range": f"bytes={start}-{start + 9}"}).status_code

    alter(desk, "ALTER TABLE audit RENAME TO away")
    assert [asked(0), asked(10)] == [503, 503]
    alter(desk, "ALTER TABLE away RENAME TO audit")
    assert [asked(20), asked(30)] == [206, 206]
    assert [e.subject for e in access.entries(9) if e.action == "play"] == [url.removeprefix("/media/")]


def test_cookies_of_other_programs_on_the_same_host_do_not_hide_the_session(client: TestClient, access: Access):
    session = f"{COOKIE}={session_of(access, 'viewer')}"
    for others in ('prefs={"theme": "dark"}', "name=J\xf6rg", "odd", "a[1]=x"):
        for cookies in (f"{others}; {session}", f"{session}; {others}"):
            answer = client.get("/api/v1/people", headers={"Cookie": cookies.encode("latin-1")})
            assert answer.status_code == 200, cookies


def test_a_token_opens_what_its_role_may_and_nothing_once_revoked(client: TestClient, access: Access, api: FastAPI):
    secret = access.add_token("officer", "wall display", Role.VIEWER, by="test")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/people", headers=bearer).status_code == 200
    assert client.get("/api/v1/search?q=vest", headers=bearer).status_code == 403
    access.revoke_token(access.tokens()[0].id, by="test")
    api.state.callers.forget()
    assert client.get("/api/v1/people", headers=bearer).status_code == 401


def test_an_open_websocket_is_closed_when_its_user_signs_out(client: TestClient, access: Access):
    cookie = as_(client, access, "viewer")
    with client.websocket_connect("/echo", headers=cookie) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        assert client.post("/sign-out", headers={**cookie, "Origin": OWN}).status_code == 303
        socket.send_text("still there?")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    assert BELIEVED_S <= 2  # signing out tells the gate; a user disabled at the command line is out within this


def test_another_site_can_neither_post_nor_open_a_websocket_with_a_users_cookie(client: TestClient, access: Access):
    cookie = {**as_(client, access, "officer"), "Origin": "https://evil.example"}
    assert client.post("/sign-out", headers=cookie).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/echo", headers=cookie):
        pass
    own = {**as_(client, access, "officer"), "Origin": OWN}
    with client.websocket_connect("/echo", headers=own) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


def test_what_is_no_address_is_a_foreign_origin_and_no_place_to_go_to(client: TestClient, access: Access):
    answer = client.post("/sign-out", headers={**as_(client, access, "officer"), "Origin": "http://["})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert 'value="/"' in client.get("/sign-in?next=//[").text


def test_signing_in_gives_a_cookie_that_no_script_can_read_and_leads_to_where_one_wanted_to_go(client: TestClient):
    answer = client.post("/sign-in", data={"name": "officer", "password": PASSWORD, "next": "/alerts?alert=7"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?alert=7")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    secure = client.post("https://testserver/sign-in", data={"name": "officer", "password": PASSWORD})
    assert "Secure" in secure.headers["set-cookie"]


def test_a_refused_sign_in_says_so_keeps_the_name_and_escapes_it(client: TestClient):
    page = client.post("/sign-in", data={"name": '"><script>', "password": "wrong", "next": "//evil.example"})
    assert page.status_code == 401
    assert "do not go together" in page.text
    assert "<script>" not in page.text
    assert 'value="/"' in page.text
    for _ in range(9):  # more than are free: where a try takes longer than the first wait does, it doubles with each
        client.post("/sign-in", data={"name": "officer", "password": "wrong"})
    assert client.post("/sign-in", data={"name": "officer", "password": PASSWORD}).status_code == 429


def test_a_house_without_users_is_open_and_has_nothing_to_sign_in_to(api: FastAPI):
    client = TestClient(api, follow_redirects=False)
    assert client.get("/api/v1/search?q=vest").status_code == 200
    assert client.get("/sign-in?next=/search").headers["location"] == "/search"
    assert client.post("/sign-out", headers={"Origin": "https://evil.example"}).status_code == 403


def test_every_endpoint_declares_the_role_it_needs(api: FastAPI):
    open_to_all = {"/api/v1/health", "/sign-in", "/sign-out"}
    for route in api.routes:
        if isinstance(route, APIRoute) and route.path not in open_to_all:
            declared = [d.call for d in route.dependant.dependencies if hasattr(d.call, "needed")]
            assert declared, f"{route.path} says not who may ask"


def test_a_desk_that_cannot_be_read_lets_nobody_in(client: TestClient, desk: DeskDatabase, tmp_path: Path):
    desk.close()
    for file in tmp_path.glob("desk.sqlite3*"):
        file.unlink()
    (tmp_path / "desk.sqlite3").write_bytes(b"this is no database" * 100)
    answer: httpx.Response = client.get("/api/v1/people")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


def test_a_whole_picture_takes_the_role_that_plays_footage_and_is_logged(
    client: TestClient, access: Access, tmp_path: Path
):
    address = "media/library/2026-05-04/ab12.jpg"
    MediaStore(str(tmp_path / "media")).write(f"{SCHEME}{address}", b"\xff\xd8a picture")
    viewer, analyst = as_(client, access, "viewer"), as_(client, access, "analyst")
    assert client.get(f"/media/{address}", headers=viewer).status_code == 403
    shown = client.get(f"/media/{address}", headers=analyst)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert [(e.action, e.subject) for e in access.entries(1, who="analyst")] == [("play", address)]
