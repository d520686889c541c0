"""Runs the page: one worker, the loopback only until there are users, one line for what goes wrong."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from consumers.access.binding import check_address
from consumers.alerts.build import measured_by, tried_on_footage
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.explaining import Explaining
from consumers.alerts.standing import Standing
from consumers.alerts.trying import Trial
from consumers.indexer.people import PeopleReader
from consumers.listening import is_loopback, listen
from consumers.search.client import SearchClient
from consumers.settings import PageSettings
from consumers.web.api import create_api
from consumers.web.cameras.cameras_desk import Watched
from consumers.web.cameras.hearing import BusReports
from consumers.web.page import create_page
from consumers.web.rooms.room import PageLook
from consumers.web.rules.rules_desk import Progress, RulesDesk, Stretch, TryOn
from consumers.web.seeing import RequestMeter, seeing_router
from consumers.web.system.system_desk import Installation
from consumers.web.time_zone import zone_of
from operations.logs import configure_logging
from operations.seeing.serving import forget, note_page, tell_of_machine
from streamer.bus.bus_opening import open_bus
from streamer.bus.camera_file import CameraFile
from streamer.bus.camera_url import shown_url
from streamer.bus.client import Bus
from streamer.bus.media_opening import open_media

SHUTDOWN_S = 1  # an open page is a connection that never ends by itself
LEAVE_AFTER_S = 3
SEARCH_TIMEOUT_S = 5.0
MEDIA_PATIENCE_S = 3.0  # whoever looks at a page does not wait for a minute
BUS_TIMEOUT_S = 4.0
LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]


def serve_page(settings: PageSettings) -> None:
    """Serve page and API until SIGTERM or SIGINT.

    Raises:
        AddressError: the address is taken, or is not this machine's own and nobody can sign in.
        PeopleTableError: the person table cannot be opened.
        DeskError: the desk database cannot be opened.
    """
    check_address(settings)
    configure_logging(form=settings.logs.form, process="page")
    note = note_page(settings, settings.page.address)
    try:
        serve(lambda: build_page(settings), settings.page.host, settings.page.port, settings.page.proxies)
    finally:
        forget(note)


def serve(build: Callable[[], FastAPI], host: str, port: int, proxies: Sequence[str] = ()) -> None:
    """Serve what `build` makes until SIGTERM or SIGINT.

    Args:
        build: Makes the application, once the address is taken.
        host: Address to listen on.
        port: Its port.
        proxies: Addresses and networks of whoever is believed when it says for whom it asks, and over what.

    Raises:
        AddressError: the address is taken.
    """
    with listen(host, port, setting="page", is_public=True) as listening:
        page = build()
        server = _Server(_config(page, proxies))
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, signal.SIG_IGN)  # uvicorn raises it again once all is closed: that must not kill us
        server.run(sockets=[listening])
        page.state.exports.close()
        page.state.access.close()


def build_page(settings: PageSettings) -> FastAPI:
    """The application over what the settings name.

    Raises:
        PeopleTableError: the person table cannot be opened.
        DeskError: the desk database cannot be opened.
    """
    people = PeopleReader(settings.database_url)
    search = SearchClient(settings.search.url, timeout_s=SEARCH_TIMEOUT_S, token=settings.search.shown_token)
    page = settings.page
    media, desk = open_media(settings, patience_s=MEDIA_PATIENCE_S), DeskDatabase(settings.desk_url)
    explaining = Explaining(people, media, desk)
    api = create_api(
        search,
        people,
        media,
        desk,
        RulesDesk(settings.rules_path, measured_by(settings), _try_on(settings), explaining),
        _watched(settings),
        _installation(settings),
        session_h=page.session_h,
        site_name=page.site_name,
    )
    zone = zone_of(page.time_zone)
    tell_of_machine(settings)
    api.include_router(seeing_router(people, desk))
    create_page(api, PageLook(page.site_name, zone, is_demo=page.is_demo, shift_starts_h=page.shift_starts_h))
    if is_loopback(page.host):
        # A page of another site could rebind its own name to 127.0.0.1 and read everything here; the name tells.
        # Elsewhere it would come without a session, so any name will do.
        api.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)
    api.add_middleware(RequestMeter)
    return api


def _bus(settings: PageSettings) -> Bus:
    return open_bus(settings, "page", timeout_s=BUS_TIMEOUT_S)


def _watched(settings: PageSettings) -> Watched:
    """The cameras file, and a listener to the streamers that ends with the process."""
    reports = BusReports(_bus(settings))
    reports.start()
    return Watched(CameraFile(settings.live.cameras_in(settings.state.folder)), reports)


def _installation(settings: PageSettings) -> Installation:
    media = settings.media_url
    return Installation(
        settings.state.folder,
        broker=settings.bus.bootstrap_servers,
        media=shown_url(media) if "://" in media else media,
        keep_people_days=settings.search.keep_days,
        keep_evidence_days=settings.evidence.keep_days,
        processes=settings.page.processes,
        bus=lambda: _bus(settings),
    )


def _try_on(settings: PageSettings) -> TryOn:
    def try_on(
        tried: Standing, in_force: Standing, on: Stretch, progress: Progress, is_stopping: Callable[[], bool]
    ) -> Trial:
        return tried_on_footage(
            settings,
            tried,
            in_force,
            since=on.since,
            until=on.until,
            cameras=on.cameras,
            on_progress=progress,
            is_stopping=is_stopping,
        )

    return try_on


def _config(api: FastAPI, proxies: Sequence[str]) -> uvicorn.Config:
    return uvicorn.Config(
        api,
        log_level="warning",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


class _Server(uvicorn.Server):
    """Ends in time even where a thread still waits for an indexer that does not answer; the page only reads."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is open, and leave in any case."""
        leaving = threading.Timer(LEAVE_AFTER_S, os._exit, args=(0,))
        leaving.daemon = True
        leaving.start()
        await super().shutdown(sockets)
