"""The vector index on a Milvus server, or in a file of milvus-lite: what one machine's memory does not hold."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np

from consumers.errors import MilvusMissingError, VectorIndexError
from consumers.indexer.columns import certainty_codes, microseconds
from consumers.indexer.key_map import Keys
from consumers.indexer.milvus_filter import LONGEST_WORD, answer_name, expression
from consumers.search.filters import EVERYONE, PeopleFilter
from consumers.search.vector_index import IndexedPerson, Neighbour, Vectors
from consumers.search.words import words_of

PREFIX = "crewsight_people_"
AT_ONCE = 1000  # rows a request
MOST_ROWS = 16_384  # that Milvus gives a query
MOST_WORDS = 1024
FIRST_WINDOW = 4096  # keys

Found = TypeVar("Found")


class MilvusIndex:
    """A `VectorIndex` with one collection an embedding space; may be shared by threads, one of which adds.

    What was added is found at once (consistency *strong*). Days are a field, and dropping them a deletion: Milvus gives
    the room back when it compacts.

    Raises (every method): `VectorIndexError` with what Milvus said.
    """

    def __init__(self, url: str, *, token: str = "") -> None:
        """Use the server at `http://…`, or the milvus-lite file at a path that ends in `.db`.

        Raises:
            MilvusMissingError: pymilvus is not installed.
        """
        try:
            import pymilvus
        except ImportError as error:
            raise MilvusMissingError from error
        self._milvus, self._url = pymilvus, url
        self._client = self._asked(lambda: pymilvus.MilvusClient(url, token=token))
        self._creating = threading.Lock()
        self._names: dict[str, str] = {}  # embedding space -> collection
        self._greatest: dict[str, int] = {}  # collection -> a key that none exceeds
        for collection in self._asked(self._client.list_collections):
            if collection.startswith(PREFIX):
                self._asked(partial(self._client.load_collection, collection))
                found = self._query(collection, "", ["embedding_space"], 1)
                if found:
                    self._names[found[0]["embedding_space"]] = collection
                    self._greatest[collection] = self._bound(collection)

    def __len__(self) -> int:
        return sum(self.spaces().values())

    def spaces(self) -> Mapping[str, int]:
        """Every embedding space with how many vectors it has."""
        counts = {space: self._count(collection) for space, collection in list(self._names.items())}
        return {space: count for space, count in counts.items() if count}

    def keys(self, embedding_space: str) -> Keys:
        """The keys of everyone whom that space has, in order."""
        collection = self._names.get(embedding_space)
        if collection is None:
            return np.empty(0, dtype=np.int64)
        found = [np.empty(0, dtype=np.int64), *self._descending(collection, EVERYONE, None)]
        return np.concatenate(found)[::-1]

    def add(self, embedding_space: str, people: Sequence[IndexedPerson], vectors: Vectors) -> int:
        """Take the people (n) whose keys that space lacks, with their unit vectors (n, d); returns how many."""
        if not people:
            return 0
        if vectors.ndim != 2:
            raise VectorIndexError(f"expected vectors of shape ({len(people)}, d), got {vectors.shape}")
        collection = self._collection(embedding_space, vectors.shape[1])
        self._check_width(collection, vectors.shape[1], f"expected vectors of shape ({len(people)}, {{}})", vectors)
        there = {row["key"] for row in self._of_keys(collection, [person.key for person in people], ["key"])}
        new = {person.key: at for at, person in reversed([*enumerate(people)]) if person.key not in there}
        rows = [_row(embedding_space, people[at], vectors[at]) for at in new.values()]
        if rows:
            self._greatest[collection] = max(self._greatest.get(collection, 0), *new)
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            self._asked(partial(self._client.upsert, collection, some))
        return len(rows)

    def search(self, embedding_space: str, vector: Vectors, k: int, wanted: PeopleFilter = EVERYONE) -> list[Neighbour]:
        """The `k` nearest to a unit vector (d,) of that space among whoever is wanted, nearest first."""
        collection = self._names.get(embedding_space)
        if collection is None or k < 1:
            return []
        self._check_width(collection, len(vector), "expected a vector of shape ({},)", vector)
        (hits,) = self._asked(
            lambda: self._client.search(
                collection,
                data=[vector.astype(np.float32).tolist()],
                limit=min(k, MOST_ROWS),
                filter=expression(wanted),
                search_params={"metric_type": "IP"},
                output_fields=["key"],
            )
        )
        found = [Neighbour(int(hit["key"]), float(hit["distance"])) for hit in hits]
        return sorted(found, key=lambda near: (-near.similarity, near.key))

    def newest(self, k: int, wanted: PeopleFilter = EVERYONE, *, before_key: int | None = None) -> list[int]:
        """The `k` greatest keys below `before_key` of whoever is wanted, greatest first: by attributes alone."""
        found: set[int] = set()
        for collection in list(self._names.values()):
            theirs: list[int] = []
            for keys in self._descending(collection, wanted, before_key):
                theirs.extend(keys.tolist())
                if len(theirs) >= k:
                    break
            found.update(theirs[:k])
        return sorted(found, reverse=True)[:k]

    def wanted_of(self, keys: Sequence[int], wanted: PeopleFilter) -> list[int]:
        """Those of the keys that are wanted, in their order."""
        holding: set[int] = set()
        for collection in list(self._names.values()):
            holding.update(row["key"] for row in self._of_keys(collection, keys, ["key"], expression(wanted)))
        return [key for key in keys if key in holding]

    def vectors_of(self, embedding_space: str, keys: Sequence[int]) -> dict[int, Vectors]:
        """The vector (d,) of each key that the space has."""
        collection = self._names.get(embedding_space)
        if collection is None:
            return {}
        rows = self._of_keys(collection, keys, ["key", "vector"])
        return {row["key"]: np.asarray(row["vector"], dtype=np.float32) for row in rows}

    def remove(self, keys: Sequence[int]) -> int:
        """Take people out of every space for good; returns how many were there."""
        gone: set[int] = set()
        for collection in list(self._names.values()):
            there = [row["key"] for row in self._of_keys(collection, keys, ["key"])]
            self._delete(collection, there)
            gone.update(there)
        return len(gone)

    def drop_before(self, instant: datetime) -> int:
        """Let go of every whole day that ended before an instant; returns how many people went."""
        gone: set[int] = set()
        midnight = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for collection in list(self._names.values()):
            for keys in self._descending(collection, PeopleFilter(until=midnight), None):
                self._delete(collection, keys.tolist())
                gone.update(keys.tolist())
        return len(gone)

    def tend(self) -> bool:
        """Nothing to do: Milvus builds its indexes itself."""
        return False

    def save(self) -> None:
        """Make everything durable that was added so far."""
        for collection in list(self._names.values()):
            self._asked(partial(self._client.flush, collection))

    def close(self) -> None:
        """Let go of the connection."""
        self._asked(self._client.close)

    def _collection(self, embedding_space: str, width: int) -> str:
        with self._creating:
            if embedding_space not in self._names:
                name = PREFIX + hashlib.sha256(embedding_space.encode()).hexdigest()[:32]
                if name not in self._asked(self._client.list_collections):
                    self._asked(lambda: self._create(name, width))
                self._names[embedding_space] = name
            return self._names[embedding_space]

    def _create(self, name: str, width: int) -> None:
        kind = self._milvus.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", kind.INT64, is_primary=True)
        schema.add_field("vector", kind.FLOAT_VECTOR, dim=width)
        schema.add_field("embedding_space", kind.VARCHAR, max_length=1000)
        schema.add_field("camera_id", kind.VARCHAR, max_length=1000)
        schema.add_field("partition_number", kind.INT64)
        schema.add_field("first_seen_us", kind.INT64)
        schema.add_field("detection_score", kind.INT64)
        schema.add_field("answers", kind.JSON)
        schema.add_field(
            "words", kind.ARRAY, element_type=kind.VARCHAR, max_capacity=MOST_WORDS, max_length=4 * LONGEST_WORD
        )
        indexes = self._client.prepare_index_params()
        indexes.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
        self._client.create_collection(name, schema=schema, index_params=indexes, consistency_level="Strong")

    def _check_width(self, collection: str, width: int, expected: str, got: Vectors) -> None:
        fields = self._asked(lambda: self._client.describe_collection(collection))["fields"]
        known = next(field["params"]["dim"] for field in fields if field["name"] == "vector")
        if int(known) != width:
            raise VectorIndexError(f"{expected.format(known)}, got {got.shape}")

    def _descending(self, collection: str, wanted: PeopleFilter, before_key: int | None) -> Iterator[Keys]:
        """The keys of whoever is wanted, greatest first, a window of keys at a time: Milvus orders nothing itself."""
        until = min(self._greatest.get(collection, 0) + 1, before_key if before_key is not None else 2**62)
        window = FIRST_WINDOW
        while until > 0:
            since = max(until - window, 0)
            span = expression(wanted, f"key >= {since}", f"key < {until}")
            rows = self._query(collection, span, ["key"], MOST_ROWS)
            if len(rows) == MOST_ROWS and window > MOST_ROWS:
                window //= 4  # there may be more
                continue
            if rows:
                yield np.sort(np.asarray([row["key"] for row in rows], dtype=np.int64))[::-1]
            until = since
            if len(rows) < AT_ONCE:
                window *= 4

    def _bound(self, collection: str) -> int:
        """A key that none in a collection exceeds, and that is not twice the greatest."""
        bound = 1024
        while self._query(collection, f"key > {bound}", ["key"], 1):
            bound *= 2
        return bound

    def _count(self, collection: str) -> int:
        (row,) = self._asked(lambda: self._client.query(collection, filter="", output_fields=["count(*)"]))
        return int(row["count(*)"])

    def _of_keys(
        self, collection: str, keys: Sequence[int], fields: list[str], holds: str = ""
    ) -> Iterator[dict[str, Any]]:
        for start in range(0, len(keys), AT_ONCE):
            some = f"key in {[int(key) for key in keys[start : start + AT_ONCE]]}"
            yield from self._query(collection, f"{some} and {holds}" if holds else some, fields, MOST_ROWS)

    def _query(self, collection: str, holds: str, fields: list[str], limit: int) -> list[dict[str, Any]]:
        asked = self._asked(lambda: self._client.query(collection, filter=holds, output_fields=fields, limit=limit))
        return list(asked)

    def _delete(self, collection: str, keys: Sequence[int]) -> None:
        for start in range(0, len(keys), AT_ONCE):
            some = list(keys[start : start + AT_ONCE])
            self._asked(partial(self._client.delete, collection, ids=some))

    def _asked(self, ask: Callable[[], Found]) -> Found:
        try:
            return ask()
        except self._milvus.MilvusException as error:
            raise VectorIndexError(f"Milvus at {self._url}: {error.message}") from error


def _row(embedding_space: str, person: IndexedPerson, vector: Vectors) -> dict[str, Any]:
    return {
        "key": person.key,
        "vector": vector.astype(np.float32).tolist(),
        "embedding_space": embedding_space,
        "camera_id": person.camera_id,
        "partition_number": person.partition,
        "first_seen_us": microseconds(person.first_seen_at),
        "detection_score": int(certainty_codes(person.detection_score)),
        "answers": {
            answer_name(question, answer): int(certainty_codes(probability))
            for question, given in person.answers.items()
            for answer, probability in given.items()
        },
        "words": sorted({word[:LONGEST_WORD] for word in words_of(person.caption)})[:MOST_WORDS],
    }
