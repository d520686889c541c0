"""The media store: where segments, crops and manifests lie, named by `media:///…` URIs relative to its root.

A local folder by default; any fsspec URL works (`s3://bucket/prefix`). A store can move: nothing outside this file
knows its root. A server that is away or overloaded is waited for; what it says otherwise is an error at once.
"""

import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TypeVar, cast

import fsspec
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from streamer.bus.errors import MediaStoreAwayError, MediaStoreError
from streamer.bus.object_store import ObjectAccess, is_passing, reason_of, storage_options

logger = logging.getLogger(__name__)

SCHEME = "media:///"
PATIENCE_S = 60.0
FIRST_RETRY_S = 0.2
RETRY_AT_MOST_S = 5.0
SLICE_S = 0.2  # how soon a wait hears that the process is to end
Found = TypeVar("Found")


def segment_uri(camera_id: str, day: str, segment_id: str, *, ending: str = ".mp4") -> str:
    """Where a segment's video, or its one picture, lies; `day` is YYYY-MM-DD (UTC)."""
    return f"{SCHEME}media/{camera_id}/{day}/{segment_id}{ending}"


def is_picture_uri(uri: str) -> bool:
    """Whether a segment is one picture and no video.

    >>> is_picture_uri(segment_uri("gate", "2026-05-04", "ab12", ending=".jpg"))
    True
    """
    return uri.endswith(".jpg")


def manifest_uri(camera_id: str, segment_id: str, analysis_revision: str) -> str:
    """Where the write-once result of a segment lies."""
    return f"{SCHEME}results/{camera_id}/{segment_id}.{analysis_revision}.json"


def rejection_uri(camera_id: str, segment_id: str, analysis_revision: str) -> str:
    """Where the refusal of a segment that cannot be read lies, so that a redelivery repeats it word for word."""
    return f"{SCHEME}results/{camera_id}/{segment_id}.{analysis_revision}.rejected.json"


def asked_uri(camera_id: str, segment_id: str, models_revision: str) -> str:
    """Where it is written, once, which questions these models ask about a segment."""
    return f"{SCHEME}asked/{camera_id}/{segment_id}.{models_revision}.json"


def evidence_uri(alert_id: str, name: str) -> str:
    """Where a copy lies that outlives what it was copied from."""
    return f"{SCHEME}evidence/{alert_id}/{name}"


def crop_uri(camera_id: str, segment_id: str, analysis_revision: str, ordinal: int, at_ms: int) -> str:
    """Where the crop of one look lies; `at_ms` counts from the segment's first frame."""
    return f"{crops_folder(camera_id, segment_id, analysis_revision)}/{ordinal:03d}-{at_ms:06d}.jpg"


def crops_of_track(uri: str) -> str:
    """What the URIs of all crops of a track begin with, given one of them."""
    return uri[: uri.rindex("-") + 1]


def crops_folder(camera_id: str, segment_id: str, analysis_revision: str) -> str:
    """Under which all crops of one result lie."""
    return f"{SCHEME}crops/{camera_id}/{segment_id}.{analysis_revision}"


