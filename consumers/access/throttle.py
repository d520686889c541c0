"""Slows down whoever guesses passwords."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_TRIES = 5  # of one name from one address
FREE_TRIES_WIDE = 20  # of one name from anywhere, and of any name from one address
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0  # doubled with every failure more
FORGOTTEN_AFTER_S = 1800.0
MOST_KEYS = 10_000  # a flood of invented names pushes out the oldest, not the memory


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_at: float = 0.0
    before_at: float = 0.0  # of the one before the last


class Throttle:
    """Counts failed sign-ins by name, by address and by both; may be shared by threads.

    Args of every method: the name that was typed and the address it came from.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Go by `clock`, monotonic seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """How long this try has to wait; 0: not at all, and then it counts as a failure until it has `succeeded`.

        It counts before anybody looks at the password, which takes a while: of many tries at once, each would find the
        count of before.
        """
        now = self._clock()
        with self._lock:
            wait_s = max(self._wait(key, free, now) for key, free in _keys(name, address))
            if wait_s == 0:
                for key, _ in _keys(name, address):
                    self._count(key, now)
                while len(self._failures) > MOST_KEYS:
                    self._failures.popitem(last=False)
        return wait_s

    def succeeded(self, name: str, address: str) -> None:
        """Forgive that name at that address; not the address as a whole, or one account would open all to guessing."""
        with self._lock:
            self._failures.pop((name, address), None)
            for key, _ in _keys(name, address):
                self._take_back(key)

    def _count(self, key: tuple[str, str], now: float) -> None:
        failures = self._failures.pop(key, None)
        if failures is None or now - failures.last_at > FORGOTTEN_AFTER_S:
            failures = _Failures()
        failures.count, failures.before_at, failures.last_at = failures.count + 1, failures.last_at, now
        self._failures[key] = failures

    def _take_back(self, key: tuple[str, str]) -> None:
        failures = self._failures.get(key)
        if failures is not None:
            failures.count, failures.last_at = failures.count - 1, failures.before_at

    def _wait(self, key: tuple[str, str], free: int, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < free or now - failures.last_at > FORGOTTEN_AFTER_S:
            return 0.0
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures.count - free, 16))
        return max(0.0, failures.last_at + wait_s - now)


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return ((name, address), FREE_TRIES), ((name, ""), FREE_TRIES_WIDE), (("", address), FREE_TRIES_WIDE)
