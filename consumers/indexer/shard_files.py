"""The files of the local index: one folder a shard, and one note that says what counts.

    index/shards.json                          which shards there are, how many rows of each count, and which columns
    index/<space>/<day>.<partition>/vectors.f2  float16, little endian, row after row; only ever added to
    index/<space>/<day>.<partition>/columns.N.npz

A save writes only what changed: vectors are added behind those that count, columns go into a file of a new number, and
the note comes last, each forced to the disk. Killed at any moment, the note that is there names files that are whole;
what lies beside them is swept away at the next start. A shard that cannot be read is no shard: the person table makes
it again.
"""

import hashlib
import logging
import shutil
from datetime import date
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from consumers.errors import VectorIndexError
from consumers.indexer.column_file import from_bytes, to_bytes
from consumers.indexer.columns import Codes
from consumers.indexer.half_vectors import Halves
from consumers.indexer.shard import Place, Shard
from consumers.indexer.snapshots import force_to_disk, write_durably

logger = logging.getLogger(__name__)

NOTE, VECTORS = "shards.json", "vectors.f2"


class SavedShard(BaseModel):
    """One shard as the note knows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    embedding_space: str
    day: date
    partition: NonNegativeInt
    identity: str
    width: PositiveInt
    count: NonNegativeInt
    gone_count: NonNegativeInt
    columns: NonNegativeInt  # the number of the file

    @property
    def place(self) -> Place:
        """Which shard of its space."""
        return Place(self.day, self.partition)


class SavedShards(BaseModel):
    """The note."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    shards: tuple[SavedShard, ...] = ()


