"""What a search found, and why. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Why:
    """Why somebody is among the hits: how near their picture is, and which words their description shares."""

    similarity: float | None = None  # cosine in [-1, 1] of the picture with what was asked; none: not compared
    matched_words: tuple[str, ...] = ()
    embedding_space: str = ""  # similarities of two spaces are never compared


NO_REASON = Why()


@dataclass(frozen=True, slots=True)
class Found:
    """Someone found, by the key of the person table: what the indexer answers with, before anybody reads the table."""

    key: int
    score: float
    why: Why = NO_REASON


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """Who was found, best first, the words of the query that the model never learnt, and the next page's cursor."""

    found: tuple[Found, ...]
    unknown_words: tuple[str, ...] = ()
    next: str | None = None  # none: there is nobody more


@dataclass(frozen=True, slots=True)
class AlsoSeen:
    """Another chain that may be the same person: its track that is most alike, and how many tracks it has."""

    key: int
    chain_id: str
    tracks: int
    similarity: float  # cosine in [-1, 1] of that track with the chain that was asked about
