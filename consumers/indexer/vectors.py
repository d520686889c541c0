"""The vectors of one embedding space, searched by cosine. A view of the person table: keys are its integer keys."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.errors import FaissMissingError, VectorIndexError

Vectors = npt.NDArray[np.float32]


def load_faiss() -> Any:
    """The FAISS module.

    Raises:
        FaissMissingError: It is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise FaissMissingError from error
    return faiss


class VectorShard:
    """Unit vectors by key; may be shared by threads: a lock keeps changes, searches and copies apart."""

    def __init__(self, embedding_space: str, index: Any) -> None:
        """Serve a FAISS index of ids; `empty` and `from_bytes` make one."""
        self.embedding_space = embedding_space
        self._index = index
        self._faiss = load_faiss()
        self._lock = threading.Lock()
        self._keys: set[int] = set(self._faiss.vector_to_array(index.id_map).tolist())

    @classmethod
    def empty(cls, embedding_space: str, width: int) -> "VectorShard":
        """A shard of nothing, for vectors of `width` numbers.

        Raises:
            FaissMissingError: FAISS is not installed.
        """
        faiss = load_faiss()
        return cls(embedding_space, faiss.IndexIDMap2(faiss.IndexFlatIP(width)))

    @classmethod
    def from_bytes(cls, embedding_space: str, content: bytes) -> "VectorShard":
        """The shard that `to_bytes` wrote.

        Raises:
            VectorIndexError: The bytes are no such shard.
        """
        faiss = load_faiss()
        try:
            index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        except RuntimeError as error:
            raise VectorIndexError("the snapshot holds no FAISS index") from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise VectorIndexError(f"the snapshot holds a {type(index).__name__}, expected an IndexIDMap2")
        return cls(embedding_space, index)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: int) -> bool:
        return key in self._keys

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self._index.d)

    def add(self, keys: Sequence[int], vectors: Vectors) -> int:
        """Take the vectors (n, d) whose keys are not there yet; returns how many were taken.

        Raises:
            VectorIndexError: The vectors have another width.
        """
        if len(keys) and vectors.shape != (len(keys), self.width):
            raise VectorIndexError(f"expected vectors of shape {(len(keys), self.width)}, got {vectors.shape}")
        with self._lock:
            new = [row for row, key in enumerate(keys) if key not in self._keys]
            if new:
                chosen = np.asarray([keys[row] for row in new], dtype=np.int64)
                self._index.add_with_ids(np.ascontiguousarray(vectors[new], dtype=np.float32), chosen)
                self._keys.update(chosen.tolist())
        return len(new)

    def search(self, vector: Vectors, k: int, *, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """The `k` nearest keys with their cosines, best first; fewer when there are fewer.

        Args:
            vector: Unit vector (d,).
            k: How many at most.
            among: Only these keys.
        """
        if not len(self) or k < 1 or (among is not None and not len(among)):
            return []
        parameters = None
        if among is not None:
            selector = self._faiss.IDSelectorBatch(np.asarray(among, dtype=np.int64))
            parameters = self._faiss.SearchParameters(sel=selector)
        query = np.ascontiguousarray(vector[None], dtype=np.float32)
        with self._lock:
            scores, keys = self._index.search(query, min(k, len(self._keys)), params=parameters)
        return [(int(key), float(score)) for key, score in zip(keys[0], scores[0], strict=True) if key >= 0]

    def to_bytes(self) -> tuple[bytes, int]:
        """The shard as bytes, and how many keys are in them."""
        with self._lock:
            return self._faiss.serialize_index(self._index).tobytes(), len(self._keys)
