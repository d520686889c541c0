"""The notifier: takes what the outbox owes, a channel in a thread of its own, and marks what came of it.

Nothing of the stream waits for it: the alerter writes a line and goes on. A slow receiver holds up no other channel.
"""

import itertools
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from consumers.errors import DeliveryError
from consumers.notifying.notice import Notice
from consumers.notifying.outbox import Outbox, Owed, backoff_s
from consumers.notifying.senders import Sender
from operations.logs import about
from operations.seeing.meters import NOTIFICATIONS, leg
from operations.seeing.tracing import step

logger = logging.getLogger(__name__)

MakeNotice = Callable[[Owed], Notice]

GIVE_UP_AFTER_S = 3 * 24 * 3600.0
STRANGERS_EVERY_S = 60.0
DELIVERED, FAILED, GIVEN_UP = OUTCOMES = ("delivered", "failed", "given up")


def _now() -> datetime:
    return datetime.now(UTC)


class Notifier:
    """Sends what is due, whenever `step` is called; belongs to one thread.

    Raises (from `step`): `DeskError` when the desk cannot be read or written, and whatever `make_notice` raises.
    """

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        make_notice: MakeNotice,
        *,
        give_up_after_s: float = GIVE_UP_AFTER_S,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Send over `senders`, by channel name, what `make_notice` makes of what is owed."""
        self._outbox, self._senders, self._make_notice, self._now = outbox, senders, make_notice, now
        self._give_up_after = timedelta(seconds=give_up_after_s)
        self._pool = ThreadPoolExecutor(max(1, len(senders)), thread_name_prefix="channel")
        self._busy: dict[str, Future[None]] = {}
        self._strangers_at: datetime | None = None
        for channel, outcome in itertools.product(senders, OUTCOMES):
            NOTIFICATIONS.labels(channel, outcome)  # from the start: the first one is an increase, too

    def step(self) -> int:
        """Give each idle channel its next notification; returns how many are on their way."""
        self._settle()
        self._look_for_strangers()
        for owed in self._outbox.claim(self._now(), [name for name in self._senders if name not in self._busy]):
            self._busy[owed.channel] = self._pool.submit(self._deliver, owed)
        return len(self._busy)

    def close(self) -> None:
        """Let go; what is on its way is sent again by whoever comes next, unless it is marked in time."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _settle(self) -> None:
        for channel, sending in list(self._busy.items()):
            if sending.done():
                del self._busy[channel]
                sending.result()  # a broken desk is raised here

    def _deliver(self, owed: Owed) -> None:
        with about(camera_id=owed.alert.camera_id, segment_id=owed.alert.segment_id, person_id=owed.alert.person_id):
            self._try(owed)

    def _try(self, owed: Owed) -> None:
        began_s, facts = time.time(), {"channel": owed.channel, "alert_id": owed.alert.alert_id}
        try:
            self._senders[owed.channel].send(self._make_notice(owed))
        except DeliveryError as error:
            step("notify", owed.traceparent, began_s=began_s, facts={**facts, "outcome": FAILED})
            self._put_off(owed, error)
            return
        step("notify", owed.traceparent, began_s=began_s, facts={**facts, "outcome": DELIVERED})
        now = self._now()
        self._outbox.delivered(owed, now)
        NOTIFICATIONS.labels(owed.channel, DELIVERED).inc()
        leg(owed.alert.camera_id, "notify", (now - owed.created_at).total_seconds())

    def _put_off(self, owed: Owed, error: DeliveryError) -> None:
        now = self._now()
        wait_s = max(backoff_s(owed.attempts), error.retry_after_s or 0.0)
        again_at = now + timedelta(seconds=wait_s) if now - owed.created_at < self._give_up_after else None
        NOTIFICATIONS.labels(owed.channel, FAILED if again_at else GIVEN_UP).inc()
        logger.warning(
            "not delivered" if again_at else "not delivered, given up",
            extra={
                "channel": owed.channel,
                "alert_id": owed.alert.alert_id,
                "attempts": owed.attempts,
                "reason": error.reason,
            },
        )
        self._outbox.failed(owed, now, error.reason, again_at=again_at)

    def _look_for_strangers(self) -> None:
        now = self._now()
        if self._strangers_at is not None and now - self._strangers_at < timedelta(seconds=STRANGERS_EVERY_S):
            return
        self._strangers_at = now
        for name in self._outbox.strangers(now):
            logger.warning("a rule notifies a channel that is not configured", extra={"channel": name})
