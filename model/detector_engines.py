"""The two ways a detector's network is run: OpenVINO on a CPU, torch on a graphics card.

Both take placed canvases and give the same rows; neither lets one frame's result depend on the frames beside it.
OpenVINO models are converted once for each canvas size and kept in `cache_dir` under the weights' hash.
"""

import itertools
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.detector_network import DetectorFolder
from model.errors import ModelCacheError
from model.letterbox import Frame
from model.openvino_queue import Precision, request_queue
from model.tracing import traced

if TYPE_CHECKING:
    import openvino
    from torch import nn

logger = logging.getLogger(__name__)

Candidates = NDArray[np.float32]  # (n, 5): centre x, centre y, width, height on the canvas, score
CUDA_BATCH = 16  # every batch is padded to this, so that the same kernels run however many frames there are


class Engine(Protocol):
    """Runs the network over canvases of one size."""

    def candidates(self, canvases: Iterable[Frame], confidence: float) -> list[Candidates]:
        """The boxes of each canvas that score above `confidence`, before suppression; canvases are asked for lazily."""


def _above(rows: NDArray[np.float32], confidence: float) -> Candidates:
    """The rows of one canvas's output (5, N) whose score is above `confidence`, as (n, 5)."""
    return np.ascontiguousarray(rows[:, rows[4] > confidence].T)


class OpenVinoEngine:
    """One compiled model for each canvas size; frames run concurrently, each alone in its request."""

    def __init__(self, folder: DetectorFolder, cache_dir: Path, *, precision: Precision = "f32") -> None:
        import openvino

        self._folder, self._cache_dir = folder, cache_dir
        self._core = openvino.Core()
        self._precision: Precision = precision
        self._queues: dict[tuple[int, int], openvino.AsyncInferQueue] = {}

    def candidates(self, canvases: Iterable[Frame], confidence: float) -> list[Candidates]:
        """The boxes of each canvas (all of one size) that score above `confidence`."""
        found: dict[int, Candidates] = {}

        def keep(request: Any, position: int) -> None:
            found[position] = _above(request.get_output_tensor(0).data[0], confidence)

        for position, canvas in enumerate(canvases):  # the next canvas is placed while others are looked at
            queue = self._queue(canvas.shape[:2])
            if position == 0:
                queue.set_callback(keep)
            queue.start_async({0: canvas[None]}, position)
        for queue in self._queues.values():
            queue.wait_all()
        return [found[position] for position in range(len(found))]

    def _queue(self, size_hw: tuple[int, ...]) -> "openvino.AsyncInferQueue":
        height, width = size_hw
        if (height, width) not in self._queues:
            self._queues[height, width] = request_queue(self._core, self._model(height, width), self._precision)
        return self._queues[height, width]

    def _model(self, height: int, width: int) -> "openvino.Model":
        """The converted network, from the cache or put there."""
        import openvino

        version = openvino.__version__.split("-")[0]
        entry = self._cache_dir / f"{self._folder.weights_sha256[:16]}-{width}x{height}-openvino-{version}"
        if (entry / "network.xml").is_file():
            try:
                return self._core.read_model(entry / "network.xml")
            except RuntimeError:  # damaged: a disk that filled up, a copy cut short
                logger.warning("converting again: the cached detector cannot be read", extra={"folder": str(entry)})
                shutil.rmtree(entry, ignore_errors=True)
        converted = to_openvino(self._folder.network(), height, width)

        def write(draft: Path) -> None:
            openvino.save_model(converted, draft / "network.xml", compress_to_fp16=False)

        _store_whole(write, entry)
        return converted


class TorchEngine:
    """The network in torch: half precision in padded batches on a CUDA device, float32 one by one on a CPU."""

    def __init__(self, folder: DetectorFolder, *, device: str) -> None:
        import torch

        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        self._batch = CUDA_BATCH if self._device.type == "cuda" else 1
        self._network = _exported(folder.network()).to(self._device, self._dtype)

    def candidates(self, canvases: Iterable[Frame], confidence: float) -> list[Candidates]:
        """The boxes of each canvas (all of one size) that score above `confidence`."""
        waiting, found = iter(canvases), []
        while batch := list(itertools.islice(waiting, self._batch)):
            found += self._run(batch, confidence)
        return found

    def _run(self, canvases: Sequence[Frame], confidence: float) -> list[Candidates]:
        import torch

        padded = np.zeros((self._batch, *canvases[0].shape), np.uint8)
        padded[: len(canvases)] = canvases
        with torch.inference_mode():
            pixels = torch.from_numpy(padded).to(self._device).permute(0, 3, 1, 2).to(self._dtype) / 255
            rows = self._network(pixels).float().cpu().numpy()  # (B, 5, N)
        return [_above(rows[position], confidence) for position in range(len(canvases))]


def to_openvino(network: "nn.Module", height: int, width: int) -> "openvino.Model":
    """The network for one canvas size: takes (1, H, W, 3) uint8 RGB, gives (1, 5, N) float32."""
    import openvino
    import torch
    from openvino.preprocess import PrePostProcessor

    exported = _exported(network)
    example = torch.zeros(1, 3, height, width)
    with torch.no_grad():
        exported(example)  # the head computes its anchors on first sight of a size; they become constants
    model = openvino.convert_model(traced(exported, example), example_input=example, input=[1, 3, height, width])
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


def _exported(network: Any) -> Any:
    """The network for inference only: batch norms folded in, boxes decoded, one tensor out."""
    fused = network.eval().fuse(verbose=False)
    fused.model[-1].export = True
    return fused.requires_grad_(False)


def _name(filled: Path, entry: Path) -> None:
    """Give a complete folder its name, unless another process was first."""
    try:
        filled.rename(entry)
    except OSError:  # "not empty", which Python gives no class of its own
        if not entry.is_dir():
            raise


def _store_whole(write: Callable[[Path], None], entry: Path) -> None:
    """Let `write` fill a folder and give it its name only once it is complete; a folder already there stays.

    Raises:
        ModelCacheError: The cache cannot be written.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".converting-") as draft:
            filled = Path(draft) / "entry"
            filled.mkdir()
            write(filled)
            _name(filled, entry)
    except (OSError, RuntimeError) as error:  # OpenVINO reports a full disk as a RuntimeError
        raise ModelCacheError(entry.parent, str(error).splitlines()[0]) from error
