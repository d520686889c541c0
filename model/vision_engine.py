"""How the compact HumanVLM's eyes are run on a CPU: OpenVINO, several times quicker there than torch.

Crops run concurrently, each alone in its request, so that no crop's tokens depend on the crops beside it.

Legend: B crops, H rows and W columns of pixels, P image tokens, D width.
"""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network import HumanNetwork
from model.openvino_queue import request_queue

if TYPE_CHECKING:
    import openvino


class OpenVinoEyes:
    """Vision tower and connector, converted when first used; belongs to one thread."""

    def __init__(self, network: HumanNetwork) -> None:
        self._network = network
        self._queue: openvino.AsyncInferQueue | None = None
        self._seen: dict[int, NDArray[np.float32]] = {}

    def see(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Image tokens (B, P, D) of crops (B, H, W, 3) uint8 RGB."""
        if self._queue is None:
            self._queue = self._compiled()
        for position in range(len(pixels)):
            self._queue.start_async({0: pixels[position : position + 1]}, position)
        self._queue.wait_all()
        return torch.from_numpy(np.concatenate([self._seen[position] for position in range(len(pixels))]))

    def _compiled(self) -> "openvino.AsyncInferQueue":
        import openvino

        queue = request_queue(openvino.Core(), _converted(self._network))
        queue.set_callback(self._keep)
        return queue

    def _keep(self, request: Any, position: int) -> None:
        self._seen[position] = request.get_output_tensor(0).data.copy()


class _Seeing(nn.Module):
    """`HumanNetwork.see` as the forward pass that a tracer follows."""

    def __init__(self, network: HumanNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Image tokens (B, P, D) of crops (B, H, W, 3) uint8 RGB."""
        return self.network.see(pixels)


def _converted(network: HumanNetwork) -> "openvino.Model":
    import openvino

    sizes = network.vision_tower.sizes
    example = torch.zeros(1, sizes.height_px, sizes.width_px, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches on shapes, which are fixed here
        traced = torch.jit.trace(_Seeing(network), example, check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced, example_input=example, input=[tuple(example.shape)])
