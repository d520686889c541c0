"""What an export says of each person and of each file in it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from consumers.web.schemas import PersonDetailShape

SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file of the archive."""

    name: str  # inside the archive, with slashes
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PackedPerson:
    """One person of an export; a clip or crop that is None was not there any more, and `missing` says so."""

    number: int
    person: PersonDetailShape
    clip: PackedFile | None
    crop: PackedFile | None
    record: PackedFile
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that a report tells."""

    site_name: str
    who: str
    at: datetime
    zone: tzinfo
    note: str
    people: tuple[PackedPerson, ...]
    gone: tuple[str, ...]  # ids of people whom nobody knows any more

    @property
    def missing(self) -> int:
        """Files and people that were not there."""
        return len(self.gone) + sum(len(packed.missing) for packed in self.people)


def sums_text(files: Sequence[PackedFile]) -> str:
    """The archive's `SHA256SUMS`, which `sha256sum -c` reads.

    >>> sums_text([PackedFile("hits/001/crop.jpg", 3, "ab" * 32)]).startswith("abab")
    True
    """
    return "".join(f"{file.sha256}  {file.name}\n" for file in files)


def folder_of(number: int, person: PersonDetailShape) -> str:
    """The folder of one person; whatever a camera is called, a name that every file system takes."""
    camera = re.sub(r"[^\w]+", "-", person.camera_id)[:40].strip("-")
    return f"hits/{number:03d}-{camera}-{person.first_seen_at:%Y%m%dT%H%M%SZ}"
