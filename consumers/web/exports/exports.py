"""Exports, each built in the background by the one thread there is, kept for an hour, for whoever asked for it."""

import logging
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumers.access.access import Access
from consumers.access.identity import Identity
from consumers.access.roles import ADMINISTER
from consumers.errors import ConsumerError, ExportError, ExportsFullError, NoSuchExportError
from consumers.web.exports.packing import Packed, Packer
from consumers.web.exports.record import Export
from consumers.web.exports.shapes import ExportAsked, ExportShape, State
from consumers.web.schemas import PersonDetailShape
from streamer.bus.media import MediaStore

KEPT = timedelta(hours=1)
LOOK_EVERY_S = 60.0  # for archives whose hour is over: whoever fetched theirs asks no more
MOST_WAITING = 8  # of everybody, the one that is being packed included
MOST_KEPT = 24  # archives on the disk
logger = logging.getLogger(__name__)
Known = Callable[[str], PersonDetailShape | None]


@dataclass(slots=True)
class _Job:
    export_id: str
    who: str
    asked: ExportAsked
    person_ids: tuple[str, ...]
    zone: tzinfo
    created_at: datetime
    state: State = "waiting"
    packed: int = 0
    result: Packed | None = None
    problem: str | None = None


class Exports:
    """What is being exported; may be shared by threads."""

    def __init__(
        self,
        known: Known,
        media: MediaStore,
        access: Access,
        *,
        site_name: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Pack whoever is `known`, with what lies in `media`; who exported whom goes into the log of `access`."""
        self._known, self._media, self._access, self._site_name, self._now = known, media, access, site_name, now
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._folder: Path | None = None
        self._look_every_s, self._closing = look_every_s, threading.Event()

    def begin(self, asked: ExportAsked, who: Identity, *, zone: tzinfo | None = None) -> ExportShape:
        """Begin an export; whom it is of goes into the audit log first.

        The report's times are those of `zone`, as a machine's own goes by no name; without it, of the one that `asked`
        names.

        Raises:
            ExportError: The zone that `asked` names is none, or the disk takes no files.
            ExportsFullError: Too many wait already.
            DeskError: The log cannot be written; then nothing is exported.
        """
        zone, person_ids = zone or _zone(asked.time_zone), tuple(dict.fromkeys(asked.person_ids))
        job = _Job(uuid.uuid4().hex, who.name, asked, person_ids, zone, self._now())
        with self._lock:
            self._forget_old()
            if sum(one.state in ("waiting", "packing") for one in self._jobs.values()) >= MOST_WAITING:
                raise ExportsFullError(MOST_WAITING)
            self._jobs[job.export_id] = job
        try:
            folder = self._place()
            self._access.log(who.name, "export", job.export_id, people=list(person_ids), note=asked.note)
        except (ConsumerError, OSError) as error:
            with self._lock:
                del self._jobs[job.export_id]
            if isinstance(error, OSError):
                raise ExportError(f"no archive can be written: {error.strerror or error}") from error
            raise
        self._worker.submit(self._run, job, folder / f"{job.export_id}.zip")
        return self._shape(job)

    def get(self, export_id: str, who: Identity) -> ExportShape:
        """How an export stands.

        Raises:
            NoSuchExportError: There is none of that id, or it is somebody else's.
        """
        return self._shape(self._job(export_id, who))

    def archive(self, export_id: str, who: Identity) -> Path | None:
        """The archive, None while it is not ready; that it was taken goes into the audit log.

        Raises:
            NoSuchExportError: There is none of that id, or it is somebody else's.
            DeskError: The log cannot be written.
        """
        job = self._job(export_id, who)
        if job.state != "ready" or self._folder is None or job.result is None:
            return None
        self._access.log(who.name, "download", export_id, sums_sha256=job.result.sums_sha256)
        return self._folder / f"{export_id}.zip"

    def close(self) -> None:
        """Stop at the next person, and take all archives away."""
        self._closing.set()
        self._worker.shutdown(cancel_futures=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, job: _Job, path: Path) -> None:
        job.state = "packing"
        try:
            job.result = self._pack(job, path)
            self._access.log(job.who, "exported", job.export_id, sums_sha256=job.result.sums_sha256)
            job.state = "ready"
        except (ConsumerError, OSError) as error:
            self._fail(job, path, str(error))
        except Exception:  # the thread's outermost loop: whoever waits must hear of it
            logger.exception("an export failed", extra={"export_id": job.export_id})
            self._fail(job, path, "it could not be packed; the page's log says why")

    def _fail(self, job: _Job, path: Path, problem: str) -> None:
        path.unlink(missing_ok=True)
        job.problem, job.state = problem, "failed"

    def _pack(self, job: _Job, path: Path) -> Packed:
        people: list[PersonDetailShape] = []
        gone: list[str] = []
        for person_id in job.person_ids:
            person = self._known(person_id)
            if person is None:
                gone.append(person_id)
            else:
                people.append(person)
        export = Export(self._site_name, job.who, job.created_at, job.zone, job.asked.note, (), tuple(gone))

        def progress(number: int) -> None:
            job.packed = number
            if self._closing.is_set():
                raise ExportError("the page was stopped")

        return Packer(path, self._media, job.created_at).pack(export, people, progress)

    def _job(self, export_id: str, who: Identity) -> _Job:
        with self._lock:
            self._forget_old()
            job = self._jobs.get(export_id)
        if job is None or (job.who != who.name and not who.may(ADMINISTER)):
            raise NoSuchExportError(export_id)
        return job

    def _forget_old(self) -> None:
        """Take away what is old, and of what is too much the oldest; the caller holds the lock."""
        done = [job for job in self._jobs.values() if job.state in ("ready", "failed")]
        done.sort(key=lambda job: job.created_at)
        for place, job in enumerate(done):
            if self._now() - job.created_at > KEPT or len(done) - place > MOST_KEPT:
                del self._jobs[job.export_id]
                if self._folder is not None:
                    (self._folder / f"{job.export_id}.zip").unlink(missing_ok=True)

    def _place(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="crewsight-exports-"))
                threading.Thread(target=self._keep_forgetting, name="archives", daemon=True).start()
            return self._folder

    def _keep_forgetting(self) -> None:
        while not self._closing.wait(self._look_every_s):
            with self._lock:
                self._forget_old()

    @staticmethod
    def _shape(job: _Job) -> ExportShape:
        result = job.result if job.state == "ready" else None
        return ExportShape(
            export_id=job.export_id,
            state=job.state,
            people=len(job.person_ids),
            packed=job.packed,
            missing=result.missing if result else 0,
            size_bytes=result.size_bytes if result else None,
            sums_sha256=result.sums_sha256 if result else None,
            problem=job.problem,
            url=f"/api/v1/exports/{job.export_id}/archive.zip" if result else None,
            created_at=job.created_at,
        )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ExportError(f"time_zone: {name!r} is none; write one such as Europe/Berlin") from error
