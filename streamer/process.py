"""The streamer as a process: builds the real parts from the settings and runs them until told to stop."""

import logging
import queue
from zoneinfo import ZoneInfo

from operations.seeing.cameras import CameraMeters
from operations.seeing.health import Health
from operations.seeing.meters import replace
from streamer.bus.bus_opening import open_bus
from streamer.bus.camera_file import CameraFile
from streamer.bus.cameras import CameraTable
from streamer.bus.client import Bus
from streamer.bus.errors import CameraFileError, MediaStoreAwayError
from streamer.bus.media import MediaStore
from streamer.bus.media_opening import open_media
from streamer.bus.signals import stop_signals
from streamer.ledger import Ledger
from streamer.live.backlog import Limits
from streamer.live.ledger import LiveLedger
from streamer.live.publishing import LivePublisher
from streamer.live.results import ResultsFollower
from streamer.live.roster import Roster
from streamer.live.state import Told
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
        CameraFileError: the cameras file cannot be read.
    """
    with stop_signals() as is_stopping:
        refuse_cameras_once(settings, once=once)
        feeds = [feed_of(source, settings.folders, once=once) for source in settings.sources]
        media = open_media(settings, is_stopping=is_stopping)
        media.check_writable()
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


def refuse_cameras_once(settings: StreamerSettings, *, once: bool) -> None:
    """Find now what is wrong with the cameras file.

    Raises:
        CameraFileError: it cannot be read, or names cameras although all is to end `once` everything is through.
    """
    file = CameraFile(settings.cameras_path)
    if any(spec.is_enabled for spec in file.read()) and once:
        raise CameraFileError(file.path, "names cameras, which never end; leave out --once")


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
    results_bus = open_bus(settings, "streamer-results", timeout_s=RESULTS_TIMEOUT_S)
    return LiveWatch(
        Roster(
            CameraFile(settings.cameras_path),
            settings.live,
            media=media,
            work_folder=settings.state.folder / "watching",
            outbox=outbox,
            last_end=live_ledger.last_end,
        ),
        outbox,
        ledger=live_ledger,
        publisher=LivePublisher(
            live_ledger,
            media,
            bus.publisher(),
            Limits(backlog.in_flight, backlog.thin_after_s, backlog.skip_after_s, backlog.quota_bytes),
            thinned_fps=backlog.thinned_fps,
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
        return Feed(source.camera, FileSource(source.file), source.pace, zone)
    assert source.folder is not None
    watched = FolderSource(source.folder, rest_s=folders.rest_s, only_present=once, with_subfolders=source.subfolders)
    return Feed(source.camera, watched, source.pace, zone)
