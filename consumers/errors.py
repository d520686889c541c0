"""Everything `consumers` raises on purpose.

* ConsumerError                the base of all
  * SamplingError              a sampling rate that no video has
  * VideoReadError             a video file that cannot be read
  * PeopleTableError           the person table cannot be opened, read or written
  * DeskError                  the desk database cannot be opened, read or written
  * RulesError                 a rules file that cannot be read or does not fit
    * PackError                a question pack that cannot be read, does not fit or is not there
  * ChannelError               a channel that names nothing that can be notified
  * DeliveryError              a notification that a channel's receiver did not take
  * DeadLetterError            a dead letter that is not there, or with which that cannot be done
  * EvidenceError              evidence that cannot be held, released or proven whole
  * FeedbackError              corrections that cannot be exported
  * SidecarError               a sidecar that cannot be read or written
  * MomentError                a moment that nobody can read
  * NotSeenError               nobody of that id or at that moment is known
  * VectorIndexError           the vector index cannot be used
    * FaissMissingError        FAISS is not installed
    * MilvusMissingError       pymilvus is not installed
  * SearchQueryError           a search that asks for what cannot be
  * ExportError                people who cannot be exported
    * ExportsFullError         too many exports wait already
    * NoSuchExportError        no export of somebody's has that id
  * SavedSearchError           a saved search that cannot be kept or stand guard
  * NoSuchSearchError          no saved search has that id, for whoever asks
  * SearchUnavailableError     the indexer does not answer searches
  * ApiError                   the API of a page refuses, or does not answer
  * AddressError               an address that a service may not or cannot listen on
  * StaleRulesError            somebody else changed the rules file since it was seen
  * NoSuchCameraError          no camera has that id
  * CameraChangeError          a camera that cannot be as somebody wants it
  * NoSuchAlertError           no alert has that id
  * StaleAlertError            somebody else changed an alert since it was seen
  * ActRefusedError            an act that makes no sense for an alert as it is
  * AccessError                a user or token that cannot be made, changed or found
  * NotPermittedError          somebody's role does not cover what they asked for
  * SignInRefusedError         a name and password that open nothing, or too many tries
  * WorkAbandonedError         work in flight was told to stop; it will be redelivered
"""

import re
from pathlib import Path


def without_password(url: str) -> str:
    """A database's URL as it may be shown.

    >>> without_password("postgresql+psycopg://crewsight:s3cret@postgres:5432/crewsight")
    'postgresql+psycopg://crewsight:***@postgres:5432/crewsight'
    """
    return re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", url)


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
        return f"person table {without_password(self.database)}: {self.reason}"


class DeskError(ConsumerError):
    """The desk database cannot be opened, read or written."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(database, reason)
        self.database, self.reason = database, reason

    def __str__(self) -> str:
        return f"desk database {without_password(self.database)}: {self.reason}"


class RulesError(ConsumerError):
    """A rules file that cannot be read or does not fit; `line` counts from 1 where it is known."""

    known_keys = "`crewsight rules schema` lists the known ones"

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path, self.line, self.reason = path, line, reason

    def __str__(self) -> str:
        return f"rules {self.path}{f', line {self.line}' if self.line else ''}: {self.reason}"


class PackError(RulesError):
    """A question pack that cannot be read, does not fit or is not there."""

    known_keys = "docs/questions.md lists the known ones"

    def __str__(self) -> str:
        return f"question pack {self.path}{f', line {self.line}' if self.line else ''}: {self.reason}"


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


class DeadLetterError(ConsumerError):
    """A dead letter that is not there, or with which that cannot be done."""

    def __init__(self, rejected_id: str, reason: str) -> None:
        super().__init__(rejected_id, reason)
        self.rejected_id, self.reason = rejected_id, reason

    def __str__(self) -> str:
        return f"dead letter {self.rejected_id}: {self.reason}"


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


class SidecarError(ConsumerError):
    """A sidecar that cannot be read or written."""

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason, path)
        self.reason, self.path = reason, path

    def __str__(self) -> str:
        return f"cannot write {self.path or 'a sidecar'}: {self.reason}"


class VectorIndexError(ConsumerError):
    """The vector index cannot be used."""


class FaissMissingError(VectorIndexError):
    """FAISS is not installed."""

    def __str__(self) -> str:
        return "FAISS is not installed; install crewsight[cpu], or crewsight[gpu] on a machine with CUDA"


class MilvusMissingError(VectorIndexError):
    """pymilvus is not installed, and the index is to be on a Milvus server."""

    def __str__(self) -> str:
        return "search.index_url names a Milvus, but pymilvus is not installed; install crewsight[milvus]"


class SearchQueryError(ConsumerError):
    """A search that asks for what cannot be; the message says what and why."""


class ExportError(ConsumerError):
    """People who cannot be exported; the message says why."""


class ExportsFullError(ExportError):
    """Too many exports wait already."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return f"{self.most} exports wait already; try again when one is done"


