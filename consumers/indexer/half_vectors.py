"""Vectors kept as float16, scored in float32: half the memory, and a cosine within 0.001 of the exact one."""

import numpy as np
import numpy.typing as npt

from consumers.indexer.columns import Rows
from consumers.indexer.growing import Growing

Halves = npt.NDArray[np.float16]
Scores = npt.NDArray[np.float32]
PIECE = 16_384  # rows scored at once: a few megabytes, which stay in the processor's cache


def dots(halves: Halves, vector: npt.NDArray[np.float32]) -> Scores:
    """The dot product of each row (n, d) with a vector (d,), shape (n,)."""
    import torch  # here: whoever only adds or erases need not wait for it

    scores = np.empty(len(halves), dtype=np.float32)
    asked = torch.from_numpy(np.require(vector, np.float32, ["C", "W"]))
    for start in range(0, len(halves), PIECE):
        piece = np.require(halves[start : start + PIECE], requirements=["C", "W"])
        # torch widens float16 with the processor's own instruction, nine times as fast as numpy does, and multiplies in
        # as many threads as the indexer allows it; numpy's would take all processors and wait for them.
        wide = torch.from_numpy(piece).float()
        scores[start : start + PIECE] = torch.mv(wide, asked).numpy()
    return scores


class HalfVectors:
    """Rows of a shard: the first may rest on a file that is mapped into memory, the others are in memory.

    One thread writes, any number reads.
    """

    def __init__(self, width: int, resting: Halves | None = None) -> None:
        """Begin with rows that lie elsewhere, or with none."""
        self.width = width
        none = np.empty((0, width), dtype=np.float16)
        self._parts = (none if resting is None else resting, Growing(np.float16, width=width))  # replaced as one

    @property
    def in_memory_bytes(self) -> int:
        """What the rows in memory take."""
        return self._parts[1].count * self.width * 2

    def extend(self, vectors: npt.NDArray[np.floating]) -> None:
        """Add rows (n, d) at the end."""
        self._parts[1].extend(vectors.astype(np.float16))

    def fit(self) -> None:
        """Let go of what is held in reserve."""
        self._parts[1].fit()

    def take(self, rows: Rows) -> Halves:
        """Some rows, increasing, (n, d)."""
        resting, fresh = self._parts
        split = int(np.searchsorted(rows, len(resting))) if len(resting) else 0
        if split == 0:
            return fresh.rows.take(rows - len(resting), axis=0)
        if split == len(rows):
            return np.asarray(resting.take(rows, axis=0))
        beyond = fresh.rows.take(rows[split:] - len(resting), axis=0)
        return np.concatenate([resting.take(rows[:split], axis=0), beyond])

    def between(self, first: int, until: int) -> Halves:
        """Rows from `first` up to and without `until`, (n, d)."""
        return self.take(np.arange(first, until))

    def overwrite(self, rows: Rows) -> None:
        """Let rows be zero, in a mapped file too."""
        resting, fresh = self._parts
        resting[rows[rows < len(resting)]] = 0
        fresh.overwrite(rows[rows >= len(resting)] - len(resting), 0)

    def rest_on(self, resting: Halves) -> None:
        """Let go of the memory of the rows that `resting` holds, which are the first."""
        before, fresh = self._parts
        beyond = Growing(np.float16, width=self.width)
        beyond.extend(fresh.rows[len(resting) - len(before) :])
        self._parts = (resting, beyond)
