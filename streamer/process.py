"""The streamer as a process: builds the real parts from the settings and runs them until told to stop."""

import logging
from zoneinfo import ZoneInfo

from streamer.bus.cameras import CameraTable
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore
from streamer.bus.signals import stop_signals
from streamer.ledger import Ledger
from streamer.publishing import LedgerPublisher
from streamer.settings import Folders, Source, StreamerSettings
from streamer.sources.file import FileSource
from streamer.sources.folder import FolderSource
from streamer.streaming import Feed, Streamer

logger = logging.getLogger(__name__)


def run(settings: StreamerSettings, *, once: bool) -> None:
    """Stream until SIGTERM or SIGINT; with `once`, until all present footage is cut and acknowledged.

    Raises:
        SourceError: a configured file or folder is not there.
        BrokerUnreachableError: no broker answers.
        MediaStoreError: the media store cannot be written.
        LedgerError: the ledger cannot be opened.
    """
    with stop_signals() as is_stopping:
        feeds = [feed_of(source, settings.folders, once=once) for source in settings.sources]
        media = MediaStore(settings.media_url)
        media.check_writable()
        ledger = Ledger.open(settings.state.folder)
        bus = Bus(
            settings.bus.bootstrap_servers,
            partitions=settings.bus.partitions,
            replication_factor=settings.bus.replication_factor,
            client_id="streamer",
        )
        publisher = LedgerPublisher(ledger, bus, media)
        try:
            Streamer(
                feeds,
                ledger=ledger,
                cameras=CameraTable(ledger.engine, partitions=settings.bus.partitions),
                media=media,
                publisher=publisher,
                work_folder=settings.state.folder / "cutting",
                look_every_s=settings.folders.look_every_s,
            ).run(once=once, is_stopping=is_stopping)
        finally:
            publisher.close()
            bus.close()
            ledger.close()


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
