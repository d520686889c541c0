"""Everything `consumers` raises on purpose.

* ConsumerError                the base of all
  * SamplingError              a sampling rate that no video has
  * VideoReadError             a video file that cannot be read
  * PeopleTableError           the person table cannot be opened, read or written
  * DeskError                  the desk database cannot be opened, read or written
  * RulesError                 a rules file that cannot be read or does not fit
  * ChannelError               a channel that names nothing that can be notified
  * DeliveryError              a notification that a channel's receiver did not take
  * EvidenceError              evidence that cannot be held, released or proven whole
  * FeedbackError              corrections that cannot be exported
  * MomentError                a moment that nobody can read
  * NotSeenError               nobody of that id or at that moment is known
  * VectorIndexError           the vector index cannot be used
    * FaissMissingError        FAISS is not installed
  * SearchUnavailableError     the indexer does not answer searches
  * AddressError               an address that a service may not or cannot listen on
  * WorkAbandonedError         work in flight was told to stop; it will be redelivered
"""

from pathlib import Path


class ConsumerError(Exception):
    """The base of everything `consumers` raises on purpose."""


class SamplingError(ConsumerError):
    """A sampling rate that no video has."""


class VideoReadError(ConsumerError):
    """A video file that cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # every argument, or it cannot cross a process boundary
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot read video {self.path}: {self.reason}"


class PeopleTableError(ConsumerError):
    """The person table cannot be opened, read or written."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(database, reason)
        self.database, self.reason = database, reason

    def __str__(self) -> str:
        return f"person table {self.database}: {self.reason}"


class DeskError(ConsumerError):
    """The desk database cannot be opened, read or written."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(database, reason)
        self.database, self.reason = database, reason

    def __str__(self) -> str:
        return f"desk database {self.database}: {self.reason}"


class RulesError(ConsumerError):
    """A rules file that cannot be read or does not fit; `line` counts from 1 where it is known."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path, self.line, self.reason = path, line, reason

    def __str__(self) -> str:
        return f"rules {self.path}{f', line {self.line}' if self.line else ''}: {self.reason}"


class ChannelError(ConsumerError):
    """A channel that names nothing that can be notified; the reason holds no secret."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"channel {self.name}: {self.reason}"


class DeliveryError(ConsumerError):
    """A notification that a channel's receiver did not take, as far as can be known; the reason holds no secret."""

    def __init__(self, channel: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(channel, reason, retry_after_s)
        self.channel, self.reason, self.retry_after_s = channel, reason, retry_after_s

    def __str__(self) -> str:
        return f"channel {self.channel}: not delivered: {self.reason}"


class EvidenceError(ConsumerError):
    """Evidence that cannot be held, released or proven whole."""

    def __init__(self, alert_id: str, reason: str) -> None:
        super().__init__(alert_id, reason)
        self.alert_id, self.reason = alert_id, reason

    def __str__(self) -> str:
        return f"evidence of alert {self.alert_id}: {self.reason}"


class FeedbackError(ConsumerError):
    """Corrections that cannot be exported."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"feedback cannot be exported to {self.folder}: {self.reason}"


class MomentError(ConsumerError):
    """A moment that nobody can read."""

    def __init__(self, typed: str) -> None:
        super().__init__(typed)
        self.typed = typed

    def __str__(self) -> str:
        return f"{self.typed!r} is no moment; write one such as 24h, 7d, 2026-11-24 or 2026-11-24T14:02"


class NotSeenError(ConsumerError):
    """Nobody of that id, or nobody at that moment, is in the person table."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted

    def __str__(self) -> str:
        return f"nobody is known as, or was seen at, {self.wanted}; ids stand beside people on the page and in its API"


class VectorIndexError(ConsumerError):
    """The vector index cannot be used."""


class FaissMissingError(VectorIndexError):
    """FAISS is not installed."""

    def __str__(self) -> str:
        return "FAISS is not installed; install crewsight[cpu], or crewsight[gpu] on a machine with CUDA"


class SearchUnavailableError(ConsumerError):
    """The indexer does not answer searches."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"no search at {self.url}: {self.reason}; start `crewsight indexer`, or correct search.port"


class AddressError(ConsumerError):
    """An address that a service may not or cannot listen on."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"cannot listen on {self.address}: {self.reason}"


class WorkAbandonedError(ConsumerError):
    """Work in flight was told to stop; it is not lost, because its offset is not committed."""
