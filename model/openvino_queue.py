"""How OpenVINO runs a network on a CPU here: as many requests side by side as the processors can take.

Each request holds one picture, so that nobody's result depends on the pictures beside it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.tracing import traced

if TYPE_CHECKING:
    import openvino
    from torch import Tensor, nn

# OpenVINO tells Google Analytics of each import and conversion, asking nobody, where this can be imported; it has a
# stand-in for where it cannot. What watches people tells nobody of it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

Precision = Literal["f32", "bf16"]


def request_queue(
    core: "openvino.Core", network: "openvino.Model", precision: Precision = "f32"
) -> "openvino.AsyncInferQueue":
    """Requests to a network, compiled for throughput on the processors that this process may use."""
    import openvino

    hints = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
    }
    compiled = core.compile_model(network, "CPU", hints)
    return openvino.AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))


class OneByOne:
    """A network that is asked about each picture alone, converted when first used; belongs to one thread."""

    def __init__(self, convert: Callable[[], "openvino.Model"]) -> None:
        """Run what `convert` makes."""
        self._convert = convert
        self._queue: openvino.AsyncInferQueue | None = None
        self._found: dict[int, NDArray[np.float32]] = {}

    def __call__(self, inputs: Iterable[Mapping[int, NDArray[Any]]]) -> NDArray[np.float32]:
        """The first outputs (1, …) of all inputs, at least one, one behind the other: (B, …)."""
        if self._queue is None:
            self._queue = self._compiled()
        count = 0
        for position, one in enumerate(inputs):
            self._queue.start_async(dict(one), position)
            count = position + 1
        self._queue.wait_all()
        return np.concatenate([self._found[position] for position in range(count)])

    def _compiled(self) -> "openvino.AsyncInferQueue":
        import openvino

        queue = request_queue(openvino.Core(), self._convert())
        queue.set_callback(self._keep)
        return queue

    def _keep(self, request: Any, position: int) -> None:
        self._found[position] = request.get_output_tensor(0).data.copy()


def converted(
    module: "nn.Module", example: "Tensor | tuple[Tensor, ...]", shapes: Sequence[tuple[int, ...]]
) -> "openvino.Model":
    """A torch module as OpenVINO runs it.

    Args:
        module: What is converted; which way its forward pass goes must not depend on its inputs.
        example: Inputs that a tracer can follow.
        shapes: Of each input; -1 where any size may come.
    """
    import openvino

    return openvino.convert_model(traced(module, example), example_input=example, input=list(shapes))
