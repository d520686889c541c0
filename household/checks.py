"""What `crewsight doctor` looks at: each check says whether it is well, and if not, what is wrong and what to do."""

import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from consumers.errors import ConsumerError, WorkAbandonedError
from consumers.settings import AnalyzerSettings, IndexerSettings
from household.databases import standings
from household.processes import SOON_S, refuse_unknown
from model.errors import ModelError
from operations.databases import Standing, shown
from operations.seeing.machine import is_short_of_room
from operations.seeing.scraping import scraped, targets
from streamer.bus.bus_opening import open_bus
from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.client import Bus, Received
from streamer.bus.errors import BusError, CameraFileError, MediaStoreError
from streamer.bus.media import SCHEME
from streamer.bus.media_opening import open_media
from streamer.bus.settings import Live
from streamer.bus.topics import CAMERAS
from streamer.errors import CameraError
from streamer.live.checking import check_camera
from streamer.settings import StreamerSettings

CONNECT_S = 3.0
BROKER_S = 5.0
CLOCK_OFF_S = 2.0  # alerts are told by the second
CAMERA_S = 3.0  # enough for a keyframe or two
CAMERAS_AT_ONCE = 16
MODELS_S = 60.0  # to load them, and for a model server to answer


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `advice` is empty where all is well."""

    about: str
    said: str
    advice: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nothing is to be done."""
        return not self.advice


def findings(config: Path | None, *, is_quick: bool = False) -> Iterator[Finding]:
    """Every check, one after the other; a quick look leaves out cameras and models.

    Nothing is left behind but the models' cache, which the analyzer makes too.
    """
    refuse_unknown(config)
    streamer, analyzer = StreamerSettings.read(config), AnalyzerSettings.read(config)
    desk = IndexerSettings.read(config)
    yield Finding("settings", "can be read")
    yield from _broker(streamer)
    yield from _databases(config, desk)
    yield _store(streamer)
    yield from _disks(streamer)
    yield _gpu(analyzer.vlm.device)
    if not is_quick:
        yield from _cameras(streamer)
        yield _models(analyzer)
    yield from _processes(streamer.state.folder)


def _broker(settings: StreamerSettings) -> Iterator[Finding]:
    servers = settings.bus.bootstrap_servers
    start = "start it with `crewsight up`" if settings.bus.embedded else "start Kafka, or mend bus.bootstrap_servers"
    unreached = [server for server in servers.split(",") if not _listens(server.strip())]
    if len(unreached) == len(servers.split(",")):
        yield Finding("broker", f"nothing listens at {servers}", start)
        return
    bus = open_bus(settings, "doctor", timeout_s=BROKER_S)
    try:
        incarnation = bus.current_incarnation() or bus.current_incarnation()
        if incarnation is None:
            said = f"{servers} takes connections and has no topics of ours"
            yield Finding("broker", said, "start the streamer, which creates them; see the broker's own log")
            return
        partly = f", but not {', '.join(unreached)}" if unreached else ""
        yield Finding("broker", f"answers at {servers}{partly}", "start what does not answer" if unreached else "")
        yield from _streamer_clock(bus, incarnation)
    except BusError as error:
        yield Finding("broker", str(error), start)
    finally:
        bus.close()


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S):
            return True
    except (OSError, ValueError):
        return False


def _streamer_clock(bus: Bus, incarnation: str) -> Iterator[Finding]:
    """Kafka tells no time: what can be held against it is when the streamer says that it wrote its last report."""
    reader = bus.latest(CAMERAS)
    try:
        reports = [each for each in reader.arrived(incarnation) if isinstance(each, Received)]
    finally:
        reader.close()
    if not reports:
        return
    ahead_s = (reports[-1].message.at - datetime.now(UTC)).total_seconds()
    yield _clock("the streamer's", ahead_s if ahead_s > 0 else 0.0)


def _clock(whose: str, off_s: float) -> Finding:
    if abs(off_s) <= CLOCK_OFF_S:
        return Finding("clock", f"agrees with {whose}")
    return Finding("clock", f"is off from {whose} by {off_s:.1f} s", "let NTP set the clocks of all machines")


def _databases(config: Path | None, settings: IndexerSettings) -> Iterator[Finding]:
    for known, found, state in standings(config):
        about, where = f"database {known.schema.name}", shown(known.url)
        match state:
            case Standing.CURRENT:
                yield Finding(about, f"version {found} at {where}")
            case Standing.NOT_THERE:
                yield Finding(about, f"not laid out yet at {where}; the first process does that")
            case Standing.OLDER:
                said = f"version {found} at {where}, this program's is {known.schema.head}"
                yield Finding(about, said, "back it up, then `crewsight db upgrade`; a process that starts does so too")
            case Standing.NEWER:
                said = f"version {found} at {where}, this program knows {known.schema.head}"
                yield Finding(about, said, "install the Crewsight that was last used with it, or a newer one")
            case _:
                yield Finding(
                    about, f"{where} does not open: {state}", "start the database, or mend its URL and rights"
                )
    yield from _database_clock(settings.database_url)


