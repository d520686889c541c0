"""Finds the persons in frames.

One detector belongs to one thread. Results are the same however frames are grouped into calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.detector_engines import Candidates, Engine, OpenVinoEngine, TorchEngine
from model.detector_network import DetectorFolder
from model.letterbox import Frame, Letterbox
from model.openvino_queue import Precision

EngineName = Literal["auto", "openvino", "torch"]
OVERLAP = 0.7  # Ultralytics' default: two boxes that share more than this are one person
MOST_PERSONS = 300


@dataclass(frozen=True, slots=True)
class Detections:
    """The persons of one frame, surest first: boxes (n, 4) in pixels of the full frame, scores (n,), both float32."""

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


class PersonDetector:
    """YOLO11n for persons, at the threshold its weights were measured at."""

    def __init__(self, engine: Engine, *, revision: str, confidence: float, image_size: int) -> None:
        self._engine = engine
        self.revision, self.confidence, self.image_size = revision, confidence, image_size

    @classmethod
    def load(
        cls,
        name: str | Path = "embedded",
        *,
        engine: EngineName = "auto",
        confidence: float | None = None,
        image_size: int = 640,
        cache_dir: Path,
        precision: Precision = "f32",
    ) -> "PersonDetector":
        """The detector by name or folder; `auto` is torch where there is a CUDA device, OpenVINO elsewhere.

        Args:
            name: `embedded`, or a folder that holds a detector.
            engine: What runs the network.
            confidence: Overrides the threshold that the weights were measured at.
            image_size: Pixels of the longer side as the network sees it, a multiple of 32.
            cache_dir: Where converted networks are kept between runs.
            precision: Of OpenVINO's arithmetic. `f32` gives the same boxes on every processor; `bf16` is about twice as
                fast where the processor multiplies it natively.

        Raises:
            ModelFolderError: The folder holds no detector.
            ModelCacheError: `cache_dir` cannot be written.
        """
        folder = DetectorFolder.open(name)
        return cls(
            _engine(engine, folder, cache_dir, precision),
            revision=folder.revision,
            confidence=folder.card.confidence if confidence is None else confidence,
            image_size=image_size,
        )

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """The persons of each frame, in order.

        Args:
            frames: RGB, each (H, W, 3) uint8; sizes may differ.
        """
        found: list[Detections | None] = [None] * len(frames)
        for size_wh in dict.fromkeys((frame.shape[1], frame.shape[0]) for frame in frames):
            placement = Letterbox.fit(size_wh, self.image_size)
            chosen = [i for i, frame in enumerate(frames) if (frame.shape[1], frame.shape[0]) == size_wh]
            canvases = (placement.place(frames[i]) for i in chosen)
            for i, candidates in zip(chosen, self._engine.candidates(canvases, self.confidence), strict=True):
                found[i] = _persons(candidates, placement)
        return [detections for detections in found if detections is not None]


def _engine(name: EngineName, folder: DetectorFolder, cache_dir: Path, precision: Precision) -> Engine:
    import torch

    has_cuda = torch.cuda.is_available()
    if name == "torch" or (name == "auto" and has_cuda):
        return TorchEngine(folder, device="cuda" if has_cuda else "cpu")
    return OpenVinoEngine(folder, cache_dir, precision=precision)


def _persons(candidates: Candidates, placement: Letterbox) -> Detections:
    """Overlapping candidates reduced to one box a person, in pixels of the frame."""
    import torch
    from torchvision.ops import nms

    centre, half = candidates[:, :2], candidates[:, 2:4] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    scores = np.ascontiguousarray(candidates[:, 4])
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), OVERLAP).numpy()[:MOST_PERSONS]
    return Detections(placement.to_frame(boxes[kept]), scores[kept])
