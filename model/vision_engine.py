"""How the compact HumanVLM's eyes are run on a CPU: OpenVINO, several times quicker there than torch.

Crops run concurrently, each alone in its request, so that no crop's tokens depend on the crops beside it.

Legend: B crops, H rows and W columns of pixels, P image tokens, D width.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network import HumanNetwork
from model.openvino_queue import OneByOne, converted


class OpenVinoEyes:
    """Vision tower and connector, converted when first used; belongs to one thread."""

    def __init__(self, network: HumanNetwork) -> None:
        sizes = network.vision_tower.sizes
        example = torch.zeros(1, sizes.height_px, sizes.width_px, 3, dtype=torch.uint8)
        self._see = OneByOne(lambda: converted(_Seeing(network), example, [tuple(example.shape)]))

    def see(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Image tokens (B, P, D) of crops (B, H, W, 3) uint8 RGB."""
        return torch.from_numpy(self._see({0: pixels[crop : crop + 1]} for crop in range(len(pixels))))


class _Seeing(nn.Module):
    """`HumanNetwork.see` as the forward pass that a tracer follows."""

    def __init__(self, network: HumanNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Image tokens (B, P, D) of crops (B, H, W, 3) uint8 RGB."""
        return self.network.see(pixels)
