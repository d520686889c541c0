"""The one shell that runs every consumer: polls, hands batches to its stage, publishes, commits.

The order that loses nothing, for each message:

1. it is polled, and its offset is unfinished from then on;
2. the stage works on it in a thread of its own and makes its result **durable** (a file, a row) before it returns;
3. what follows from it (a `SegmentAnalyzed`, a dead letter) is published on the same partition number and acknowledged;
4. its offset is finished; per partition the **lowest unfinished offset** is committed.

A crash between any two of these repeats work: stages answer repeats from what is durable, and every sink ignores what
it holds. Polling goes on while the stage works, with partitions paused, so the group never takes a slow worker for a
dead one. Bytes that are no message become a dead letter here; a message that leads nowhere becomes one in the stage.
Whatever the stage raises is a broken world and ends the process. A broker that comes back with another memory is met
with a new consumer and the same stage, models and all.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from consumers.errors import WorkAbandonedError
from consumers.measuring import RunnerMeters
from consumers.progress import Progress
from operations.seeing.health import Health
from streamer.bus.client import Bus, Publisher, Received, TopicPartition, TypedConsumer, Unreadable
from streamer.bus.errors import BrokerUnreachableError, IncarnationChangedError
from streamer.bus.messages import Message
from streamer.bus.topics import DEAD_LETTERS, Topic

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

IDLE_POLL_MS = 200
BUSY_POLL_MS = 40  # a finished batch waits at most this long for its publication
BROKER_PATIENCE_S = 60.0  # a broker away for longer ends the process
FLUSH_S = 2.0  # more than an answer takes, and together with the next within what a stop may take
COMMIT_MS = 1500
STOP_WITHIN_S = 3.5

IsStopping = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Publication:
    """One message that follows from another, for the partition of the same number."""

    topic: Topic[Any]
    message: Message


class Stage(Protocol[M]):
    """What a consumer does. Its methods are never called at the same time from two threads, but `committed`."""

    def work(self, batch: Sequence[Received[M]], is_stopping: IsStopping) -> Sequence[Sequence[Publication]]:
        """Make the results of a batch durable; returns what is to be published for each message, in order.

        Raises:
            WorkAbandonedError: `is_stopping` said so; nothing of the batch counts as done.
        """

    def first_offset(self, place: TopicPartition, incarnation: str) -> int | None:
        """Where to begin in a partition that is ours from now on; None for the group's committed offset."""

    def committed(self, offsets: dict[TopicPartition, int], incarnation: str) -> None:
        """Told, in the polling thread, of what has been committed."""


@dataclass(slots=True)
class _Batch(Generic[M]):
    """Some messages in the hands of the worker, then what came of them."""

    received: list[Received[M]]
    session: "_Session[M]"
    worked_s: float = 0.0
    done_at_s: float = 0.0  # by time.monotonic, once its results are durable
    publications: Sequence[Sequence[Publication]] = ()
    failure: BaseException | None = None


class Runner(Generic[M]):
    """Runs one stage as a member of a consumer group.

    Raises (from `run`): `BrokerUnreachableError` when no broker answers for a minute, and whatever the stage raises.
    """

    def __init__(
        self,
        bus: Bus,
        topics: Sequence[Topic[M]],
        group: str,
        stage: Stage[M],
        *,
        batch_size: int = 8,
        leg: str = "work",
        health: Health | None = None,
    ) -> None:
        """Read `topics` as a member of `group`.

        Args:
            bus: The way to the broker.
            topics: What to read.
            group: The consumer group.
            stage: What to do.
            batch_size: Messages to a batch at most.
            leg: What the stage's time is called among the legs of a segment.
            health: Told whether the broker answers, whether partitions are assigned, and that the loop turns.
        """
        self.health, self.meters = health or Health(), RunnerMeters(group, leg)
        self.bus, self.topics, self.group, self.batch_size = bus, topics, group, batch_size
        self.stage = stage
        self.publisher = bus.publisher()
        self.is_stopping = threading.Event()
        self._worker: _Worker[M] = _Worker(stage, self.is_stopping.is_set)

    def stop(self) -> None:
        """Let `run` return within seconds; may be called from a signal handler."""
        self.is_stopping.set()

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self.is_stopping.is_set():
                consumer = self._connect()
                if consumer is not None:
                    self._serve(consumer)
        finally:
            self.publisher.close()
            self._worker.close()

    def _connect(self) -> "_Session[M] | None":
        """A new member of the group; None when told to stop before a broker answered."""
        give_up_s = time.monotonic() + BROKER_PATIENCE_S
        while not self.is_stopping.is_set():
            self.health.beat()
            self.health.lacks("partitions")
            try:
                return _Session(self)
            except BrokerUnreachableError:
                self.health.lacks("broker")
                if time.monotonic() > give_up_s:
                    raise
        return None

    def _serve(self, session: "_Session[M]") -> None:
        try:
            while not self.is_stopping.is_set():
                session.step(self._worker)
            session.wind_down(self._worker)
        except IncarnationChangedError as change:
            logger.warning("the broker has lost its memory, joining anew", extra={"reason": str(change)})
            # All of it is asked for anew, in order, and what is owed would come first. A refusal may be the only trace.
            self.publisher.forget(but=DEAD_LETTERS)
        finally:
            session.close()


