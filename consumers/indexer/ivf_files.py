"""The inverted file of a space on the disk, so that a start does not build it again.

    index/<space>/ivf.faiss   FAISS's own form
    index/<space>/ivf.npz     which row of which shard each id is, written last; it names the bytes of the other

It may lack rows, which are then fed to it, and may know rows that were never made durable, which are taken out of it.
Whoever is erased takes both files along.
"""

import hashlib
import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from consumers.errors import VectorIndexError
from consumers.indexer.ivf import Ids, Ivf
from consumers.indexer.key_map import Keys
from consumers.indexer.snapshots import write_durably
from consumers.indexer.space_index import ROW_MASK, SpaceIndex, places_of

logger = logging.getLogger(__name__)

INDEX, PLACES = "ivf.faiss", "ivf.npz"


def is_written(folder: Path) -> bool:
    """Whether an inverted file lies in the folder of a space."""
    return (folder / PLACES).exists()


def forget(folder: Path) -> None:
    """Remove the inverted file from the folder of a space.

    Raises:
        VectorIndexError: The folder cannot be written.
    """
    try:
        for path in (folder / PLACES, folder / INDEX, *folder.glob(".ivf.*")):  # unfinished ones too
            path.unlink(missing_ok=True)
    except OSError as error:
        raise VectorIndexError(f"cannot write the index into {folder}: {error.strerror}") from error


def write(folder: Path, ivf: Ivf, space: SpaceIndex) -> None:
    """Put an inverted file into the folder of a space.

    Raises:
        VectorIndexError: The folder cannot be written.
    """
    shards, ids = space.shards, {number: known for number, known in ivf.ids.items() if number in space.shards}
    content = ivf.to_bytes()
    about = {
        "shards": [[shards[number].identity, len(known)] for number, known in ids.items()],
        "made_for": ivf.made_for,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    placed = io.BytesIO()
    np.savez(
        placed,
        allow_pickle=False,
        about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        places=ivf.places,
        ids=np.concatenate([np.empty(0, np.int32), *ids.values()]),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        forget(folder)
        write_durably(folder / INDEX, content)
        write_durably(folder / PLACES, placed.getvalue())
    except OSError as error:
        raise VectorIndexError(f"cannot write the index into {folder}: {error.strerror}") from error


def read(folder: Path, space: SpaceIndex) -> Ivf | None:
    """The inverted file in the folder of a space, if it is there, whole, and of shards that the space has."""
    try:
        with np.load(folder / PLACES, allow_pickle=False) as arrays:
            about, places, ids = json.loads(arrays["about"].tobytes()), arrays["places"], arrays["ids"]
        return _restored(_proven((folder / INDEX).read_bytes(), about["sha256"]), about, places, ids, space)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, VectorIndexError) as error:
        logger.warning("an inverted file cannot be read, it is built anew", extra={"reason": str(error)})
        return None


def _proven(content: bytes, sha256: str) -> bytes:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise VectorIndexError("it is not what was written")
    return content


def _restored(content: bytes, about: dict[str, Any], places: Keys, ids: Ids, space: SpaceIndex) -> Ivf:
    numbers = {shard.identity: number for number, shard in space.shards.items()}
    renumbered = np.full(len(places), -1, dtype=np.int64)
    known: dict[int, Ids] = {}
    strangers: list[Ids] = []
    start = 0
    for identity, count in about["shards"]:
        mine = ids[start : start + count]
        start += count
        now = numbers.get(identity)
        rows = space.shards[now].count if now is not None else 0
        strangers.append(mine[rows:])
        if now is not None:
            known[now] = mine[:rows]
            renumbered[mine] = places_of(now, places[mine] & ROW_MASK)
    strangers.append(np.flatnonzero(np.bincount(ids, minlength=len(places)) == 0).astype(np.int32))
    ivf = Ivf.from_bytes(content, renumbered, known, made_for=int(about["made_for"]))
    ivf.remove_ids(np.concatenate(strangers))
    return ivf
