"""Small real manifests, segments and stages for tests of the consumers."""

import base64
import contextlib
import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from consumers.analyzer.combine import COMBINATION
from consumers.errors import WorkAbandonedError
from consumers.runner import IsStopping, Publication, Runner
from model.questions import CANNOT_TELL, Question
from streamer.bus.client import Bus, Received, TopicPartition
from streamer.bus.identity import person_id, track_id
from streamer.bus.manifest import LookSeen, Manifest, PathPoint, PersonSeen, Revisions
from streamer.bus.media import crop_uri, segment_uri
from streamer.bus.messages import AskedQuestion, SegmentReady, TimeOrigin
from streamer.bus.topics import PEOPLE, SEGMENTS, Topic
from tests.builders_bus import analyzed, drain

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPACE = "space-1"
WIDTH = 8
HAT = Question("predicate", "Is this person wearing a hard hat?")
FRAME_WH = (640, 480)

Box = tuple[float, float, float, float]


def a_segment(
    name: str,
    *,
    camera_id: str = "gate",
    uri: str | None = None,
    started_at: datetime = NOON,
    duration_s: float = 10.0,
    previous: str | None = None,
) -> SegmentReady:
    """A message of the topic `segments`."""
    return SegmentReady(
        segment_id=name,
        previous_segment_id=previous,
        camera_id=camera_id,
        uri=uri or segment_uri(camera_id, "2026-03-01", name),
        started_at=started_at,
        time_origin=TimeOrigin.FILE,
        duration_s=duration_s,
        fps=10.0,
        width_px=FRAME_WH[0],
        height_px=FRAME_WH[1],
    )


def unit_vector(direction: int, width: int = WIDTH) -> np.ndarray:
    """A unit vector along one axis."""
    return np.eye(width, dtype=np.float32)[direction]


def walking(
    segment: SegmentReady,
    ordinal: int,
    path: Sequence[tuple[float, Box]],
    *,
    towards: int = 0,
    revision: str = "r1",
    caption: str = "a worker in a yellow hard hat",
) -> PersonSeen:
    """Someone seen at these seconds in these boxes, whose embedding points along one axis."""
    name = track_id(segment.segment_id, ordinal)
    at_s, box = path[0]
    answers = {HAT.question_id: {"yes": 0.9, "no": 0.06, CANNOT_TELL: 0.04}}
    look = LookSeen(
        at=segment.started_at + timedelta(seconds=at_s),
        at_s=at_s,
        box_xyxy=box,
        sharpness=1.0,
        crop_uri=crop_uri(segment.camera_id, segment.segment_id, revision, ordinal, round(at_s * 1000)),
        crop_size_wh=(50, 100),
        answers=answers,
    )
    return PersonSeen(
        person_id=person_id(name, revision),
        track_id=name,
        first_seen_at=segment.started_at + timedelta(seconds=path[0][0]),
        last_seen_at=segment.started_at + timedelta(seconds=path[-1][0]),
        looks=(look,),
        path=tuple(
            PathPoint(at_s=at_s, x=(b[0] + b[2]) / 2 / FRAME_WH[0], y=b[3] / FRAME_WH[1], box_xyxy=b)
            for at_s, b in path
        ),
        answers=answers,
        combination=COMBINATION,
        caption=caption,
        embedding_base64=base64.b64encode(unit_vector(towards).astype("<f2").tobytes()).decode(),
        detection_score=0.8,
    )


def a_manifest(segment: SegmentReady, people: Sequence[PersonSeen] = (), *, revision: str = "r1") -> Manifest:
    """The result of a segment with these people in it."""
    return Manifest(
        segment_id=segment.segment_id,
        previous_segment_id=segment.previous_segment_id,
        camera_id=segment.camera_id,
        segment_uri=segment.uri,
        started_at=segment.started_at,
        time_origin=segment.time_origin,
        duration_s=segment.duration_s,
        width_px=segment.width_px,
        height_px=segment.height_px,
        analysis_revision=revision,
        revisions=Revisions(detector="d", answer="a", caption="c", embedding_space=SPACE),
        sampling_fps=5.0,
        frame_count=50,
        question_set_revision="q1",
        questions=(AskedQuestion(question_id=HAT.question_id, kind=HAT.kind, text=HAT.text, answers=HAT.answers),),
        people=tuple(people),
    )


