"""What the indexer asks of its vector index beside searching it."""

from typing import Protocol

from consumers.indexer.key_map import Keys
from consumers.search.vector_index import VectorIndex


class KeptIndex(VectorIndex, Protocol):
    """A `VectorIndex` that can be made durable and compared with the person table."""

    def keys(self, embedding_space: str) -> Keys:
        """The keys of everyone whom that space has, in order."""

    def tend(self) -> bool:
        """Do the next piece of work that keeps searches fast; false when there is none. Belongs to one thread."""

    def save(self) -> None:
        """Make everything durable that was added so far."""

    def close(self) -> None:
        """Let go of threads, files and connections; what was not saved is lost."""
