"""Who has played what: one line of the audit log, though a browser asks for a clip in a dozen ranges."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from consumers.access.access import Access
from consumers.access.identity import Identity

SAME_PLAY_S = 600.0
MOST_REMEMBERED = 10_000


class Plays:
    """Notes a play once for each person, clip and ten minutes; may be shared by threads."""

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        """Write into the log of `access`."""
        self._access, self._clock = access, clock
        self._lock = threading.Lock()
        self._noting = threading.Lock()  # a lock of its own: who plays on does not wait for the log
        self._noted_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, who: Identity, path: str) -> None:
        """Somebody is about to be given a clip, or part of one.

        Raises:
            DeskError: the log cannot be written; then nothing may be played.
        """
        key = (who.name, path)
        if self._is_noted(key):
            return
        with self._noting:
            if self._is_noted(key):
                return  # by another range of the same play
            self._access.log(who.name, "play", path)
            self._remember(key)  # only now: a line that could not be written is owed by the next range too

    def _is_noted(self, key: tuple[str, str]) -> bool:
        with self._lock:
            noted_at = self._noted_at.get(key)
        return noted_at is not None and self._clock() - noted_at < SAME_PLAY_S

    def _remember(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._noted_at[key] = self._clock()
            self._noted_at.move_to_end(key)
            while len(self._noted_at) > MOST_REMEMBERED:
                self._noted_at.popitem(last=False)