class ShardFiles:
    """The folder of the local index; belongs to one thread at a time.

    Raises (every method): `VectorIndexError` when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        """Keep shards in `folder`."""
        self.folder = folder
        self._saved: dict[tuple[str, Place], SavedShard] = {}
        self.is_behind = False  # whether the note on the disk is not what was saved and dropped

    def load(self, cameras: Codes) -> list[tuple[str, Shard]]:
        """Every shard that is whole, with its space, its vectors resting on their file; sweeps away what is not."""
        try:
            note = SavedShards.model_validate_json((self.folder / NOTE).read_bytes())
        except FileNotFoundError:
            note = SavedShards()
        except (OSError, ValidationError) as error:
            logger.warning("the index's note cannot be read, it is made anew", extra={"reason": str(error)})
            note = SavedShards()
        found: list[tuple[str, Shard]] = []
        for saved in note.shards:
            try:
                found.append((saved.embedding_space, self._read(saved, cameras)))
            except (OSError, VectorIndexError) as error:
                logger.warning("a shard cannot be read, it is made anew", extra={"reason": str(error)})
                continue
            self._saved[saved.embedding_space, saved.place] = saved
        try:
            self._sweep()
        except OSError as error:
            raise self._unwritable(error) from error
        return found

    def save(self, embedding_space: str, shard: Shard) -> bool:
        """Write what changed of one shard; it counts from `commit` on. False when nothing changed."""
        saved = self._saved_as(embedding_space, shard)
        count, gone_count = shard.count, shard.gone_count
        if saved is not None and (saved.count, saved.gone_count) == (count, gone_count):
            return False
        folder = self.folder_of(embedding_space, shard.place)
        number = saved.columns + 1 if saved else 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._append(folder / VECTORS, shard, saved.count if saved else 0, count)
            write_durably(folder / f"columns.{number}.npz", to_bytes(shard.columns, count))
        except OSError as error:
            raise self._unwritable(error) from error
        self._saved[embedding_space, shard.place] = SavedShard(
            embedding_space=embedding_space,
            day=shard.place.day,
            partition=shard.place.partition,
            identity=shard.identity,
            width=shard.width,
            count=count,
            gone_count=gone_count,
            columns=number,
        )
        self.is_behind = True
        return True

    def holds(self, embedding_space: str, shard: Shard) -> bool:
        """Whether anything of a shard is on the disk."""
        return self._saved_as(embedding_space, shard) is not None

    def erase(self, embedding_space: str, shard: Shard, rows: np.ndarray) -> None:
        """Overwrite the vectors of rows that are on the disk."""
        saved = self._saved_as(embedding_space, shard)
        if saved is None:
            return
        written = np.sort(rows[rows < saved.count])
        try:
            with (self.folder_of(embedding_space, shard.place) / VECTORS).open("r+b") as file:
                for row in written.tolist():
                    file.seek(row * shard.width * 2)
                    file.write(bytes(shard.width * 2))
                force_to_disk(file)
        except OSError as error:
            raise self._unwritable(error) from error

    def drop(self, embedding_space: str, place: Place) -> None:
        """Let a shard go; its files are gone after the next `commit`."""
        if self._saved.pop((embedding_space, place), None) is not None:
            self.is_behind = True

    def commit(self) -> None:
        """Make what was saved and dropped count, and remove what no longer does."""
        if not self.is_behind:
            return
        note = SavedShards(shards=tuple(self._saved.values()))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(self.folder / NOTE, note.model_dump_json().encode())
            self._sweep()
        except OSError as error:
            raise self._unwritable(error) from error
        self.is_behind = False

    def mapped(self, embedding_space: str, place: Place) -> Halves | None:
        """The vectors of a shard that are on the disk, mapped into memory, (n, d); none when nothing is."""
        saved = self._saved.get((embedding_space, place))
        if saved is None or not saved.count:
            return None
        return self._map(saved)

    def folder_of(self, embedding_space: str, place: Place) -> Path:
        """Where a shard lies."""
        return self.space_folder(embedding_space) / f"{place.day.isoformat()}.{place.partition}"

    def space_folder(self, embedding_space: str) -> Path:
        """Where the shards of a space lie; its name says nothing, as a space's may hold what a path may not."""
        return self.folder / hashlib.sha256(embedding_space.encode()).hexdigest()[:16]

    def _saved_as(self, embedding_space: str, shard: Shard) -> SavedShard | None:
        saved = self._saved.get((embedding_space, shard.place))
        return saved if saved is not None and saved.identity == shard.identity else None

    def _read(self, saved: SavedShard, cameras: Codes) -> Shard:
        folder = self.folder_of(saved.embedding_space, saved.place)
        columns = from_bytes((folder / f"columns.{saved.columns}.npz").read_bytes(), cameras)
        if columns.key.count != saved.count:
            raise VectorIndexError(f"{folder} holds {columns.key.count} rows, expected {saved.count}")
        return Shard.restored(saved.place, saved.identity, columns, self._map(saved))

    def _map(self, saved: SavedShard) -> Halves:
        path = self.folder_of(saved.embedding_space, saved.place) / VECTORS
        if path.stat().st_size < saved.count * saved.width * 2:
            raise VectorIndexError(f"{path} is too short for {saved.count} rows")
        return np.memmap(path, dtype="<f2", mode="r+", shape=(saved.count, saved.width))

    @staticmethod
    def _append(path: Path, shard: Shard, first: int, until: int) -> None:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(first * shard.width * 2)
            file.truncate()  # what a killed process added without a note
            for start in range(first, until, 65_536):
                file.write(np.ascontiguousarray(shard.halves_between(start, min(start + 65_536, until))).tobytes())
            force_to_disk(file)

    def _sweep(self) -> None:
        """Remove shards and columns that the note does not know, and indexes of an older form."""
        known = {self.folder_of(*key): saved.columns for key, saved in self._saved.items()}
        for path in self.folder.glob("*.faiss"):
            path.unlink()
        for folder in self.folder.glob("*/*.*/"):
            if folder not in known:
                shutil.rmtree(folder)
                continue
            for path in folder.iterdir():
                if path.name not in (VECTORS, f"columns.{known[folder]}.npz"):
                    path.unlink()

    def _unwritable(self, error: OSError) -> VectorIndexError:
        return VectorIndexError(f"cannot write the index into {self.folder}: {error.strerror}")
