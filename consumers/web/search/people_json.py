"""People as JSON, kept: the same person is found again and again, and what is said of them hardly changes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from consumers.indexer.people import PeopleReader
from consumers.web.search.person_json import person_json
from consumers.web.shaping import Questions

MOST_KEPT = 20_000  # of some 2 kB each
KEPT_S = 10.0  # a chain may grow backwards in the first seconds


class PeopleJson:
    """JSON of people by key; may be shared by threads.

    Who is shown is for the index to say: it forgets the erased at once, so nobody asks for them here.
    """

    def __init__(
        self,
        people: PeopleReader,
        questions: Callable[[], Questions],
        *,
        most_kept: int = MOST_KEPT,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read `people`, and say what they were asked by `questions`."""
        self._people, self._questions, self._clock = people, questions, clock
        self._most_kept, self._kept_s = most_kept, kept_s
        self._kept: OrderedDict[int, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, keys: Sequence[int]) -> dict[int, bytes]:
        """The JSON of a `PersonShape` by key; keys of nobody are left out.

        Raises:
            PeopleTableError: The table cannot be read.
        """
        since = self._clock() - self._kept_s
        with self._lock:
            said = {key: kept[1] for key in keys if (kept := self._kept.get(key)) is not None and kept[0] > since}
        missing = [key for key in keys if key not in said]
        if missing:
            questions = self._questions()
            read = {key: person_json(person, questions) for key, person in self._people.by_key(missing).items()}
            said.update(read)
            self._keep(read)
        return said

    def _keep(self, read: dict[int, bytes]) -> None:
        now = self._clock()
        with self._lock:
            for key, content in read.items():
                self._kept[key] = (now, content)
                self._kept.move_to_end(key)
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
