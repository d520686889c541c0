"""How the compact HumanVLM's language model reads texts about crops on a CPU: OpenVINO, over twice as quick as torch.

Crops run concurrently, each alone in its request, so that no crop's answers depend on the crops beside it. The network
is converted once for texts of any number and length.

Legend: B crops, P image tokens, T tokens of all texts together, S = 1 + P + T, D width.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from model.language_model import LanguageModel
from model.openvino_queue import OneByOne, converted

if TYPE_CHECKING:
    import openvino

IMAGE_TOKENS, IDS, MASK, POSITIONS = range(4)  # the inputs of the converted network


class OpenVinoReader:
    """`LanguageModel.read_about`, converted when first used; belongs to one thread."""

    def __init__(self, model: LanguageModel, patches: int) -> None:
        self._model, self._patches = model, patches
        self._read = OneByOne(self._converted)

    def read_about(self, image_tokens: Tensor, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """Hidden states (B, T, D) of each text behind the image tokens (B, P, D) of each crop, at least one."""
        packed = self._model.packed(self._patches, [len(text) for text in texts])
        ids = np.array([[token for text in texts for token in text]], dtype=np.int64)
        same = {IDS: ids, MASK: packed.mask.numpy(), POSITIONS: packed.positions.numpy()}
        tokens = image_tokens.numpy()
        hidden = self._read({IMAGE_TOKENS: tokens[crop : crop + 1], **same} for crop in range(len(tokens)))
        return list(torch.split(torch.from_numpy(hidden), packed.lengths, dim=1))

    def _converted(self) -> "openvino.Model":
        packed = self._model.packed(self._patches, [2, 1])
        ids = torch.zeros((1, sum(packed.lengths)), dtype=torch.int64)
        example = torch.zeros(1, self._patches, self._model.sizes.width), ids, packed.mask, packed.positions
        shapes = [tuple(example[IMAGE_TOKENS].shape), (1, -1), (1, 1, -1, -1), (1, -1)]
        return converted(_Reading(self._model), example, shapes)


class _Reading(nn.Module):
    """`LanguageModel.read_packed` as the forward pass that a tracer follows."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image_tokens: Tensor, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Hidden states (1, T, D) of tokens (1, T) behind image tokens (1, P, D)."""
        return self.model.read_packed(image_tokens, ids, mask, positions)
