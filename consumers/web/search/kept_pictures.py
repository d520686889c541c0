"""Pictures that somebody searches with, kept for a while so that the address of such a search can be sent on.

In memory only and bounded: a picture of somebody who may never have been seen here does not belong on a disk.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_BYTES = 64 << 20
KEPT_S = 3600.0


class KeptPictures:
    """Pictures by the digest of their bytes; may be shared by threads."""

    def __init__(
        self, *, most_bytes: int = MOST_BYTES, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep `most_bytes` altogether, each picture for `kept_s` seconds after it was last used."""
        self._most_bytes, self._kept_s, self._clock = most_bytes, kept_s, clock
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def keep(self, picture: bytes) -> str:
        """The picture's name in an address."""
        name = hashlib.sha256(picture).hexdigest()[:32]
        with self._lock:
            self._pictures[name] = (self._clock(), picture)
            self._pictures.move_to_end(name)
            self._forget()
        return name

    def get(self, name: str) -> bytes | None:
        """The picture of that name; None: it is kept no longer."""
        with self._lock:
            self._forget()
            kept = self._pictures.get(name)
            if kept is None:
                return None
            self._pictures[name] = (self._clock(), kept[1])
            self._pictures.move_to_end(name)
            return kept[1]

    def _forget(self) -> None:
        """Drop what is old and, the longest unused first, what is too much; the last one stays."""
        now, size = self._clock(), sum(len(picture) for _, picture in self._pictures.values())
        for name, (used_at, picture) in list(self._pictures.items()):
            is_too_much = size > self._most_bytes and len(self._pictures) > 1
            if now - used_at <= self._kept_s and not is_too_much:
                return
            del self._pictures[name]
            size -= len(picture)
