"""Where each key of the person table lies in the index. Pure."""

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.int64]
PAGE_BITS = 12  # 4096 keys a page: keys are given in order, so pages are full but for the first and the last
ABSENT = -1


class KeyMap:
    """Key -> place, eight bytes a key: a dictionary of Python's would take a hundred.

    One thread writes, any number reads.
    """

    def __init__(self) -> None:
        """Of nobody."""
        self._pages: dict[int, Keys] = {}
        self.count = 0

    def get(self, keys: Keys) -> Keys:
        """The place of each key, `ABSENT` where it has none, shape (n,)."""
        places = np.full(len(keys), ABSENT, dtype=np.int64)
        for number, chosen in _by_page(keys):
            page = self._pages.get(number)
            if page is not None:
                places[chosen] = page[keys[chosen] & ((1 << PAGE_BITS) - 1)]
        return places

    def put(self, keys: Keys, places: Keys) -> None:
        """Place keys that have no place yet."""
        for number, chosen in _by_page(keys):
            page = self._pages.setdefault(number, np.full(1 << PAGE_BITS, ABSENT, dtype=np.int64))
            page[keys[chosen] & ((1 << PAGE_BITS) - 1)] = places[chosen]
        self.count += len(keys)

    def forget(self, keys: Keys) -> None:
        """Let keys that have a place have none."""
        for number, chosen in _by_page(keys):
            page = self._pages[number]
            page[keys[chosen] & ((1 << PAGE_BITS) - 1)] = ABSENT
            if (page == ABSENT).all():
                del self._pages[number]
        self.count -= len(keys)

    def keys(self) -> Keys:
        """Every key that has a place, in order."""
        found = [np.flatnonzero(page != ABSENT) + (number << PAGE_BITS) for number, page in sorted(self._pages.items())]
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def _by_page(keys: Keys) -> list[tuple[int, Keys]]:
    """Page numbers, and for each the positions in `keys` that it holds."""
    if not len(keys):
        return []
    pages = keys >> PAGE_BITS
    if pages[0] == pages[-1] and (pages == pages[0]).all():
        return [(int(pages[0]), np.arange(len(keys)))]
    order = np.argsort(pages, kind="stable")
    numbers, starts = np.unique(pages[order], return_index=True)
    return [(int(number), chosen) for number, chosen in zip(numbers, np.split(order, starts[1:]), strict=True)]
