"""Who has a word, in memory: a Roaring bitmap of keys (https://roaringbitmap.org) for each word that was asked for.

A word is read from the database when it is first asked for, some 20 to 200 ms among a million people; whoever came
since is added when somebody asks. Ten words that half of a million people have take 1.3 MB.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from cachetools import LRUCache
from pyroaring import BitMap

WORDS_KEPT = 2048  # those asked for last
MOST_ADDED = 20_000  # of more people who came since, words are read again instead

ReadWith = Callable[[str, int], Iterable[int]]
ReadSince = Callable[[int, int], Mapping[int, frozenset[str]]]


class Postings:
    """Keys of people by word; may be shared by threads. Keys are below 2**32."""

    def __init__(self, read_with: ReadWith, read_since: ReadSince) -> None:
        """Read with these.

        Args:
            read_with: Of a word, the keys up to one of those who have it.
            read_since: The words of those behind one key, up to another.
        """
        self._read_with, self._read_since = read_with, read_since
        self._known: LRUCache[str, BitMap] = LRUCache(WORDS_KEPT)
        self._through = 0
        self._lock = threading.Lock()

    def of(self, stems: Sequence[str], through_key: int) -> list[BitMap]:
        """The keys of those who have each of the words, complete up to `through_key`; some may lie beyond it."""
        with self._lock:
            self._extend(through_key)
            return [self._of(stem) for stem in stems]

    def forget(self, *, from_key: int = 0) -> None:
        """Let everything go that was read of people from a key on: their words are others now, or they are gone."""
        with self._lock:
            if from_key <= self._through:
                self._known.clear()

    def _extend(self, through_key: int) -> None:
        if through_key <= self._through:
            return
        if through_key - self._through > MOST_ADDED:
            self._known.clear()
        if self._known:
            for key, stems in self._read_since(self._through, through_key).items():
                for stem in stems & self._known.keys():
                    self._known[stem].add(key)
        self._through = through_key

    def _of(self, stem: str) -> BitMap:
        if (found := self._known.get(stem)) is None:
            found = self._known[stem] = BitMap(self._read_with(stem, self._through))
            found.run_optimize()
        return found