def straight(start_s: float, end_s: float, first: Box, *, px_per_s: float, fps: float = 5.0) -> list[tuple[float, Box]]:
    """Someone walking to the right at a steady pace."""
    count = round((end_s - start_s) * fps) + 1
    times = [start_s + i / fps for i in range(count)]
    left, top, right, bottom = first
    steps = [px_per_s * (time - start_s) for time in times]
    return [(time, (left + step, top, right + step, bottom)) for time, step in zip(times, steps, strict=True)]


class RecordingStage:
    """A stage that remembers what it has worked on, and fails or waits when told to."""

    def __init__(self, *, fail_at: str | None = None, wait: threading.Event | None = None) -> None:
        self.fail_at, self.wait = fail_at, wait
        self.worked: list[str] = []
        self.batches: list[int] = []
        self.places: dict[str, tuple[int, int]] = {}
        self.committed_offsets: dict[TopicPartition, int] = {}
        self.begun = threading.Event()
        self.start_at: dict[TopicPartition, int] = {}

    def work(self, batch: Sequence[Received[SegmentReady]], is_stopping: IsStopping) -> list[list[Publication]]:
        self.begun.set()
        while self.wait is not None and not self.wait.wait(0.02):
            if is_stopping():
                raise WorkAbandonedError
        self.batches.append(len(batch))
        for received in batch:
            if received.message.segment_id == self.fail_at:
                raise OSError("the store is full")
            self.worked.append(received.message.segment_id)
            self.places[received.message.segment_id] = received.partition, received.offset
        return [[Publication(PEOPLE, analyzed(received.message.segment_id))] for received in batch]

    def first_offset(self, place: TopicPartition, incarnation: str) -> int | None:
        return self.start_at.get(place)

    def committed(self, offsets: dict[TopicPartition, int], incarnation: str) -> None:
        self.committed_offsets.update(offsets)


@contextlib.contextmanager
def running(runner: Runner[Any]) -> Iterator[Callable[[], Exception | None]]:
    """Run `runner` in a thread while the block lasts; yields what it has failed with so far."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            runner.run()
        except Exception as error:  # noqa: BLE001 — whatever it is, the test asks for it
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: failures[0] if failures else None
    finally:
        runner.stop()
        thread.join(20)
        assert not thread.is_alive()


def publish_segments(bus: Bus, names: Sequence[str], *, partition: int = 0) -> None:
    """Put segments of these names on one partition, in order."""
    publisher = bus.publisher()
    for name in names:
        publisher.publish(SEGMENTS, a_segment(name), partition=partition)
    publisher.flush()
    publisher.close()


def arriving(bus: Bus, topic: Topic[Any], count: int) -> list[Received[Any]]:
    """The first `count` messages of a topic."""
    consumer = bus.consumer([topic], "readers")
    try:
        received = drain(consumer, count)
    finally:
        consumer.close()
    return [message for message in received if isinstance(message, Received)]


def people_video(path: Path, *, size_wh: tuple[int, int] = (480, 640), frame_count: int = 3) -> Path:
    """A short video of the people of a picture that an installed package carries; 5 frames a second."""
    assets = importlib.util.find_spec("ultralytics")
    assert assets is not None
    assert assets.origin is not None
    picture = cv2.imread(str(Path(assets.origin).parent / "assets" / "bus.jpg"))
    assert picture is not None
    pixels = np.ascontiguousarray(cv2.resize(picture, size_wh))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        for _ in range(frame_count):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        output.mux(stream.encode(None))
    return path


def as_file(folder: Path, name: str, content: bytes) -> Path:
    """A file of these bytes."""
    path = folder / name
    path.write_bytes(content)
    return path
