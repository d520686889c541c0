"""Arrays that grow at their end while others read them. Pure."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

FIRST_CAPACITY = 16
GROWTH = 1.5
# Memory of its own, given back whole: of what malloc gets for arrays that grow side by side, a third stays unused.
MAPPED_FROM_BYTES = 2**18


class Growing:
    """Rows of one kind, added by one thread and read by any number, none of whom waits.

    A reader keeps the array that it has seen; one that grew meanwhile is another array with the same beginning.
    """

    def __init__(self, kind: npt.DTypeLike, *, width: int | None = None, missing: float = 0) -> None:
        """Nothing yet; `width` numbers a row, or one; rows that were skipped read as `missing`."""
        self._shape: tuple[int, ...] = () if width is None else (width,)
        self._missing = missing
        self._array: npt.NDArray[Any] = np.empty((0, *self._shape), dtype=kind)
        self.count = 0

    @property
    def rows(self) -> npt.NDArray[Any]:
        """Everything there is, shape (count,) or (count, width): a view, not to be written to."""
        count = self.count  # before the array: a later array holds at least as much
        return self._array[:count]

    def extend(self, values: npt.ArrayLike) -> None:
        """Add rows at the end."""
        added = np.asarray(values, dtype=self._array.dtype)
        until = self.count + len(added)
        self._reserve(until)
        self._array[self.count : until] = added
        self.count = until

    def put(self, rows: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Add rows at places at or after the end, in increasing order; what lies between reads as missing."""
        places = np.asarray(rows, dtype=np.int64)
        until = int(places[-1]) + 1
        self._reserve(until)
        self._array[self.count : until] = self._missing
        self._array[places] = values
        self.count = until

    def overwrite(self, rows: npt.NDArray[np.int64], value: float) -> None:
        """Let rows that are there read as `value`."""
        self._array[rows] = value

    def fit(self) -> None:
        """Let go of what is held in reserve."""
        if len(self._array) > self.count:
            fitting = self._made(self.count)
            fitting[:] = self._array[: self.count]
            self._array = fitting

    def _reserve(self, count: int) -> None:
        if count <= len(self._array):
            return
        ahead = max(FIRST_CAPACITY, int(len(self._array) * GROWTH), count)
        larger = self._made(ahead)
        larger[: self.count] = self._array[: self.count]
        self._array = larger

    def _made(self, count: int) -> npt.NDArray[Any]:
        size_bytes = count * int(np.prod(self._shape, dtype=np.int64)) * self._array.dtype.itemsize
        if size_bytes < MAPPED_FROM_BYTES:
            return np.empty((count, *self._shape), dtype=self._array.dtype)
        return np.frombuffer(mmap.mmap(-1, size_bytes), dtype=self._array.dtype).reshape(count, *self._shape)
