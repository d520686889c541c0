"""FAISS's inverted file over all shards of one space: finds candidates, which others score exactly.

Vectors are kept in it as bytes (SQ8) in lists around centroids. One inverted file serves all shards: a hundred small
ones would cost a hundred calls a query. It numbers its rows itself, densely, so that a filter is a bitmap.
"""

import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.errors import VectorIndexError
from consumers.indexer.columns import Mask, Rows
from consumers.indexer.faiss_library import load_faiss
from consumers.indexer.gpu import on_gpu
from consumers.indexer.growing import Growing
from consumers.indexer.key_map import Keys
from consumers.search.vector_index import Vectors

SAMPLES_PER_LIST = 64  # FAISS wants 39 at least
NPROBE = 24  # of everyone
NPROBE_GROWTH = (
    0.6  # the fewer are wanted, the farther away the nearest of them are, and the more lists are looked into
)
Ids = npt.NDArray[np.int32]


def list_count(people: int) -> int:
    """How many lists so many people are divided into: about twice their root, a power of two in 64..65536.

    >>> [list_count(people) for people in (20_000, 1_000_000)]
    [256, 2048]
    """
    return int(np.clip(2 ** round(math.log2(2 * math.sqrt(max(people, 1)))), 64, 65_536))


class Ivf:
    """An inverted file, and for every row in it which row of which shard it is.

    One thread changes it, any number searches: a change and the searches wait for each other, but never longer than a
    millisecond or two, because rows are assigned to their lists beforehand. Only a removal reads every list.
    """

    def __init__(self, index: Any, places: Keys, ids: Mapping[int, Ids], *, made_for: int) -> None:
        """Serve a trained FAISS index.

        Args:
            made_for: How many people its lists were fitted to.
            index: An `IndexIVFScalarQuantizer` whose ids are 0..n-1, gaps where somebody was taken out.
            places: Of each id, the number of its shard and its row, as `SpaceIndex` writes them, shape (n,).
            ids: Of each shard by number, the ids of its first rows, shape (rows,).
        """
        self._faiss, self._index = load_faiss(), index
        self.made_for = made_for
        self._lock = threading.Lock()
        self._places = Growing(np.int64)
        self._places.extend(places)
        self._ids: dict[int, Growing] = {}
        self._in_a_row: dict[int, int] = {}  # of each shard, the first rows whose ids follow each other
        for number, known in ids.items():
            self._know(number, known)

    @classmethod
    def trained(cls, sample: Vectors, people: int) -> "Ivf":
        """An empty one for about so many people, its lists and codes fitted to some of their vectors (n, d)."""
        faiss = load_faiss()
        width = sample.shape[1]
        quantizer = faiss.IndexFlatIP(width)
        lists = min(list_count(people), max(len(sample) // 39, 1))
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.min_points_per_centroid = 1
        quick = on_gpu(faiss, faiss.IndexFlatIP(width))
        if quick is not None:
            index.clustering_index = quick  # k-means, which is nearly all of the time that fitting takes
        index.train(np.ascontiguousarray(sample))
        index.clustering_index = None
        return cls(index, np.empty(0, dtype=np.int64), {}, made_for=people)

    @classmethod
    def from_bytes(cls, content: bytes, places: Keys, ids: Mapping[int, Ids], *, made_for: int) -> "Ivf":
        """The inverted file that `to_bytes` wrote.

        Raises:
            VectorIndexError: The bytes are none.
        """
        faiss = load_faiss()
        try:
            index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        except RuntimeError as error:
            raise VectorIndexError("a file of the index holds no FAISS index") from error
        return cls(index, places, ids, made_for=made_for)

    def to_bytes(self) -> bytes:
        """The FAISS index as bytes."""
        with self._lock:
            return bytes(self._faiss.serialize_index(self._index).tobytes())

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def places(self) -> Keys:
        """Of each id, its shard's number and its row, shape (n,)."""
        return self._places.rows

    @property
    def ids(self) -> dict[int, Ids]:
        """Of each shard by number, the ids of its first rows."""
        return {number: known.rows for number, known in list(self._ids.items())}

    def row_count(self, shard: int) -> int:
        """How many of a shard's rows are in: its first ones."""
        known = self._ids.get(shard)
        return known.count if known is not None else 0

    def add(self, shard: int, places: Keys, vectors: Vectors, is_there: Mask) -> None:
        """Add the next rows (n) of a shard, those that hold somebody with their vectors (n, d)."""
        first = self._places.count
        ids = np.arange(first, first + len(places), dtype=np.int64)
        added = np.ascontiguousarray(vectors[is_there], dtype=np.float32)
        _, lists = self._index.quantizer.search(added, 1)  # reads only what never changes: no lock
        lists, chosen = np.ascontiguousarray(lists[:, 0]), np.ascontiguousarray(ids[is_there])
        self._places.extend(places)
        pointer = self._faiss.swig_ptr
        with self._lock:
            self._index.add_core(len(added), pointer(added), pointer(chosen), pointer(lists))
        self._know(shard, ids)

    def allowed(self, wanted: Mapping[int, Mask]) -> Mask:
        """Which ids a search may find: those of the rows that are wanted of each shard, shape (n,)."""
        allowed = np.zeros(self._places.count, dtype=np.bool_)
        for shard, mask in wanted.items():
            known = self._ids.get(shard)
            if known is None or not known.count:
                continue
            ids = known.rows[: len(mask)]
            first, in_a_row = int(ids[0]), min(self._in_a_row.get(shard, 0), len(ids))
            allowed[first : first + in_a_row] = mask[:in_a_row]  # nearly all, and fifty times as fast
            allowed[ids[in_a_row:]] = mask[in_a_row : len(ids)]
        return allowed

    def search(self, vector: Vectors, k: int, allowed: Mask | None, *, share: float) -> Keys:
        """The places of about the `k` nearest to a unit vector (d,), in no order; `share` of all people are allowed."""
        share = max(share, 1e-6)
        lists_holding = self._index.nlist * k / max(len(self) * share, 1)  # `k` who are allowed, on average
        nprobe = math.ceil(max(NPROBE * share**-NPROBE_GROWTH, lists_holding))
        parameters = self._faiss.SearchParametersIVF(nprobe=min(nprobe, self._index.nlist))
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = self._faiss.IDSelectorBitmap(bits)
            parameters.sel = selector
        with self._lock:
            _, found = self._index.search(np.ascontiguousarray(vector[None]), k, params=parameters)
        ids = found[0]
        places: Keys = self._places.rows[ids[ids >= 0]]
        return places

    def _know(self, shard: int, ids: npt.NDArray[np.integer]) -> None:
        known = self._ids.setdefault(shard, Growing(np.int32))
        before = known.count
        known.extend(ids)
        if self._in_a_row.get(shard, 0) == before and len(ids):
            expected = int(known.rows[0]) + before + np.arange(len(ids))
            differ = np.flatnonzero(ids != expected)
            self._in_a_row[shard] = before + (int(differ[0]) if len(differ) else len(ids))

    def remove(self, shard: int, rows: Rows | None = None) -> None:
        """Take rows of a shard out, or all of it."""
        known = self._ids.get(shard)
        if known is None:
            return
        ids = known.rows if rows is None else known.rows[rows[rows < known.count]]
        self.remove_ids(ids)
        if rows is None:
            del self._ids[shard]
            self._in_a_row.pop(shard, None)

    def remove_ids(self, ids: Ids) -> None:
        """Take ids out; those that are not in change nothing."""
        if len(ids):
            selector = self._faiss.IDSelectorBatch(ids.astype(np.int64))
            with self._lock:
                self._index.remove_ids(selector)

    def fitted(self) -> "Ivf":
        """The same, without the memory that growing lists hold in reserve."""
        return Ivf.from_bytes(self.to_bytes(), self.places, self.ids, made_for=self.made_for)