class NoSuchExportError(ExportError):
    """No export of somebody's has that id."""

    def __init__(self, export_id: str) -> None:
        super().__init__(export_id)
        self.export_id = export_id

    def __str__(self) -> str:
        return f"there is no export {self.export_id} of yours: archives are kept for an hour"


class SavedSearchError(ConsumerError):
    """A saved search that cannot be kept as it is, or cannot stand guard; the message says why."""


class NoSuchSearchError(ConsumerError):
    """No saved search has that id, or it is somebody else's alone."""

    def __init__(self, search_id: int) -> None:
        super().__init__(search_id)
        self.search_id = search_id

    def __str__(self) -> str:
        return f"There is no saved search {self.search_id}, or it is not shared."


class SearchUnavailableError(ConsumerError):
    """The indexer does not answer searches."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"no search at {self.url}: {self.reason}; start `crewsight indexer`, or correct search.port"


class ApiError(ConsumerError):
    """The API of a page refuses or does not answer (status 0)."""

    def __init__(self, url: str, status: int, reason: str) -> None:
        super().__init__(url, status, reason)
        self.url, self.status, self.reason = url, status, reason

    def __str__(self) -> str:
        return f"{self.url}{f' answers {self.status}' if self.status else ' does not answer'}: {self.reason}"


class AddressError(ConsumerError):
    """An address that a service may not or cannot listen on."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"cannot listen on {self.address}: {self.reason}"


class StaleRulesError(ConsumerError):
    """Somebody else changed the rules file since it was seen; nothing was overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return "Somebody else changed the rules in the meantime. Nothing was overwritten: load them again, then save."


class NoSuchCameraError(ConsumerError):
    """No camera has that id, or nothing of it is stored."""

    def __init__(self, camera_id: str) -> None:
        super().__init__(camera_id)
        self.camera_id = camera_id

    def __str__(self) -> str:
        return f"no camera is called {self.camera_id}, or nothing of it is stored"


class CameraChangeError(ConsumerError):
    """A camera that cannot be as somebody wants it."""

    def __init__(self, camera_id: str, reason: str) -> None:
        super().__init__(camera_id, reason)
        self.camera_id, self.reason = camera_id, reason

    def __str__(self) -> str:
        return f"camera {self.camera_id}: {self.reason}"


class NoSuchAlertError(ConsumerError):
    """No alert has that id."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(alert_id)
        self.alert_id = alert_id

    def __str__(self) -> str:
        return f"There is no alert {self.alert_id}."


class StaleAlertError(ConsumerError):
    """Somebody else changed an alert since it was seen; nothing was overwritten."""

    def __init__(self, alert_id: str, seen: int, current: int) -> None:
        super().__init__(alert_id, seen, current)
        self.alert_id, self.seen, self.current = alert_id, seen, current

    def __str__(self) -> str:
        return "Somebody else changed this alert in the meantime. Nothing was overwritten: look at it again, then act."


class ActRefusedError(ConsumerError):
    """An act that makes no sense for an alert as it is."""

    def __init__(self, alert_id: str, reason: str) -> None:
        super().__init__(alert_id, reason)
        self.alert_id, self.reason = alert_id, reason

    def __str__(self) -> str:
        return f"This cannot be done: {self.reason}."


class AccessError(ConsumerError):
    """A user or token that cannot be made, changed or found."""


class NotPermittedError(ConsumerError):
    """Somebody's role does not cover what they asked for; `name` is empty when they are signed in no longer."""

    def __init__(self, needed: str, name: str = "", role: str = "") -> None:
        super().__init__(needed, name, role)
        self.needed, self.name, self.role = needed, name, role

    def __str__(self) -> str:
        if not self.name:
            return "You are signed in no longer. Load the page again to sign in."
        return f"This needs the role {self.needed}; {self.name} is {self.role}."


class SignInRefusedError(ConsumerError):
    """A name and password that open nothing, or too many tries; never says which of the two was wrong."""

    def __init__(self, retry_after_s: float = 0.0) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        if self.retry_after_s:
            return f"Too many tries. Wait {self.retry_after_s:.0f} s, then try again."
        return "That name and password do not go together, or the user is disabled."


class WorkAbandonedError(ConsumerError):
    """Work in flight was told to stop; it is not lost, because its offset is not committed."""
