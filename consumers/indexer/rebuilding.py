"""Embeds everyone anew from their stored crops, for a model that was changed; may be broken off and taken up again."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from consumers.indexer.embeddings import Embeddings, ToEmbed, write_embeddings
from consumers.indexer.people import PeopleTable
from model.crops import Crop
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore

logger = logging.getLogger(__name__)

BATCH = 32


class Embedder(Protocol):
    """Places pictures of people in an embedding space."""

    embedding_space: str

    def embed(self, crops: Sequence[Crop]) -> npt.NDArray[np.float32]:
        """Where each crop lies, (n, d), unit length."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many have a vector in the new space now, and of how many no crop is left to make one from."""

    embedded: int = 0
    gone: int = 0

    @property
    def done(self) -> int:
        """How many were looked at."""
        return self.embedded + self.gone


def rebuild(table: PeopleTable, store: MediaStore, embedder: Embedder, tell: Callable[[Rebuilt], None]) -> Rebuilt:
    """Write a vector in the embedder's space of everyone who lacks one.

    Each batch is durable before the next: whoever begins again goes on with those who are missing. The indexer takes
    the vectors up as they come.

    Args:
        table: Who was seen; the vectors go there too.
        store: Their crops.
        embedder: The present model.
        tell: Called after each batch with what was done so far.

    Raises:
        PeopleTableError: The database cannot be read or written.
        MediaStoreError: The media store does not answer.
    """
    embeddings, rebuilt, last = Embeddings(table), Rebuilt(), 0
    while missing := embeddings.missing(embedder.embedding_space, after_key=last, at_most=BATCH):
        crops = {person.key: crop for person in missing if (crop := _crop(store, person)) is not None}
        if crops:
            vectors = embedder.embed(list(crops.values()))
            made = {key: vector.astype("<f2").tobytes() for key, vector in zip(crops, vectors, strict=True)}
            write_embeddings(table, embedder.embedding_space, made)
        rebuilt = Rebuilt(rebuilt.embedded + len(crops), rebuilt.gone + len(missing) - len(crops))
        last = missing[-1].key
        tell(rebuilt)
    return rebuilt


def _crop(store: MediaStore, person: ToEmbed) -> Crop | None:
    """The crop as it was stored; none when it is gone or no picture."""
    if not store.exists(person.crop_uri):
        return None
    try:
        content = store.read(person.crop_uri)
    except MediaStoreError:
        if store.exists(person.crop_uri):
            raise
        return None  # erased since
    pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
    return None if pixels is None else Crop(np.asarray(pixels, dtype=np.uint8), person.person_height_px)
