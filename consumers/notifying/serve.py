"""The notifier's process: notifications in its own thread, the copying of evidence in another.

A process of its own, because neither a mail server that hangs nor a clip that is encoded may hold up the alerter; what
ties them is the desk database alone.
"""

import logging
import threading
import time
from datetime import timedelta
from zoneinfo import ZoneInfo

from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import ChannelError, DeskError
from consumers.evidence.copier import EvidenceCopier, Keeping
from consumers.evidence.table import EvidenceTable
from consumers.notifying.notice import Notice, notice_of
from consumers.notifying.notifier import Notifier
from consumers.notifying.outbox import Outbox, Owed
from consumers.notifying.senders import sender_of, senders_of
from consumers.settings import NotifierSettings
from operations.seeing.health import Health
from operations.seeing.meters import ask
from streamer.bus.errors import MediaStoreError
from streamer.bus.media_opening import open_media

logger = logging.getLogger(__name__)

COPY_EVERY_S = 1.0
DROP_EVERY_S = 600.0
PICTURE_PATIENCE_S = 1.0  # news without its picture is better than late news


class NotifyingService:
    """The notifier and the copier over one desk.

    Raises (from `run`): whatever broke the desk or the media store; the supervisor starts it again.
    """

    def __init__(self, settings: NotifierSettings, health: Health | None = None) -> None:
        """Open the desk, the media store and the channels.

        Raises:
            ChannelError: A channel names nothing that can be sent to.
            DeskError: The desk does not open.
            MediaStoreError: The media store cannot be written.
        """
        self._settings, self._health = settings, health or Health()
        senders = senders_of(settings.notifying.channels)
        self._store = open_media(settings)
        self._pictures = open_media(settings, patience_s=PICTURE_PATIENCE_S)
        self._store.check_writable()
        desk = DeskDatabase(settings.desk_url)
        outbox = Outbox(desk, settings.notifying.channels)
        ask("crewsight_notifications_owed", "Notifications that are still owed.", outbox.waiting, DeskError)
        self._health.has("database")
        self._notifier = Notifier(
            outbox,
            senders,
            self._notice,
            give_up_after_s=settings.notifying.give_up_after_s,
        )
        self._copier = EvidenceCopier(EvidenceTable(desk), self._store, _keeping(settings))
        self._is_stopping = threading.Event()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Let `run` return soon; may be called from a signal handler."""
        self._is_stopping.set()

    def run(self) -> None:
        """Work until `stop`."""
        copying = threading.Thread(target=self._copy, name="evidence", daemon=True)
        copying.start()
        try:
            while not self._is_stopping.is_set():
                self._health.beat()
                self._notifier.step()
                self._is_stopping.wait(self._settings.notifying.look_every_s)
        finally:
            self._is_stopping.set()
            self._notifier.close()
        if self._failure is not None:
            raise self._failure

    def _copy(self) -> None:
        drop_at_s = 0.0
        try:
            while not self._is_stopping.is_set():
                self._copier.step()
                if time.monotonic() >= drop_at_s:
                    self._copier.drop_expired()
                    drop_at_s = time.monotonic() + DROP_EVERY_S
                self._is_stopping.wait(COPY_EVERY_S)
        except BaseException as failure:  # noqa: BLE001 — handed to the main thread, which raises it
            self._failure = failure
            self._is_stopping.set()

    def _notice(self, owed: Owed) -> Notice:
        page, channel = self._settings.page, self._settings.notifying.channels[owed.channel]
        return notice_of(
            owed.alert,
            owed.kind,
            site=page.site_name,
            public_url=page.reached_at,
            zone=ZoneInfo(page.time_zone) if page.time_zone else None,
            picture=self._picture(owed.alert.crop_uri) if channel.with_picture else None,
        )

    def _picture(self, uri: str) -> bytes | None:
        """The JPEG at `uri`; None where it cannot be read: the news goes out all the same."""
        try:
            return self._pictures.read(uri)
        except MediaStoreError as error:
            logger.warning("notified without its picture", extra={"uri": uri, "reason": error.reason})
            return None


def try_out(settings: NotifierSettings, name: str) -> None:
    """Send one notice of nothing over a channel, to see that it is set up right.

    Raises:
        ChannelError: There is no such channel, or it names nothing that can be sent to.
        DeliveryError: Its receiver did not take it.
    """
    channels, page = settings.notifying.channels, settings.page
    if name not in channels:
        known = ", ".join(sorted(channels)) or "none"
        raise ChannelError(name, f"notifying.channels has no such name; known: {known}")
    body = f"This is only a trial of the channel {name}. Nothing has happened.\n{page.reached_at}"
    notice = Notice("trial", "trial", "low", f"{page.site_name}: trial", body, page.reached_at)
    sender_of(name, channels[name]).send(notice)


def _keeping(settings: NotifierSettings) -> Keeping:
    days = settings.evidence.keep_days
    return Keeping(
        around_s=settings.evidence.around_s,
        wait_s=settings.evidence.wait_s,
        keep=timedelta(days=days) if days is not None else None,
    )
