"""What can be told of the machine when somebody asks: room on disks, memory of GPUs."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

LEAST_FREE_SHARE, LEAST_FREE_BYTES = 0.05, 2_000_000_000


def is_short_of_room(free_bytes: float, size_bytes: float) -> bool:
    """Whether somebody should make room on a disk of that size.

    >>> is_short_of_room(30e9, 500e9), is_short_of_room(20e9, 500e9), is_short_of_room(1e9, 10e9)
    (False, True, True)
    """
    share = free_bytes / size_bytes if size_bytes else 0.0
    return share < LEAST_FREE_SHARE or free_bytes < LEAST_FREE_BYTES


class Machine(Collector):
    """Free and whole bytes of the disks that hold some folders; memory that this process took on CUDA devices."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """Tell of `folders`, each under its name."""
        self._folders = dict(folders)

    def describe(self) -> Iterable[Metric]:
        """The names, without looking."""
        return [*_disks({}), _gpus()]

    def collect(self) -> Iterable[Metric]:
        """The values now."""
        return [*_disks(self._folders), _gpus(is_look=True)]


def _disks(folders: Mapping[str, Path]) -> list[Metric]:
    free = GaugeMetricFamily("crewsight_disk_free_bytes", "Room left on the disk of a folder.", labels=["folder"])
    size = GaugeMetricFamily("crewsight_disk_size_bytes", "All room on the disk of a folder.", labels=["folder"])
    for name, folder in folders.items():
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            continue  # not there yet, or not any more: then nothing is told
        free.add_metric([name], usage.free)
        size.add_metric([name], usage.total)
    return [free, size]


def _gpus(*, is_look: bool = False) -> Metric:
    told = GaugeMetricFamily(
        "crewsight_gpu_memory_bytes", "Memory that this process holds on a CUDA device.", labels=["device", "kind"]
    )
    torch = sys.modules.get("torch")  # whoever uses a GPU has loaded it; nobody else pays for it
    if is_look and torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        for device in range(torch.cuda.device_count()):
            told.add_metric([str(device), "allocated"], torch.cuda.memory_allocated(device))
            told.add_metric([str(device), "reserved"], torch.cuda.memory_reserved(device))
    return told