class _Session(Generic[M]):
    """One life of one group member, within one incarnation of the broker."""

    def __init__(self, runner: Runner[M]) -> None:
        self._runner = runner
        self._publisher: Publisher = runner.publisher
        self._progress = Progress()
        self._waiting: deque[Received[M]] = deque()
        self._unacknowledged: list[tuple[Received[M] | Unreadable, float | None]] = []  # and when it was durable
        self._sought: set[TopicPartition] = set()
        self._answered_at_s = time.monotonic()
        self._consumer: TypedConsumer[M] = runner.bus.consumer(
            runner.topics, runner.group, on_assigned=self._assigned, on_revoked=self._revoked
        )

    def step(self, worker: "_Worker[M]") -> None:
        """Poll once, feed the worker, publish and commit what is done."""
        self._tell(worker)
        self._throttle()
        self._take(self._consumer.poll(self._poll_ms(worker), max_records=self._runner.batch_size))
        if self._waiting and worker.is_idle:
            count = min(len(self._waiting), self._runner.batch_size)
            batch = _Batch([self._waiting.popleft() for _ in range(count)], self)
            self._runner.meters.begun(batch.received)
            worker.give(batch)
        self._settle(worker.result())
        self._check_broker()

    def wind_down(self, worker: "_Worker[M]") -> None:
        """Take no more; keep what the worker finishes in time."""
        self._waiting.clear()
        give_up_s = time.monotonic() + STOP_WITHIN_S
        while not worker.is_idle and time.monotonic() < give_up_s:
            self._settle(worker.result(timeout_s=0.1))
        self._settle(worker.result())

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _tell(self, worker: "_Worker[M]") -> None:
        """Let others see how it goes."""
        health = self._runner.health
        health.beat()
        health.set("partitions", is_there=self._consumer.has_joined)
        health.set("broker", is_there=self._runner.bus.current_incarnation() is not None)
        self._runner.meters.look(self._consumer, len(self._waiting) + worker.count + len(self._unacknowledged))

    def _poll_ms(self, worker: "_Worker[M]") -> int:
        return IDLE_POLL_MS if worker.is_idle and not self._waiting else BUSY_POLL_MS

    def _throttle(self) -> None:
        ours = self._consumer.assignment()
        if len(self._waiting) >= self._runner.batch_size:
            self._consumer.pause(ours)
        else:
            self._consumer.resume(ours)

    def _take(self, polled: Sequence[Received[M] | Unreadable]) -> None:
        sought, self._sought = self._sought, set()
        for arrived in polled:
            place = arrived.topic_partition
            if place in sought or self._progress.is_taken(place, arrived.offset):
                continue  # fetched from the group's offset just before we went elsewhere, or a repeat of our own work
            self._progress.take(place, arrived.offset)
            if isinstance(arrived, Unreadable):
                self._refuse(arrived)
            else:
                self._waiting.append(arrived)

    def _refuse(self, unreadable: Unreadable) -> None:
        logger.warning(
            "a message cannot be read",
            extra={
                "topic": unreadable.topic,
                "partition": unreadable.partition,
                "offset": unreadable.offset,
                "reason": unreadable.reason,
            },
        )
        self._publisher.publish(DEAD_LETTERS, unreadable.rejected(), partition=unreadable.partition)
        self._runner.meters.unreadable()
        self._unacknowledged.append((unreadable, None))

    def _settle(self, batch: "_Batch[M] | None") -> None:
        """Publish what a batch led to, then commit whatever is finished."""
        if batch is not None and batch.session is self:
            self._publish(batch)
        due = self._progress.due()
        if (self._unacknowledged or due) and self._runner.bus.current_incarnation() is None:
            return  # away: whatever is owed is paid in a later step
        if self._unacknowledged:
            self._acknowledge()
            due = self._progress.due()
        if due and self._consumer.commit(due, timeout_ms=COMMIT_MS):
            self._progress.committed(due)
            self._runner.stage.committed(due, self._consumer.incarnation)

    def _publish(self, batch: "_Batch[M]") -> None:
        if isinstance(batch.failure, WorkAbandonedError):
            return
        if batch.failure is not None:
            raise batch.failure
        self._runner.meters.worked(batch.received, batch.worked_s, batch.publications)
        for received, publications in zip(batch.received, batch.publications, strict=True):
            headers = self._runner.meters.traced(received, batch.worked_s, batch.done_at_s)
            for publication in publications:
                self._publisher.publish(
                    publication.topic, publication.message, partition=received.partition, headers=headers
                )
            self._unacknowledged.append((received, batch.done_at_s if publications else None))

    def _acknowledge(self) -> None:
        try:
            self._publisher.flush(FLUSH_S, incarnation=self._consumer.incarnation)
        except BrokerUnreachableError:
            return  # they stay with the publisher, and the next step tries again
        for arrived, durable_at_s in self._unacknowledged:
            self._progress.finish(arrived.topic_partition, arrived.offset)
            self._runner.meters.finished(arrived, durable_at_s)
        self._unacknowledged.clear()

    def _check_broker(self) -> None:
        now_s = time.monotonic()
        if self._runner.bus.current_incarnation() is not None:
            self._answered_at_s = now_s
        elif now_s - self._answered_at_s > BROKER_PATIENCE_S:
            reason = f"it has not answered for {BROKER_PATIENCE_S:g} s"
            raise BrokerUnreachableError(self._runner.bus.bootstrap_servers, reason)

    def _assigned(self, places: set[TopicPartition]) -> None:
        for place in places:
            offset = self._runner.stage.first_offset(place, self._consumer.incarnation)
            if offset is not None:
                self._consumer.seek(place, offset)
                self._sought.add(place)

    def _revoked(self, places: set[TopicPartition]) -> None:
        """Take no more from these; what is in flight still becomes durable, and its new owner finds it so."""
        self._waiting = deque(received for received in self._waiting if received.topic_partition not in places)
        self._progress.forget(places)


