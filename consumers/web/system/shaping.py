"""From what processes export to what the API says of them. Pure."""

import re

from consumers.indexer.dead_letters import DeadLetter
from consumers.web.system.looking import Look
from consumers.web.system.shapes import DeadLetterShape, DiskShape, LagShape, LegShape, ProcessShape
from operations.seeing.scraping import Scraped

SHOWN_BYTES = 2000
ERRNO = re.compile(r"^\[Errno -?\d+\] ")  # nothing that an operator could use


def shape_processes(look: Look) -> tuple[ProcessShape, ...]:
    """Every process."""
    before = {(each.job, each.address): each for each in look.before}
    return tuple(_process(each, before.get((each.job, each.address)), look.elapsed_s) for each in look.processes)


def _process(process: Scraped, before: Scraped | None, elapsed_s: float) -> ProcessShape:
    messages = process.total("crewsight_messages_total")
    rate = None
    if before is not None and not before.fault and elapsed_s > 0:
        rate = round(max(0.0, messages - before.total("crewsight_messages_total")) / elapsed_s, 2)
    return ProcessShape(
        job=process.job,
        address=process.address,
        state="silent" if process.fault else "waits" if process.missing else "ready",
        words=ERRNO.sub("", process.fault) or "; ".join(process.missing.values()),
        messages=int(messages),
        messages_per_s=rate,
        in_flight=int(process.total("crewsight_in_flight_messages")),
        dead_letters=int(process.total("crewsight_dead_letters_total")),
        memory_bytes=int(process.total("process_resident_memory_bytes")),
    )


def shape_lags(look: Look) -> tuple[LagShape, ...]:
    """What waits on each partition, by topic, group and partition."""
    samples = [
        each for process in look.processes for each in process.samples.get("crewsight_consumer_lag_messages", ())
    ]
    lags = [
        LagShape(
            group=each.labels["group"],
            topic=each.labels["topic"],
            partition=int(each.labels["partition"]),
            messages=int(each.value),
        )
        for each in samples
    ]
    return tuple(sorted(lags, key=lambda lag: (lag.topic, lag.group, lag.partition)))


def shape_legs(look: Look) -> tuple[LegShape, ...]:
    """How long each leg takes on the whole, the longest first."""
    seconds: dict[str, float] = {}
    segments: dict[str, float] = {}
    for process in look.processes:
        for leg, value in process.by("crewsight_leg_seconds_sum", "leg").items():
            seconds[leg] = seconds.get(leg, 0.0) + value
        for leg, value in process.by("crewsight_leg_seconds_count", "leg").items():
            segments[leg] = segments.get(leg, 0.0) + value
    legs = [
        LegShape(leg=leg, segments=int(number), mean_s=round(seconds.get(leg, 0.0) / number, 4))
        for leg, number in segments.items()
        if number
    ]
    return tuple(sorted(legs, key=lambda leg: -leg.mean_s))


def shape_disks(look: Look) -> tuple[DiskShape, ...]:
    """Every disk that a process tells of, once; the fullest look of each folder's."""
    disks: dict[str, DiskShape] = {}
    for process in look.processes:
        sizes = process.by("crewsight_disk_size_bytes", "folder")
        for folder, free in process.by("crewsight_disk_free_bytes", "folder").items():
            if folder not in disks or free < disks[folder].free_bytes:
                disks[folder] = DiskShape(folder=folder, free_bytes=int(free), size_bytes=int(sizes.get(folder, 0)))
    return tuple(disks[folder] for folder in sorted(disks))


def shape_dead_letter(letter: DeadLetter) -> DeadLetterShape:
    """What the API says of a dead letter."""
    rejected = letter.rejected
    place = f"{rejected.source_topic}, partition {rejected.partition}, offset {rejected.offset}"
    return DeadLetterShape(
        rejected_id=rejected.rejected_id,
        reason=rejected.reason,
        noticed_at=letter.noticed_at,
        camera_id=rejected.camera_id,
        segment_id=rejected.segment_id,
        place=place if rejected.source_topic else rejected.origin or "nobody knows",
        is_message=rejected.source_topic is not None and bool(rejected.original_base64),
        original=letter.original[:SHOWN_BYTES].decode("utf-8", errors="backslashreplace"),
        handled=letter.handled,
        handled_at=letter.handled_at,
        handled_by=letter.handled_by,
    )
