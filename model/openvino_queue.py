"""How OpenVINO runs a network on a CPU here: as many requests side by side as the processors can take.

Each request holds one picture, so that nobody's result depends on the pictures beside it.
"""

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import openvino

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
