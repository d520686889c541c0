"""What the processes of an installation export, asked for all at once and kept for a few seconds for every page."""

import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from operations.seeing.scraping import Scraped, scraped, targets

KEPT_S = 3.0
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Look:
    """Every process at one moment, and a moment before that rates are taken from."""

    processes: Sequence[Scraped]
    before: Sequence[Scraped]
    elapsed_s: float  # between both; 0 at the first look


class Processes:
    """The processes that are noted in a state folder, and others that are named. Safe to share between threads."""

    def __init__(self, state_folder: Path, named: Sequence[str] = ()) -> None:
        """Ask those of `state_folder` and those `named`, each as `JOB=HOST:PORT`."""
        self._folder, self._named, self._lock = state_folder, tuple(named), threading.Lock()
        self._look, self._looked_at_s = Look((), (), 0.0), float("-inf")

    def look(self) -> Look:
        """How they are now, or were a few seconds ago."""
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._looked_at_s > KEPT_S:
                found = self._ask()
                elapsed_s = now_s - self._looked_at_s if self._look.processes else 0.0
                self._look, self._looked_at_s = Look(found, self._look.processes, elapsed_s), now_s
            return self._look

    def _ask(self) -> list[Scraped]:
        try:
            noted = targets(self._folder, ())
        except (OSError, ValueError, KeyError):
            noted = []  # a note that is being written, or that somebody else wrote
        elsewhere = targets(self._folder, self._named) if self._named else []
        named = [*noted, *((job, each) for job, address in elsewhere for each in each_address(address))]
        with ThreadPoolExecutor(min(AT_ONCE, len(named) or 1)) as pool:
            return sorted(pool.map(lambda each: scraped(*each), named), key=lambda each: (each.job, each.address))


def each_address(address: str) -> list[str]:
    """The address of every replica behind a name; a name that nobody knows stays, so that it is told as silent.

    >>> each_address("127.0.0.1:9100")
    ['127.0.0.1:9100']
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, ValueError):
        return [address]
    addresses = sorted({f"{each}:{port}" for *_, (each, *_) in found if isinstance(each, str)})
    return addresses if len(addresses) > 1 else [address]
