"""The streamer as a process: builds the real parts from the settings and runs them until told to stop."""

import logging
import queue
from collections.abc import Callable
from zoneinfo import ZoneInfo

from operations.seeing.cameras import CameraMeters
from operations.seeing.health import Health
from operations.seeing.meters import replace
from streamer.bus.bus_opening import open_bus
from streamer.bus.camera_file import CameraFile
from streamer.bus.cameras import CameraTable, open_database
from streamer.bus.client import Bus
from streamer.bus.errors import CameraFileError, MediaStoreAwayError, MediaStoreError
from streamer.bus.media import MediaStore
from streamer.bus.media_opening import open_media
from streamer.bus.signals import stop_signals
from streamer.ledger import FILE_NAME, Ledger
from streamer.live.backlog import Limits
from streamer.live.ledger import LiveLedger
from streamer.live.publishing import LivePublisher
from streamer.live.results import ResultsFollower
from streamer.live.roster import Roster
from streamer.live.spool import Spool
from streamer.live.state import Told
from streamer.live.storing import Storer
from streamer.live.watch import LiveWatch
from streamer.publishing import LedgerPublisher
from streamer.settings import Folders, Source, StreamerSettings
from streamer.sources.file import FileSource
from streamer.sources.folder import FolderSource
from streamer.streaming import Feed, Streamer

logger = logging.getLogger(__name__)

RESULTS_TIMEOUT_S = 3.0  # the thread asks again at once, and can be stopped in between


def run(settings: StreamerSettings, *, once: bool, health: Health | None = None) -> None:
    """Stream until SIGTERM or SIGINT; with `once`, until all present footage is cut and acknowledged.

    Raises:
        SourceError: a configured file or folder is not there.
        BrokerUnreachableError: no broker answers.
        MediaStoreError: the media store cannot be written.
        LedgerError: the ledger cannot be opened.
        WorkFolderError: the disk of the state folder takes no segment.
        CameraFileError: the cameras file cannot be read.
    """
    with stop_signals() as is_stopping:
        has_cameras = refuse_cameras_once(settings, once=once)
        feeds = [feed_of(source, settings.folders, once=once) for source in settings.sources]
        media = checked_media(settings, once=once, has_cameras=has_cameras, is_stopping=is_stopping)
        ledger = Ledger.open(settings.state.folder)
        bus = open_bus(settings, "streamer")
        publisher = LedgerPublisher(ledger, bus, media)
        try:
            Streamer(
                feeds,
                ledger=ledger,
                cameras=CameraTable(ledger.engine, partitions=settings.bus.partitions),
                media=media,
                publisher=publisher,
                work_folder=settings.state.folder / "cutting",
                live=None if once else live_watch(settings, ledger, bus, media),
                look_every_s=settings.folders.look_every_s,
                health=health,
            ).run(once=once, is_stopping=is_stopping)
        except MediaStoreAwayError:
            if not is_stopping():  # else: told to stop while waiting, and what is not stored will be cut again
                raise
        finally:
            publisher.close()
            bus.close()
            ledger.close()


def checked_media(
    settings: StreamerSettings, *, once: bool, has_cameras: bool, is_stopping: Callable[[], bool]
) -> MediaStore:
    """The media store, found to take files, or, where there are cameras, not to for now: they do not wait for it.

    It tries everything once, as whoever has something for it comes again; with `once`, it waits.

    Raises:
        MediaStoreError: there is no such kind of store, or without cameras it cannot be written, or is still away once
            it was waited for.
    """
    patient, hasty = (open_media(settings, patience_s=s, is_stopping=is_stopping) for s in (None, 0.0))
    try:
        (hasty if has_cameras else patient).check_writable()
    except MediaStoreError as error:
        if not has_cameras:
            raise
        logger.warning("media store takes nothing, cameras are watched meanwhile", extra={"reason": error.reason})
    return patient if once else hasty


def refuse_cameras_once(settings: StreamerSettings, *, once: bool) -> bool:
    """Find now what is wrong with the cameras file; whether there are cameras.

    Raises:
        CameraFileError: it cannot be read, or names cameras although all is to end `once` everything is through.
    """
    file = CameraFile(settings.cameras_path)
    has_cameras = any(spec.is_enabled for spec in file.read())
    if has_cameras and once:
        raise CameraFileError(file.path, "names cameras, which never end; leave out --once")
    return has_cameras


def live_watch(settings: StreamerSettings, ledger: Ledger, bus: Bus, media: MediaStore) -> LiveWatch:
    """The cameras of the cameras file, whether or not there are any yet.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    live_ledger = LiveLedger(ledger.engine)
    live_ledger.put_in_line_again()
    outbox: queue.SimpleQueue[Told] = queue.SimpleQueue()
    cameras = CameraTable(ledger.engine, partitions=settings.bus.partitions)
    backlog = settings.backlog
    meters = CameraMeters()
    replace("cameras", meters)
    spool = Spool(settings.state.folder / "spool")
    storer = Storer(LiveLedger(open_database(settings.state.folder / FILE_NAME)), spool, media)
    results_bus = open_bus(settings, "streamer-results", timeout_s=RESULTS_TIMEOUT_S)
    return LiveWatch(
        Roster(
            CameraFile(settings.cameras_path),
            settings.live,
            spool=spool,
            work_folder=settings.state.folder / "watching",
            outbox=outbox,
            last_end=live_ledger.last_end,
        ),
        outbox,
        ledger=live_ledger,
        spool=spool,
        storer=storer,
        publisher=LivePublisher(
            live_ledger,
            storer,
            bus.publisher(),
            Limits(backlog.in_flight, backlog.thin_after_s, backlog.skip_after_s, backlog.quota_bytes),
            thinned_fps=backlog.thinned_fps,
            free_bytes=spool.free_bytes,
        ),
        reporter=bus.publisher(),
        results=ResultsFollower(results_bus, live_ledger),
        show=meters.show,
        partition_of=cameras.partition_of,
    )


def feed_of(source: Source, folders: Folders, *, once: bool) -> Feed:
    """What one line of the settings offers.

    Raises:
        SourceError: the file or folder is not there.
    """
    zone = ZoneInfo(source.time_zone) if source.time_zone else None
    if source.file is not None:
        return Feed(source.camera, FileSource(source.file, only_present=once), source.pace, zone)
    assert source.folder is not None
    watched = FolderSource(source.folder, rest_s=folders.rest_s, only_present=once, with_subfolders=source.subfolders)
    return Feed(source.camera, watched, source.pace, zone)
