"""How near a detector is to another, or to labels: recall and precision at an overlap of one half."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.detector import Detections
from model.letterbox import Frame
from model.ultralytics_loading import ultralytics_tamed
from trainer.errors import EvaluationError
from trainer.photos import PERSON, labelled_photos

SAME_BOX_IOU = 0.5
CHUNK_FRAMES = 64


class FindsPersons(Protocol):
    """Anything that finds the persons of RGB frames."""

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """The persons of each frame, surest first."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many boxes were expected and found, and how many of these are the same; counts add up over frames."""

    expected: int = 0
    found: int = 0
    matched: int = 0

    @property
    def recall(self) -> float:
        """Matched of expected; 1 when nothing was expected."""
        return self.matched / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        """Matched of found; 1 when nothing was found."""
        return self.matched / self.found if self.found else 1.0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.expected + other.expected, self.found + other.found, self.matched + other.matched)


def box_overlaps(boxes_xyxy: NDArray[np.float32], others_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every box (n, 4) with every other (m, 4), shape (n, m)."""
    low = np.maximum(boxes_xyxy[:, None, :2], others_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], others_xyxy[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    other_areas = (others_xyxy[:, 2:] - others_xyxy[:, :2]).prod(axis=1)
    overlaps: NDArray[np.float32] = shared / np.maximum(areas[:, None] + other_areas[None] - shared, 1e-9)
    return overlaps


def compare(found_xyxy: NDArray[np.float32], expected_xyxy: NDArray[np.float32]) -> Agreement:
    """Greedy matching: each found box (n, 4), surest first, takes the expected box (m, 4) that it overlaps most.

    >>> compare(np.float32([[0, 0, 10, 10], [0, 0, 9, 10]]), np.float32([[0, 0, 10, 10]]))
    Agreement(expected=1, found=2, matched=1)
    """
    overlaps = box_overlaps(found_xyxy, expected_xyxy)
    matched = 0
    for row in overlaps:
        if row.size and row.max() >= SAME_BOX_IOU:
            overlaps[:, row.argmax()] = -1.0
            matched += 1
    return Agreement(len(expected_xyxy), len(found_xyxy), matched)


def agreement(found: Sequence[Detections], expected: Sequence[Detections]) -> Agreement:
    """Agreement over frames, added up."""
    pairs = zip(found, expected, strict=True)
    return sum((compare(mine.boxes_xyxy, theirs.boxes_xyxy) for mine, theirs in pairs), Agreement())


def detections_on_clip(
    detector: FindsPersons, clip: Path, *, sampling_fps: float = 5.0, at_most: int | None = None
) -> list[Detections]:
    """What a detector finds in the sampled frames of a clip, `at_most` of them, spread over its length."""
    return [found for frames in _sampled(clip, sampling_fps, at_most) for found in detector.detect(frames)]


def agreement_on_photos(detector: FindsPersons, folder: Path) -> Agreement:
    """Agreement with the *Person* labels of a folder of labelled photos."""
    total = Agreement()
    for photo in labelled_photos(folder):
        persons = [box.box_xyxy for box in photo.boxes if box.label == PERSON]
        expected = np.stack(persons) if persons else np.empty((0, 4), np.float32)
        total += compare(detector.detect([photo.pixels])[0].boxes_xyxy, expected)
    return total


class StartingWeights:
    """A COCO checkpoint run exactly as Ultralytics runs it: its own letterbox, engine and suppression, class person."""

    def __init__(self, checkpoint: Path, *, confidence: float = 0.25, image_size: int = 640) -> None:
        """Load `checkpoint`.

        Raises:
            EvaluationError: There is no such file; Ultralytics would look for it on the net.
        """
        if not checkpoint.is_file():
            raise EvaluationError(checkpoint, "there is no such checkpoint")
        with ultralytics_tamed():
            from ultralytics import YOLO

        self._model = YOLO(str(checkpoint))
        self._options = {"conf": confidence, "imgsz": image_size, "classes": [0], "verbose": False, "device": "cpu"}

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """The persons of each frame, surest first."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frame) -> Detections:
        boxes = self._model.predict(np.ascontiguousarray(frame[..., ::-1]), **self._options)[0].boxes
        return Detections(boxes.xyxy.numpy().astype(np.float32), boxes.conf.numpy().astype(np.float32))


def _sampled(clip: Path, sampling_fps: float, at_most: int | None) -> Iterator[list[Frame]]:
    """The sampled frames of a clip, a few dozen at a time.

    Raises:
        EvaluationError: The clip cannot be read.
    """
    import decord

    try:
        reader = decord.VideoReader(str(clip))
        step = max(reader.get_avg_fps() / sampling_fps, 1.0)
        indices = np.arange(0, len(reader), step).astype(int)
        if at_most is not None and len(indices) > at_most:
            indices = indices[np.linspace(0, len(indices) - 1, at_most).round().astype(int)]
        for start in range(0, len(indices), CHUNK_FRAMES):
            yield list(reader.get_batch(indices[start : start + CHUNK_FRAMES]).asnumpy())
    except RuntimeError as error:
        raise EvaluationError(clip, str(error).splitlines()[0]) from error