def _database_clock(database_url: str) -> Iterator[Finding]:
    if make_url(database_url).get_backend_name() == "sqlite":
        return  # a file has no clock
    try:
        engine = create_engine(database_url, poolclass=NullPool)  # nothing to let go of afterwards
        with engine.connect() as connection:
            began_s = time.time()
            there = connection.execute(select(func.clock_timestamp())).scalar_one()
            yield _clock("the database's", there.timestamp() - (began_s + time.time()) / 2)
    except (SQLAlchemyError, ImportError):
        return  # said already


def _store(settings: StreamerSettings) -> Finding:
    uri, content, url = f"{SCHEME}.doctor-{uuid.uuid4().hex}", b"crewsight doctor", settings.media_url
    try:
        store = open_media(settings, patience_s=SOON_S)
        store.write(uri, content)
        try:
            is_same = store.read(uri) == content
        finally:
            store.remove(uri)
    except MediaStoreError as error:
        return Finding("media store", f"{url}: {error.reason}", "make it writable, or mend media.url and its keys")
    if not is_same:
        return Finding("media store", f"{url} gives back other bytes than were written", "look after its disk")
    return Finding("media store", f"can be written and read at {url}")


def _disks(settings: StreamerSettings) -> Iterator[Finding]:
    folders = {"state": settings.state.folder}
    if "://" not in settings.media_url:
        folders["media"] = Path(settings.media_url)
    for name, folder in folders.items():
        there = next((each for each in (folder.absolute(), *folder.absolute().parents) if each.exists()), Path("/"))
        usage = shutil.disk_usage(there)
        said = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free at {folder}"
        is_short = is_short_of_room(usage.free, usage.total)
        advice = "make room: shorten search.keep_days or backlog.quota_bytes, or use a larger disk" if is_short else ""
        yield Finding(f"disk of {name}", said, advice)


def _cameras(settings: StreamerSettings) -> Iterator[Finding]:
    file = CameraFile(settings.cameras_path)
    try:
        watched = [spec for spec in file.read() if spec.is_enabled]
    except CameraFileError as error:
        yield Finding("cameras", str(error), "mend that file: until then the cameras stay as they were")
        return
    with ThreadPoolExecutor(CAMERAS_AT_ONCE) as pool:
        yield from pool.map(lambda spec: _camera(spec, settings.live), watched)


def _camera(spec: CameraSpec, live: Live) -> Finding:
    about = f"camera {spec.camera}"
    try:
        found = check_camera(spec, live, watch_s=CAMERA_S)
    except (CameraError, CameraFileError) as error:
        advice = f"see its cable, address, user and password; then `crewsight cameras check {spec.camera}`"
        return Finding(about, error.reason, advice)
    return Finding(about, "; ".join(found.lines(live)))


def _gpu(device: str | None) -> Finding:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("GPU", names)
    if device is not None and device.startswith("cuda"):
        said = f"vlm.device is {device}, and torch finds no CUDA device"
        return Finding("GPU", said, "empty vlm.device, or mend the driver")
    if shutil.which("nvidia-smi"):
        return Finding("GPU", "there is a driver, and torch finds no CUDA device", "install a torch built for CUDA")
    return Finding("GPU", "none; the models run on the processor")


def _models(settings: AnalyzerSettings) -> Finding:
    from consumers.analyzer.build import open_eyes

    began_s = time.monotonic()
    try:
        eyes = open_eyes(settings, is_stopping=lambda: time.monotonic() > began_s + MODELS_S)
    except WorkAbandonedError:
        said = f"the model server {settings.vlm.server.url} has not answered for {MODELS_S:g} s"
        return Finding("models", said, "start it, or mend vlm.server.url")
    except (ModelError, ConsumerError, BusError) as error:
        return Finding("models", str(error), "mend detector.name, vlm.name or vlm.server")
    revisions = eyes.revisions
    return Finding("models", f"load in {time.monotonic() - began_s:.1f} s: {revisions.detector}, {revisions.answer}")


def _processes(state_folder: Path) -> Iterator[Finding]:
    noted = targets(state_folder, ())
    if not noted:
        yield Finding("processes", "none runs on this state folder")
    for job, address in noted:
        process = scraped(job, address)
        if process.fault:
            yield Finding(job, f"does not answer at {address}", "see its log; start it again")
        elif process.missing:
            yield Finding(job, "; ".join(process.missing.values()), "wait a minute; then see its log")
        else:
            yield Finding(job, "is ready")
