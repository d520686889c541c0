"""What consumers count of their own work: the runner for all of them, the alerter for the whole way of a segment."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from operations.seeing.meters import (
    ALERT,
    ALERTS,
    BATCH,
    DEAD_LETTERS,
    END_TO_END,
    IN_FLIGHT,
    LAG,
    MESSAGES,
    PEOPLE,
    camera_label,
    leg,
    reason_word,
)
from operations.seeing.tracing import Headers, parts_of, step
from streamer.bus.client import Received, TopicPartition, TypedConsumer, Unreadable
from streamer.bus.manifest import Manifest
from streamer.bus.messages import Rejected

LOOK_EVERY_S = 2.0


class Published(Protocol):
    """One message that follows from another."""

    @property
    def message(self) -> Any:
        """What is published."""


class RunnerMeters:
    """Counts for one member of a consumer group; belongs to the polling thread."""

    def __init__(self, group: str, leg_name: str) -> None:
        """Count under `group`; the stage's own time is the leg `leg_name`."""
        self._group, self._leg = group, leg_name
        self._next_look_s = 0.0
        self._places: set[TopicPartition] = set()

    def look(self, consumer: TypedConsumer[Any], in_flight: int) -> None:
        """Note how far behind we are, now and then."""
        IN_FLIGHT.labels(self._group).set(in_flight)
        if time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + LOOK_EVERY_S
        lag = consumer.lag()
        for place in self._places - lag.keys():
            LAG.remove(self._group, place.topic, str(place.partition))
        for place, messages in lag.items():
            LAG.labels(self._group, place.topic, str(place.partition)).set(messages)
        self._places = set(lag)

    def begun(self, batch: Sequence[Received[Any]]) -> None:
        """Note what is worked on from now."""
        BATCH.labels(self._group).observe(len(batch))
        for received in batch:
            if received.published_at_s is not None and (camera := _camera_of(received)):
                leg(camera, f"{self._leg}_wait", time.time() - received.published_at_s)

    def worked(
        self, batch: Sequence[Received[Any]], elapsed_s: float, publications: Iterable[Iterable[Published]]
    ) -> None:
        """Note that a batch is durable: each of its messages took as long as all of it."""
        for received in batch:
            if camera := _camera_of(received):
                leg(camera, self._leg, elapsed_s)
        for each in (one.message for of_one in publications for one in of_one):
            if isinstance(each, Rejected):
                DEAD_LETTERS.labels(reason_word(each.reason)).inc()

    def traced(self, received: Received[Any], elapsed_s: float, done_at_s: float) -> Headers:
        """Note the stage's work, done at an instant of the monotonic clock, in the message's trace.

        Returns the headers of what follows from it.
        """
        ended_s = time.time() - (time.monotonic() - done_at_s)
        segment_id = getattr(received.message, "segment_id", None)
        facts = {
            "camera_id": _camera_of(received),
            "segment_id": segment_id,
            "topic": received.topic,
            "partition": received.partition,
            "offset": received.offset,
        }
        began_s = ended_s - elapsed_s
        parts = parts_of(segment_id)
        return step(self._leg, received.headers, began_s=began_s, ended_s=ended_s, facts=facts, parts=parts)

    def unreadable(self) -> None:
        """Count bytes that are no message."""
        DEAD_LETTERS.labels(reason_word("", is_unreadable=True)).inc()

    def finished(self, arrived: Received[Any] | Unreadable, durable_at_s: float | None) -> None:
        """Count what is acknowledged; `durable_at_s` where something had to be published for it."""
        MESSAGES.labels(self._group, arrived.topic).inc()
        if durable_at_s is not None and isinstance(arrived, Received) and (camera := _camera_of(arrived)):
            leg(camera, f"{self._leg}_publish", time.monotonic() - durable_at_s)


def note_manifest(manifest: Manifest) -> None:
    """Note what the analyzer wrote down of a segment, once."""
    for name, elapsed_s in manifest.timings_s.items():
        leg(manifest.camera_id, "vlm" if name == "humanvlm" else name, elapsed_s)
    PEOPLE.labels(camera_label(manifest.camera_id)).inc(len(manifest.people))


def note_decided(manifest: Manifest, now: datetime) -> None:
    """Note how long a live segment took from its first frame to the desk; of recorded footage, nothing."""
    if manifest.time_origin.is_live:
        elapsed_s = (now - manifest.started_at).total_seconds()
        END_TO_END.labels(camera_label(manifest.camera_id)).observe(max(0.0, elapsed_s))


def note_alert(camera_id: str, severity: str, met_at: datetime, raised_at: datetime, *, is_sent: bool) -> None:
    """Count an alert; how late it was only where it is sent: others are about old footage."""
    ALERTS.labels(camera_label(camera_id), severity).inc()
    if is_sent:
        ALERT.labels(camera_label(camera_id)).observe(max(0.0, (raised_at - met_at).total_seconds()))


def _camera_of(received: Received[Any]) -> str | None:
    camera_id = getattr(received.message, "camera_id", None)
    return camera_id if isinstance(camera_id, str) else None
