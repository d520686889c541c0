"""What a filter can ask of the people of one shard, in columns beside their vectors. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.indexer.growing import Growing
from consumers.search.vector_index import IndexedPerson
from consumers.search.words import words_of

Rows = npt.NDArray[Any]  # of whole numbers
Mask = npt.NDArray[np.bool_]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NOT_ASKED, CERTAIN = 0, 65535
NOBODY = -1  # the key of a row whose person was taken out


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC))
    2000000
    """
    return (instant - EPOCH) // MICROSECOND


def certainty_codes(probabilities: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Probabilities in [0, 1] as whole numbers in 1..65535, in the same order; zero is left for *not asked*.

    Whole numbers of two bytes are compared ten times as fast as float16, and are finer.

    >>> certainty_codes([0, 0.5, 1])
    array([    1, 32768, 65535], dtype=uint16)
    """
    return (np.clip(np.asarray(probabilities, dtype=np.float64), 0, 1) * (CERTAIN - 1) + 1.5).astype(np.uint16)


class Codes:
    """Names and the small numbers that stand for them; shared by all shards of an index."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """Number these names in order."""
        self.names = list(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def number(self, name: str) -> int:
        """The number of a name, given now if it has none."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def known(self, name: str) -> int | None:
        """The number of a name that has one."""
        return self._numbers.get(name)


class Columns:
    """Key, camera, time, detection score, answers and caption words by row.

    A row costs 22 bytes, two for each answer's probability and four for each word of the caption. Questions
    and words may turn up at any time: earlier rows then lack them.
    """

    def __init__(self, cameras: Codes) -> None:
        """Of nobody."""
        self.cameras = cameras
        self.key = Growing(np.int64)
        self.camera = Growing(np.int32)
        self.first_seen_us = Growing(np.int64)
        self.detection_score = Growing(np.uint16)
        self.answers: dict[tuple[str, str], Growing] = {}  # (question_id, answer) -> certainty code
        self.postings: dict[str, Growing] = {}  # word -> rows, increasing
        self.cameras_here: set[int] = set()

    def extend(self, people: Sequence[IndexedPerson]) -> None:
        """Add people at the end, in order."""
        first = self.key.count
        answers: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        postings: dict[str, list[int]] = {}
        for row, person in enumerate(people, first):
            for question, given in person.answers.items():
                for answer, probability in given.items():
                    rows, probabilities = answers.setdefault((question, answer), ([], []))
                    rows.append(row)
                    probabilities.append(probability)
            for word in words_of(person.caption):
                postings.setdefault(word, []).append(row)
        for name, (rows, probabilities) in answers.items():
            self.answers.setdefault(name, Growing(np.uint16)).put(rows, certainty_codes(probabilities))
        for word, holding in postings.items():
            self.postings.setdefault(word, Growing(np.int32)).extend(holding)
        cameras = [self.cameras.number(person.camera_id) for person in people]
        self.camera.extend(cameras)
        self.first_seen_us.extend([microseconds(person.first_seen_at) for person in people])
        self.detection_score.extend(certainty_codes([person.detection_score for person in people]))
        self.key.extend([person.key for person in people])
        self.cameras_here.update(cameras)

    def fit(self) -> None:
        """Let go of what is held in reserve."""
        for column in (self.key, self.camera, self.first_seen_us, self.detection_score):
            column.fit()
        for column in [*self.answers.values(), *self.postings.values()]:
            column.fit()

    def posting(self, word: str) -> Rows:
        """The rows whose captions hold a word, increasing, shape (n,), int32."""
        found = self.postings.get(word)
        return found.rows if found is not None else np.empty(0, dtype=np.int32)

    def forget(self, rows: Rows) -> None:
        """Overwrite rows: nothing of these people stays but that there was somebody."""
        self.key.overwrite(rows, NOBODY)
        self.camera.overwrite(rows, NOBODY)
        self.first_seen_us.overwrite(rows, 0)
        self.detection_score.overwrite(rows, 0)
        for column in self.answers.values():
            column.overwrite(rows[rows < column.count], NOT_ASKED)
        for word, posting in list(self.postings.items()):
            kept = posting.rows[~np.isin(posting.rows, rows)]
            if not len(kept):
                del self.postings[word]
            elif len(kept) < posting.count:
                self.postings[word] = Growing(np.int32)
                self.postings[word].extend(kept)