class MediaStore:
    """Reads and writes media by URI; may be used from several threads.

    Raises (every method): `MediaStoreError` naming the URI and what the file system said; `MediaStoreAwayError`, which
    is one, when the server was waited for in vain.
    """

    def __init__(
        self,
        url: str,
        access: ObjectAccess | None = None,
        *,
        patience_s: float = PATIENCE_S,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Use the folder or fsspec URL `url` as the store's root.

        Args:
            url: Where the store is.
            access: How its server is reached, if it has one.
            patience_s: For how long a server that is away is waited for.
            is_stopping: Whether nobody wants to wait any more.

        Raises:
            MediaStoreError: what that kind of URL needs is not installed.
        """
        self.url, self._patience_s, self._is_stopping = url, patience_s, is_stopping
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url, **storage_options(url, access or ObjectAccess()))
        except ImportError as error:
            missing = "pip install 'crewsight[s3]'" if url.startswith("s3") else str(error)
            raise MediaStoreError(url, f"what reaches it is not installed: {missing}") from error
        except ValueError as error:
            raise MediaStoreError(url, f"media.url is no folder and no URL that is known: {error}") from error
        protocols = self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,)
        self._is_local, self._is_s3 = "file" in protocols, "s3" in protocols
        self._away = threading.Event()  # said once, until it is back

    def check_writable(self) -> None:
        """Prove, by writing and removing a small file, that the store takes files; the error names the store."""
        uri = f"{SCHEME}.writable-{uuid.uuid4().hex}"
        try:
            self.write(uri, b"")
            self._call(uri, lambda: self._fs.rm_file(self._path(uri)))
        except MediaStoreAwayError as error:
            raise MediaStoreAwayError(self.url, f"{error.reason}; start it, or correct media.endpoint_url") from error
        except MediaStoreError as error:
            advice = "" if self._is_s3 else "; make it writable, or choose another media.url"
            raise MediaStoreError(self.url, f"cannot be written: {error.reason}{advice}") from error

    def exists(self, uri: str) -> bool:
        """Whether something lies at `uri`."""
        return cast(bool, self._call(uri, lambda: self._fs.exists(self._path(uri))))

    def size_bytes(self, uri: str) -> int:
        """The length of what lies at `uri`."""
        return cast(int, self._call(uri, lambda: self._fs.size(self._path(uri))))

    def read(self, uri: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes at `uri`, from `start` up to and without `end`."""
        return cast(bytes, self._call(uri, lambda: self._fs.cat_file(self._path(uri), start=start, end=end)))

    def write(self, uri: str, content: bytes) -> None:
        """Put `content` at `uri`, whole or not at all, replacing what was there."""
        self._call(uri, lambda: self._put(uri, content, exclusive=False))

    def write_once(self, uri: str, content: bytes) -> bool:
        """Put `content` at `uri` unless something lies there already; false when it did, and nothing was changed."""
        return self._call(uri, lambda: self._put(uri, content, exclusive=True))

    def adopt(self, uri: str, path: Path) -> None:
        """Move the finished local file `path` to `uri`, whole or not at all."""
        self._call(uri, lambda: self._move_in(uri, path))

    def local_path(self, uri: str) -> Path | None:
        """The file behind `uri` when the store is a local folder, else None."""
        return Path(self._path(uri)) if self._is_local else None

    @contextmanager
    def as_file(self, uri: str) -> Iterator[Path]:
        """A local file with what lies at `uri`, as long as the block runs; not to be written to."""
        path = self.local_path(uri)
        if path is not None:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="crewsight-") as folder:
            copied = Path(folder) / uri.rsplit("/", 1)[-1]
            self._call(uri, lambda: self._fs.get_file(self._path(uri), str(copied)))
            yield copied

    def remove(self, uri: str) -> None:
        """Take away what lies at `uri`, and its folder if that is then empty; nothing there is no error."""
        self._call(uri, lambda: self._remove(uri))

    def list(self, prefix_uri: str) -> list[str]:
        """URIs of all files directly under the folder `prefix_uri`, sorted; empty when there is none."""
        folder = self._path(prefix_uri)
        found = self._call(prefix_uri, lambda: self._fs.ls(folder, detail=False) if self._fs.exists(folder) else [])
        return sorted(SCHEME + os.path.relpath(str(path), self._root) for path in found)

    def clip_days(self) -> Iterator[tuple[date, str]]:
        """Every UTC day of which there are segments of some camera, with the URI of their folder."""
        for camera in self.list(f"{SCHEME}media"):
            for folder in self.list(camera):
                with suppress(ValueError):  # something else that somebody put there
                    yield date.fromisoformat(folder.rsplit("/", 1)[-1]), folder

    def _path(self, uri: str) -> str:
        if not uri.startswith(SCHEME):
            raise MediaStoreError(uri, f"expected a {SCHEME}… URI")
        relative = uri.removeprefix(SCHEME)
        if ".." in relative.split("/") or relative.startswith("/"):
            raise MediaStoreError(uri, "a media URI may not leave the store")
        return f"{self._root.rstrip('/')}/{relative}"

    def _remove(self, uri: str) -> None:
        path = self._path(uri)
        if self._fs.exists(path):
            self._fs.rm_file(path)
        if self._is_local:
            with suppress(OSError):  # not empty, or never there
                Path(path).parent.rmdir()

    def _put(self, uri: str, content: bytes, *, exclusive: bool) -> bool:
        path = self._path(uri)
        if self._is_local:
            return self._put_locally(path, content, exclusive=exclusive)
        # Object stores publish a key whole, and S3 takes a condition with it: of two at once, one is refused.
        try:
            self._fs.pipe_file(path, content, mode="create" if exclusive else "overwrite")
        except FileExistsError:
            return False  # ours, perhaps, when an answer got lost on its way: then it is as it should be
        return True

    @staticmethod
    def _put_locally(path: str, content: bytes, *, exclusive: bool) -> bool:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if not exclusive:
                temporary.replace(target)
                return True
            try:
                os.link(temporary, target)  # fails when the name is taken, unlike a rename: that is the exclusiveness
            except FileExistsError:
                return False
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def _move_in(self, uri: str, path: Path) -> None:
        if not self._is_local:
            self._fs.put_file(str(path), self._path(uri))
            path.unlink()
            return
        target = Path(self._path(uri))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            try:
                os.link(path, temporary)
            except OSError:  # another file system
                temporary.write_bytes(path.read_bytes())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        path.unlink()

    def _call(self, uri: str, act: Callable[[], Found]) -> Found:
        if self._is_local:
            try:
                return act()
            except OSError as error:
                raise MediaStoreError(uri, error.strerror or str(error)) from error
        began_s = time.monotonic()
        try:
            found = self._waiting(act)
        except MediaStoreError:
            raise
        except Exception as error:  # of fsspec, s3fs, botocore and aiohttp, which share no base: none leaves from here
            if is_passing(error):
                waited_s = time.monotonic() - began_s
                reason = f"the server does not answer ({reason_of(error)}), waited for {waited_s:.0f} s"
                raise MediaStoreAwayError(uri, reason) from error
            raise MediaStoreError(uri, reason_of(error)) from error
        if self._away.is_set():
            self._away.clear()
            logger.info("media store answers again", extra={"url": self.url})
        return found

    def _waiting(self, act: Callable[[], Found]) -> Found:
        """What `act` returns as soon as the server is there for it; else the last error."""
        patience = stop_after_delay(self._patience_s)
        attempts = Retrying(
            retry=retry_if_exception(is_passing),
            wait=wait_random_exponential(multiplier=FIRST_RETRY_S, max=RETRY_AT_MOST_S),
            stop=lambda attempt: self._is_stopping() or patience(attempt),
            sleep=self._sleep,
            before_sleep=self._say_away,
            reraise=True,
        )
        return attempts(act)

    def _sleep(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._is_stopping() and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, SLICE_S))

    def _say_away(self, attempt: RetryCallState) -> None:
        if self._away.is_set():
            return
        self._away.set()
        error = attempt.outcome.exception() if attempt.outcome is not None else None
        reason = reason_of(error) if error is not None else ""
        logger.warning("media store does not answer, waiting for it", extra={"url": self.url, "reason": reason})
