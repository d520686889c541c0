"""Brings the ledger and the broker together: whatever this broker has not acknowledged is published."""

import logging
import time

from streamer.bus.client import Bus
from streamer.bus.errors import BrokerUnreachableError, MediaStoreError
from streamer.bus.media import SCHEME, MediaStore
from streamer.bus.messages import Rejected, SegmentReady
from streamer.bus.topics import DEAD_LETTERS, SEGMENTS
from streamer.ledger import Ledger, Unpublished
from streamer.measuring import captured, note_published, note_refused

logger = logging.getLogger(__name__)

FLUSH_S = 2.0  # while the broker is away, cutting goes on
GIVE_UP_S = 30.0
STORE_AGAIN_S = 5.0  # until a media store that does not answer, or refuses, is asked again


class LedgerPublisher:
    """Publishes what the ledger holds and the broker of now does not."""

    def __init__(self, ledger: Ledger, bus: Bus, media: MediaStore) -> None:
        """Publish the lines of `ledger` over `bus`; `media` tells what was analysed already."""
        self._ledger, self._bus, self._media = ledger, bus, media
        self._publisher = bus.publisher()
        self._incarnation: str | None = None
        self._away_since_s: float | None = None
        self._line_again_s: float | None = None  # when to ask the media store what was analysed

    @property
    def incarnation(self) -> str | None:
        """The broker that answered last; None while it is away."""
        return None if self._away_since_s is not None else self._incarnation

    def start(self, *, waits_for_store: bool = False) -> None:
        """Meet the broker, and put every segment that nobody has analysed in line again.

        Args:
            waits_for_store: Whether a media store that cannot be read, and knows what was analysed, is asked later.

        Raises:
            BrokerUnreachableError: no broker answers.
            MediaStoreError: the media store cannot be read.
        """
        self._incarnation = self._bus.ensure_topics()
        try:
            self._put_in_line()
        except MediaStoreError as error:
            if not waits_for_store:
                raise
            logger.warning("media store does not say what was analysed, asking again", extra={"reason": error.reason})
            self._line_again_s = time.monotonic() + STORE_AGAIN_S

    def _put_in_line(self) -> None:
        for camera_id in self._ledger.cameras():
            analysed = self._analysed(camera_id)
            self._ledger.forget_published(i for i in self._ledger.segment_ids(camera_id) if i not in analysed)

    def publish(self, *, must_succeed: bool = False) -> bool:
        """Publish everything that is in line; false when the broker is away, and the lines stay for the next call.

        Raises:
            BrokerUnreachableError: it `must_succeed`, and the broker has been away for half a minute.
        """
        self._put_in_line_late()
        try:
            self._meet()
            while self._publish_batch():
                pass
        except BrokerUnreachableError as error:
            self._publisher.forget()  # the ledger has it, and a new broker gets that from the first line on
            now_s = time.monotonic()
            self._away_since_s = self._away_since_s or now_s
            if must_succeed and now_s - self._away_since_s > GIVE_UP_S:
                raise
            logger.debug("broker away", extra={"reason": error.reason})
            return False
        self._away_since_s = None
        return True

    def close(self) -> None:
        """Give the connection back."""
        self._publisher.close()

    def _put_in_line_late(self) -> None:
        if self._line_again_s is None or time.monotonic() < self._line_again_s:
            return
        try:
            self._put_in_line()
            self._line_again_s = None
        except MediaStoreError:
            self._line_again_s = time.monotonic() + STORE_AGAIN_S

    def _meet(self) -> None:
        """Know the incarnation before publishing: one that comes meanwhile sees its lines published again."""
        current = self._bus.current_incarnation()
        if current is None:
            raise BrokerUnreachableError(self._bus.bootstrap_servers, "it does not answer")
        if current != self._incarnation:
            logger.warning("new broker, publishing everything again", extra={"incarnation": current})
            self._incarnation = self._bus.ensure_topics()

    def _publish_batch(self) -> bool:
        """Publish some lines; false when there were none."""
        assert self._incarnation is not None
        segments = self._ledger.unpublished_segments(self._incarnation)
        rejects = self._ledger.unpublished_rejects(self._incarnation)
        if not segments and not rejects:
            return False
        for segment in segments:
            headers = captured(segment.message)
            self._publisher.publish(SEGMENTS, segment.message, partition=segment.partition, headers=headers)
        for reject in rejects:
            self._publisher.publish(DEAD_LETTERS, reject.message, partition=reject.partition)
        self._publisher.flush(FLUSH_S, incarnation=self._incarnation)
        self._mark(segments)
        self._mark(rejects)
        for segment in segments:
            note_published(segment.message)
        for reject in rejects:
            note_refused(reject.message)
        return True

    def _mark(self, lines: list[Unpublished[SegmentReady]] | list[Unpublished[Rejected]]) -> None:
        assert self._incarnation is not None
        self._ledger.mark_published(lines, self._incarnation)

    def _analysed(self, camera_id: str) -> set[str]:
        """The segments of a camera that have a manifest; the folder is listed once."""
        names = (uri.rsplit("/", 1)[-1] for uri in self._media.list(f"{SCHEME}results/{camera_id}"))
        return {name.split(".", 1)[0] for name in names if name.endswith(".json")}
