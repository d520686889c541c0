"""Snapshots of the vector index: how a restart is spared reading everything again.

A snapshot is two files, the index and a note {file, offsets, incarnation, key count, embedding space}; each is written
under a temporary name, forced to the disk and renamed, the note last. A snapshot that cannot be read is no snapshot:
the index is a view and is made again from the person table.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from consumers.errors import VectorIndexError
from consumers.indexer.vectors import VectorShard
from streamer.bus.client import TopicPartition

logger = logging.getLogger(__name__)

NOTE = "snapshot.json"


class Snapshot(BaseModel):
    """What a snapshot holds and how far in the topics it has come."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str
    embedding_space: str
    key_count: NonNegativeInt
    incarnation: str | None = None
    offsets: dict[str, dict[int, NonNegativeInt]] = {}

    def offset(self, place: TopicPartition) -> int:
        """Where to go on in a partition: after what the snapshot has seen, at the start of what it has not."""
        return self.offsets.get(place.topic, {}).get(place.partition, 0)


class SnapshotFolder:
    """The folder that holds the last snapshot.

    Raises (from `save`): `VectorIndexError` when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        """Keep snapshots in `folder`."""
        self._folder = folder

    def load(self, embedding_space: str) -> tuple[Snapshot, VectorShard] | None:
        """The last snapshot, if it is there, whole, and of this embedding space."""
        try:
            note = Snapshot.model_validate_json((self._folder / NOTE).read_bytes())
            if note.embedding_space != embedding_space:
                return None
            shard = VectorShard.from_bytes(embedding_space, (self._folder / note.file).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, VectorIndexError) as error:
            logger.warning("a snapshot cannot be read, the index is made anew", extra={"reason": str(error)})
            return None
        if len(shard) != note.key_count:
            return None
        return note, shard

    def save(self, shard: VectorShard, *, incarnation: str | None, offsets: Mapping[TopicPartition, int]) -> Snapshot:
        """Write a snapshot and let the one before go."""
        content, key_count = shard.to_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        by_topic: dict[str, dict[int, int]] = {}
        for place, offset in offsets.items():
            by_topic.setdefault(place.topic, {})[place.partition] = offset
        note = Snapshot(
            file=f"{digest}.faiss",
            embedding_space=shard.embedding_space,
            key_count=key_count,
            incarnation=incarnation,
            offsets=by_topic,
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._folder / note.file, content)
            _write(self._folder / NOTE, note.model_dump_json().encode())
            for path in self._folder.glob("*.faiss"):
                if path.name != note.file:
                    path.unlink()
        except OSError as error:
            raise VectorIndexError(f"cannot write a snapshot into {self._folder}: {error.strerror}") from error
        return note


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)
