"""FAISS on a CUDA device, where `faiss-gpu` is installed and there is one.

Used for k-means, which is nearly all of the time that an inverted file takes to be made. Searches stay on the CPU: a
GPU's inverted file knows no filters and no removals, and one search on the CPU takes a millisecond.
"""

from functools import cache
from typing import Any


def on_gpu(faiss: Any, index: Any) -> Any | None:
    """The index, moved to the first CUDA device; None where there is none. Belongs to one thread."""
    resources = _resources(faiss)
    return None if resources is None else faiss.index_cpu_to_gpu(resources, 0, index)


@cache
def _resources(faiss: Any) -> Any | None:
    """The device's memory for FAISS, taken once; it has to outlive every index that is there."""
    if not hasattr(faiss, "StandardGpuResources") or faiss.get_num_gpus() == 0:
        return None
    return faiss.StandardGpuResources()
