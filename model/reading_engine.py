"""How the compact HumanVLM's language model reads texts about crops on a CPU: OpenVINO, over twice as quick as torch.

Crops run concurrently, each alone in its request, so that no crop's answers depend on the crops beside it. The network
is converted once for texts of any number and length.

Legend: B crops, P image tokens, T tokens of all texts together, S = 1 + P + T, D width.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.language_model import LanguageModel
from model.openvino_queue import request_queue

if TYPE_CHECKING:
    import openvino

IMAGE_TOKENS, IDS, MASK, POSITIONS = range(4)  # the inputs of the converted network


class OpenVinoReader:
    """`LanguageModel.read_about`, converted when first used; belongs to one thread."""

    def __init__(self, model: LanguageModel, patches: int) -> None:
        self._model, self._patches = model, patches
        self._queue: openvino.AsyncInferQueue | None = None
        self._read: dict[int, NDArray[np.float32]] = {}

    def read_about(self, image_tokens: Tensor, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """Hidden states (B, T, D) of each text behind the image tokens (B, P, D) of each crop, at least one."""
        if self._queue is None:
            self._queue = self._compiled()
        packed = self._model.packed(self._patches, [len(text) for text in texts])
        ids = np.array([[token for text in texts for token in text]], dtype=np.int64)
        same = {IDS: ids, MASK: packed.mask.numpy(), POSITIONS: packed.positions.numpy()}
        tokens = image_tokens.numpy()
        for crop in range(len(tokens)):
            self._queue.start_async({IMAGE_TOKENS: tokens[crop : crop + 1], **same}, crop)
        self._queue.wait_all()
        hidden = np.concatenate([self._read[crop] for crop in range(len(tokens))])
        return list(torch.split(torch.from_numpy(hidden), packed.lengths, dim=1))

    def _compiled(self) -> "openvino.AsyncInferQueue":
        import openvino

        queue = request_queue(openvino.Core(), _converted(self._model, self._patches))
        queue.set_callback(self._keep)
        return queue

    def _keep(self, request: Any, crop: int) -> None:
        self._read[crop] = request.get_output_tensor(0).data.copy()


class _Reading(nn.Module):
    """`LanguageModel.read_packed` as the forward pass that a tracer follows."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image_tokens: Tensor, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Hidden states (1, T, D) of tokens (1, T) behind image tokens (1, P, D)."""
        return self.model.read_packed(image_tokens, ids, mask, positions)


def _converted(model: LanguageModel, patches: int) -> "openvino.Model":
    import openvino

    packed = model.packed(patches, [2, 1])
    ids = torch.zeros((1, sum(packed.lengths)), dtype=torch.int64)
    example = torch.zeros(1, patches, model.sizes.width), ids, packed.mask, packed.positions
    shapes = [tuple(example[IMAGE_TOKENS].shape), (1, -1), (1, 1, -1, -1), (1, -1)]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches on shapes; none of them depends on the texts
        traced = torch.jit.trace(_Reading(model), example, check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced, example_input=example, input=shapes)
