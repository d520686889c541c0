"""Serves `/metrics`, `/live` and `/ready` of one process on a port of its own.

A port that is taken never keeps a process from its work: it takes any free one and says so. Which one it is stands in
`<state>/metrics/<process>-<pid>.json`, in the form of Prometheus's file discovery (`file_sd_configs`).
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.exposition import ThreadingWSGIServer

from operations.logs import configure_logging
from operations.seeing import tracing
from operations.seeing.health import Health
from operations.seeing.machine import Machine
from operations.seeing.meters import replace
from streamer.bus.errors import SettingsError
from streamer.bus.settings import Metrics, ProcessSettings

logger = logging.getLogger(__name__)

PORTS = {"streamer": 9100, "analyzer": 9101, "indexer": 9102, "alerter": 9103, "notifier": 9104, "broker": 9105}
JSON = "application/json"

Answer = tuple[int, str, bytes]  # status, media type, body


def answered(path: str, health: Health) -> Answer:
    """What is said of the process at `path`; 404 for any other."""
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
    if path == "/live":
        stalled_s = health.stalled_s
        said: dict[str, Any] = {"live": stalled_s is None}
        if stalled_s is not None:
            said["stalled_s"] = round(stalled_s, 1)
        return (200 if stalled_s is None else 503), JSON, json.dumps(said).encode()
    if path == "/ready":
        missing = health.missing
        return (503 if missing else 200), JSON, json.dumps({"ready": not missing, "missing": missing}).encode()
    return 404, JSON, b'{"known": ["/metrics", "/live", "/ready"]}'


@contextlib.contextmanager
def seen(process: str, settings: ProcessSettings, *needs: str) -> Iterator[Health]:
    """Log as the settings say, and serve what can be seen of this process while the block runs.

    Args:
        process: Its name, as in `crewsight <process>`.
        settings: Where to listen, and where its state is.
        needs: What it lacks until `Health.has` says otherwise.

    Raises:
        SettingsError: `metrics.host` is no address of this machine.
        TracingError: Traces are wanted, and OpenTelemetry is not installed.
    """
    configure_logging(form=settings.logs.form, process=process)
    chosen = settings.metrics
    health = Health(*needs, stall_after_s=chosen.stall_after_s)
    tell_of_machine(settings)
    tracing.start(process, settings.traces)
    with contextlib.ExitStack() as leaving:
        leaving.callback(tracing.stop)
        if chosen.port != 0:
            leaving.enter_context(_served(process, settings, health))
        yield health


@contextlib.contextmanager
def _served(process: str, settings: ProcessSettings, health: Health) -> Iterator[None]:
    chosen = settings.metrics
    server = _bound(chosen, PORTS[process], health)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    address = f"{chosen.host}:{server.server_port}"
    note = _noted(settings.state.folder / "metrics", process, address)
    logger.info("metrics are served", extra={"url": f"http://{address}/metrics"})
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        forget(note)


def metrics_port(first: int | None, process: str) -> dict[str, str]:
    """The variable that gives one of several processes a port of its own, counted from the `first` that is set.

    >>> metrics_port(9500, "indexer"), metrics_port(None, "indexer"), metrics_port(9500, "page")
    ({'CREWSIGHT_METRICS__PORT': '9502'}, {}, {})
    """
    if not first or process not in PORTS:
        return {}
    return {"CREWSIGHT_METRICS__PORT": str(first + list(PORTS).index(process))}


def tell_of_machine(settings: ProcessSettings) -> None:
    """Offer the disk of the state folder, and of the media store where that is a folder."""
    folders = {"state": settings.state.folder}
    if "://" not in settings.media_url:
        folders["media"] = Path(settings.media_url)
    replace("machine", Machine(folders))


def note_page(settings: ProcessSettings, address: str) -> Path | None:
    """Note where the page, which serves its own, is read."""
    return _noted(settings.state.folder / "metrics", "page", address)


def forget(note: Path | None) -> None:
    """Take back what was noted."""
    if note is not None:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)


def _bound(chosen: Metrics, usual_port: int, health: Health) -> WSGIServer:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, media_type, body = answered(environ.get("PATH_INFO", ""), health)
        words = {200: "200 OK", 404: "404 Not Found", 503: "503 Service Unavailable"}
        start_response(words[status], [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        return [body]

    wanted = usual_port if chosen.port is None else chosen.port
    for port in (wanted, 0):
        try:
            return make_server(chosen.host, port, application, ThreadingWSGIServer, _Silent)
        except OSError as error:
            if port == 0:
                raise SettingsError("metrics.host", chosen.host, f"cannot be listened on: {error.strerror}") from error
            logger.warning("the port of metrics is taken, any other will do", extra={"port": port})
    raise AssertionError("one of both was tried last")


class _Silent(WSGIRequestHandler):
    """Logs no request: somebody asks every few seconds."""

    timeout = 10  # a client that says nothing holds a thread no longer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _noted(folder: Path, process: str, address: str) -> Path | None:
    """Write where this process is read, and take away what dead ones left; None where that cannot be written."""
    note = folder / f"{process}-{os.getpid()}.json"
    content = [{"targets": [address], "labels": {"job": process, "pid": str(os.getpid())}}]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.glob(f"{process}-*.json"):
            pid = other.stem.rpartition("-")[2]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                other.unlink(missing_ok=True)
        draft = note.with_suffix(".tmp")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(note)
    except OSError as error:
        logger.warning("where metrics are served cannot be noted", extra={"reason": error.strerror})
        return None
    return note
