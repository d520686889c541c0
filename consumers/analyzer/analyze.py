"""Who is in a segment and what HumanVLM says of them. Pure but for the clock that times the legs, and their traces.

The same segment, models, rate and questions give the same ids, crops and answers, whatever else is in the batch.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumers.analyzer.decode import SampledFrames, sample_frames
from consumers.analyzer.eyes import Eyes
from consumers.analyzer.record import Described, crop_jpegs, manifest_of
from consumers.analyzer.sampling import wanted_fps
from consumers.errors import VideoReadError, WorkAbandonedError
from model.crops import Look, best_looks
from model.detector import Detections
from model.tracker import Track, track_people
from operations.logs import about
from operations.seeing.tracing import begin_parts, note_part
from streamer.bus.identity import rejected_id
from streamer.bus.manifest import Manifest
from streamer.bus.messages import Rejected, SegmentReady

FRAMES_AT_ONCE = 16  # frames detected between two looks at whether to stop
PEOPLE_AT_ONCE = 16  # people described between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment and the local file that holds its video."""

    ready: SegmentReady
    path: Path


@dataclass(frozen=True, slots=True)
class Analyzed:
    """One segment's result: the manifest, and the JPEG of every crop it names by URI."""

    manifest: Manifest
    crops: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A segment after detector and tracker: its frames are gone, its crops are kept."""

    ready: SegmentReady
    sampled: SampledFrames
    people: list[tuple[Track, list[Look]]]
    timings_s: dict[str, float]


def analyze_batch(
    segments: Sequence[Segment], eyes: Eyes, *, is_stopping: Callable[[], bool] = lambda: False
) -> list[Analyzed | Rejected]:
    """One result a segment, in order; `Rejected` where its video cannot be read.

    Segments are decoded and followed one after the other, so that one segment's frames are in memory at a time;
    HumanVLM then sees the crops of all of them together.

    Raises:
        WorkAbandonedError: `is_stopping` said so.
    """
    seen = []
    for segment in segments:
        with about(camera_id=segment.ready.camera_id, segment_id=segment.ready.segment_id):
            seen.append(_look(segment, eyes, is_stopping))
    looked = [each for each in seen if isinstance(each, _Seen)]
    with eyes.heeding(is_stopping):
        described = iter(_describe(looked, eyes, is_stopping))
    return [each if isinstance(each, Rejected) else _result(each, next(described), eyes) for each in seen]


def unreadable(ready: SegmentReady, reason: str) -> Rejected:
    """The refusal of one segment, called the same wherever and whenever it is refused."""
    return Rejected(
        rejected_id=rejected_id("segment", ready.segment_id),
        reason=reason,
        camera_id=ready.camera_id,
        segment_id=ready.segment_id,
        origin=ready.uri,
    )


def _look(segment: Segment, eyes: Eyes, is_stopping: Callable[[], bool]) -> _Seen | Rejected:
    timings_s: dict[str, float] = {}
    segment_id = segment.ready.segment_id
    begin_parts(segment_id)
    try:
        with _timed(timings_s, "decode", segment_id):
            sampled = sample_frames(
                segment.path, target_fps=wanted_fps(eyes.sampling_fps, segment.ready.sampling_fps_at_most)
            )
    except VideoReadError as error:
        return unreadable(segment.ready, f"its video cannot be read: {error.reason}")
    with _timed(timings_s, "detect", segment_id):
        detections = _detect(sampled, eyes, is_stopping)
    with _timed(timings_s, "track", segment_id):
        tracks = track_people(detections, sampling_fps=sampled.fps, frame_size_wh=sampled.size_wh)
    with _timed(timings_s, "crop", segment_id):
        people = [
            (track, best_looks(track, sampled.frames, sampled.at_s, at_most=eyes.looks_at_most, others=tracks))
            for track in tracks
        ]
    return _Seen(segment.ready, sampled.without_frames(), people, timings_s)


def _detect(sampled: SampledFrames, eyes: Eyes, is_stopping: Callable[[], bool]) -> list[Detections]:
    found: list[Detections] = []
    for start in range(0, len(sampled.frames), FRAMES_AT_ONCE):
        _stop_if(is_stopping)
        found.extend(eyes.detector.detect(sampled.frames[start : start + FRAMES_AT_ONCE]))
    return found


def _describe(segments: Sequence[_Seen], eyes: Eyes, is_stopping: Callable[[], bool]) -> list[list[Described]]:
    """What HumanVLM says of every person of every segment, in batches that do not stop at a segment's end."""
    people = [looks for segment in segments for _, looks in segment.people]
    described: list[Described] = []
    started_s = time.perf_counter()
    for start in range(0, len(people), PEOPLE_AT_ONCE):
        _stop_if(is_stopping)
        described.extend(_described(people[start : start + PEOPLE_AT_ONCE], eyes))
    elapsed_s = time.perf_counter() - started_s
    all_looks = sum(map(len, people))
    for segment in segments:
        share = sum(len(looks) for _, looks in segment.people) / all_looks if all_looks else 0.0
        segment.timings_s["humanvlm"] = share_s = round(elapsed_s * share, 4)
        if share:  # the batch's time, which the segment waited for; its own share of it stands beside
            note_part(segment.ready.segment_id, "vlm", elapsed_s, share_s=share_s)
    waiting = iter(described)
    return [[next(waiting) for _ in segment.people] for segment in segments]


def _described(people: Sequence[Sequence[Look]], eyes: Eyes) -> list[Described]:
    starts = [0, *itertools.accumulate(map(len, people))]
    best = [best_position(looks) for looks in people]
    seen = eyes.vlm.see([look.crop for looks in people for look in looks])
    reading = eyes.vlm.read(seen, eyes.questions)
    captions = eyes.vlm.describe(seen.of([start + position for start, position in zip(starts[:-1], best, strict=True)]))
    return [
        Described(captions[i], best[i], reading.decisions[start:end], reading.vectors[start:end])
        for i, (start, end) in enumerate(itertools.pairwise(starts))
    ]


def _result(seen: _Seen, described: Sequence[Described], eyes: Eyes) -> Analyzed:
    manifest = manifest_of(seen.ready, seen.sampled, seen.people, described, eyes, timings_s=seen.timings_s)
    return Analyzed(manifest, crop_jpegs(manifest, seen.people))


def best_position(looks: Sequence[Look]) -> int:
    """Which of a person's looks is described: tall (up to 256 px), sharp and not cut by the frame's border."""

    def worth(position: int) -> float:
        look = looks[position]
        return float(min(look.crop.person_height_px, 256) * look.sharpness**0.5 * look.wholeness)

    return max(range(len(looks)), key=worth)


@contextmanager
def _timed(timings_s: dict[str, float], leg: str, segment_id: str) -> Iterator[None]:
    started_s = time.perf_counter()
    yield
    elapsed_s = time.perf_counter() - started_s
    timings_s[leg] = round(elapsed_s, 4)
    note_part(segment_id, leg, elapsed_s)


def _stop_if(is_stopping: Callable[[], bool]) -> None:
    if is_stopping():
        raise WorkAbandonedError