class _Worker(Generic[M]):
    """A thread that works on one batch at a time."""

    def __init__(self, stage: Stage[M], is_stopping: IsStopping) -> None:
        self._stage, self._is_stopping = stage, is_stopping
        self._inbox: queue.Queue[_Batch[M] | None] = queue.Queue(maxsize=1)
        self._outbox: queue.Queue[_Batch[M]] = queue.Queue(maxsize=1)
        self.is_idle, self.count = True, 0  # messages in its hands
        # A daemon, because a stage deep in native code may not hear of the end in time.
        self._thread = threading.Thread(target=self._run, name="stage", daemon=True)
        self._thread.start()

    def give(self, batch: _Batch[M]) -> None:
        """Begin a batch; only when idle."""
        assert self.is_idle
        self.is_idle, self.count = False, len(batch.received)
        self._inbox.put(batch)

    def result(self, timeout_s: float = 0.0) -> _Batch[M] | None:
        """The batch that is done, if there is one."""
        try:
            done = self._outbox.get(timeout=timeout_s) if timeout_s else self._outbox.get_nowait()
        except queue.Empty:
            return None
        self.is_idle, self.count = True, 0
        return done

    def close(self) -> None:
        """End the thread once its batch is done."""
        if self.is_idle:
            self._inbox.put(None)
            self._thread.join(1.0)

    def _run(self) -> None:
        while (batch := self._inbox.get()) is not None:
            began_s = time.monotonic()
            try:
                batch.publications = self._stage.work(batch.received, self._is_stopping)
            except BaseException as failure:  # noqa: BLE001 — handed to the polling thread, which raises it
                batch.failure = failure
            batch.done_at_s = time.monotonic()
            batch.worked_s = batch.done_at_s - began_s
            self._outbox.put(batch)
