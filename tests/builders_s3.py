"""A real S3 server on the loopback (moto's), which answers 503 when told."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec
import httpx
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from streamer.bus.media import MediaStore
from streamer.bus.object_store import ObjectAccess, storage_options

BUCKET = "crewsight"
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>ServiceUnavailable</Code><Message>Come later</Message></Error>"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: whoever reads the log of a test looks for other lines."""


class S3Server:
    """Serves until the block ends; `is_away` makes it answer 503 to everything."""

    def __init__(self) -> None:
        self.is_away = False
        self.refused = 0  # requests answered with 503
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def access(self) -> ObjectAccess:
        return ObjectAccess(self.endpoint_url, "us-east-1", "a key", "a secret")

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to have its media here."""
        return {
            "CREWSIGHT_MEDIA__URL": f"s3://{BUCKET}/site",
            "CREWSIGHT_MEDIA__ENDPOINT_URL": self.endpoint_url,
            "CREWSIGHT_MEDIA__REGION": "us-east-1",
            "CREWSIGHT_MEDIA__KEY_ID": "a key",
            "CREWSIGHT_MEDIA__SECRET_KEY": "a secret",
        }

    def store(self, prefix: str = "site", **more: Any) -> MediaStore:
        return MediaStore(f"s3://{BUCKET}/{prefix}", self.access, **more)

    def listing(self, prefix: str = "site") -> list[str]:
        """Everything that lies in the bucket under a prefix, as another program sees it."""
        files, _ = fsspec.core.url_to_fs(f"s3://{BUCKET}", **storage_options("s3://", self.access))
        folder = f"{BUCKET}/{prefix}".rstrip("/")
        return [found.removeprefix(f"{folder}/") for found in files.find(folder)]

    @contextmanager
    def running(self) -> Iterator["S3Server"]:
        serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        serving.start()
        # What moto keeps is the process's, not the server's: what an earlier server was given would be here too.
        httpx.post(f"{self.endpoint_url}/moto-api/reset").raise_for_status()
        httpx.put(f"{self.endpoint_url}/{BUCKET}").raise_for_status()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            serving.join()

    def _answer(self, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if not self.is_away:
            return self._moto(environ, start)  # type: ignore[no-any-return]
        self.refused += 1
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start("503 Service Unavailable", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else SLOW_DOWN]
