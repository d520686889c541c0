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
        self._noted_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, who: Identity, path: str) -> None:
        """Somebody is about to be given a clip, or part of one.

        Raises:
            DeskError: the log cannot be written; then nothing may be played.
        """
        key, now = (who.name, path), self._clock()
        with self._lock:
            noted_at = self._noted_at.get(key)
            if noted_at is not None and now - noted_at < SAME_PLAY_S:
                return
            self._noted_at[key] = now
            self._noted_at.move_to_end(key)
            while len(self._noted_at) > MOST_REMEMBERED:
                self._noted_at.popitem(last=False)
        self._access.log(who.name, "play", path)
