"""Places queries in embedding spaces: words by a text tower, pictures by the whole model, loaded at the first one."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from consumers.search.vector_index import Vectors
from model.crops import Crop
from model.humanvlm import HumanVLM, TextEmbedding

TEXTS_KEPT = 4096  # of 128 numbers each


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a query lies: a unit vector (d,) for every embedding space, and the words that had no say."""

    vectors: Mapping[str, Vectors]
    unknown_words: tuple[str, ...] = ()


class Towers(Protocol):
    """Places queries in every embedding space that can be searched; may be shared by threads."""

    def place_text(self, text: str) -> Placed:
        """Where a text lies."""

    def place_picture(self, crop: Crop) -> Placed:
        """Where a picture lies.

        Raises:
            ModelFolderError: The model that sees is not there any more.
        """


class TextEmbedder(Protocol):
    """Places texts in one embedding space."""

    embedding_space: str

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies."""


class ModelTowers:
    """The towers of one model."""

    def __init__(self, tower: TextEmbedder, model_name: str, *, device: str | None = None) -> None:
        """Place words by `tower`, and pictures by the model of that name, of which `tower` is a half."""
        self._tower, self._model_name, self._device = tower, model_name, device
        self._vlm: HumanVLM | None = None
        self._lock = threading.Lock()  # one query at a time: a model's threads are all the processor has
        self.place_text = lru_cache(TEXTS_KEPT)(self._place_text)

    def _place_text(self, text: str) -> Placed:
        """Where a text lies."""
        with self._lock:
            embedded = self._tower.embed_text(text)
        return Placed({self._tower.embedding_space: embedded.vector}, embedded.unknown_words)

    def place_picture(self, crop: Crop) -> Placed:
        """Where a picture lies; the first one waits for the model to be loaded.

        Raises:
            ModelFolderError: The model is not there any more.
        """
        with self._lock:
            if self._vlm is None:
                self._vlm = HumanVLM.load(self._model_name, device=self._device)
            vector = self._vlm.embed([crop])[0]
            return Placed({self._vlm.embedding_space: vector})


class SeveralTowers:
    """The towers of several models, the one that describes people now first."""

    def __init__(self, towers: Sequence[Towers]) -> None:
        """Place queries by each of `towers`, at least one."""
        self._towers = towers

    def place_text(self, text: str) -> Placed:
        """Where a text lies in every space; the words that had no say with the first model."""
        return _together([tower.place_text(text) for tower in self._towers])

    def place_picture(self, crop: Crop) -> Placed:
        """Where a picture lies in every space.

        Raises:
            ModelFolderError: A model is not there any more.
        """
        return _together([tower.place_picture(crop) for tower in self._towers])


def open_towers(name: str, others: Sequence[str] = (), *, device: str | None = None) -> Towers:
    """The towers of the model that describes people, and of others whose spaces are searched too.

    Raises:
        ModelFolderError: There is no such model.
    """
    towers = [ModelTowers(HumanVLM.load_text(each), each, device=device) for each in dict.fromkeys((name, *others))]
    return towers[0] if len(towers) == 1 else SeveralTowers(towers)


def _together(placed: Sequence[Placed]) -> Placed:
    vectors = {space: vector for each in reversed(placed) for space, vector in each.vectors.items()}
    return Placed(vectors, placed[0].unknown_words)
