"""The note of how far in the topics the index has come: how a restart is spared reading everything again.

Written after the index itself is durable, under a temporary name, forced to the disk and renamed. A note that cannot be
read is no note: the topics are then read from their start, and every repeat changes nothing.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from consumers.errors import VectorIndexError
from consumers.indexer.rows import LastRows
from streamer.bus.client import TopicPartition

logger = logging.getLogger(__name__)

NOTE = "snapshot.json"


class Snapshot(BaseModel):
    """How far in the topics the index has come, in which life of the broker, and what the person table had by then."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incarnation: str | None = None
    offsets: dict[str, dict[int, NonNegativeInt]] = {}
    last_rows: LastRows = LastRows()

    def offset(self, place: TopicPartition) -> int:
        """Where to go on in a partition: after what the snapshot has seen, at the start of what it has not."""
        return self.offsets.get(place.topic, {}).get(place.partition, 0)


class SnapshotFolder:
    """The folder that holds the note, beside the files of the index.

    Raises (from `save`): `VectorIndexError` when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the note in `folder`."""
        self._folder = folder

    def load(self) -> Snapshot | None:
        """The last note, if it is there and whole."""
        try:
            return Snapshot.model_validate_json((self._folder / NOTE).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            logger.warning("the index's offsets cannot be read, topics are read anew", extra={"reason": str(error)})
            return None

    def save(self, *, incarnation: str | None, offsets: Mapping[TopicPartition, int], last_rows: LastRows) -> Snapshot:
        """Write the note."""
        by_topic: dict[str, dict[int, int]] = {}
        for place, offset in offsets.items():
            by_topic.setdefault(place.topic, {})[place.partition] = offset
        note = Snapshot(incarnation=incarnation, offsets=by_topic, last_rows=last_rows)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._folder / NOTE, note.model_dump_json().encode())
        except OSError as error:
            raise VectorIndexError(f"cannot write a snapshot into {self._folder}: {error.strerror}") from error
        return note


def force_to_disk(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def write_durably(path: Path, content: bytes) -> None:
    """Put content at a path, whole or not at all, and on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        force_to_disk(file)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)
