"""Packs people into a ZIP: each file streamed from the media store and digested on its way, never held whole."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from consumers.errors import ExportError
from consumers.web.exports.record import SUMS, Export, PackedFile, PackedPerson, folder_of, sums_text
from consumers.web.exports.report import html_report
from consumers.web.exports.report_pdf import pdf_report
from consumers.web.schemas import PersonDetailShape
from consumers.web.shaping import media_uri
from streamer.bus.errors import MediaStoreAwayError, MediaStoreError
from streamer.bus.media import MediaStore

CHUNK_BYTES = 1 << 20
MOST_BYTES = 8 << 30  # of one archive
PICTURE_MOST = 20 << 20


@dataclass(frozen=True, slots=True)
class Packed:
    """A finished archive."""

    size_bytes: int
    sums_sha256: str
    missing: int


class Packer:
    """Writes one archive; for one thread.

    Raises (every method): `ExportError` when the archive grows too large, the disk is full, or a file ends while it is
    read.
    """

    def __init__(self, path: Path, media: MediaStore, at: datetime, *, most_bytes: int = MOST_BYTES) -> None:
        """Write to `path` what lies in `media`; `at` is the moment that the archive's files carry."""
        self._path, self._media, self._at, self._most_bytes = path, media, at, most_bytes
        self._files: dict[str, PackedFile] = {}
        self._size_bytes = 0

    def pack(
        self, export: Export, people: Sequence[PersonDetailShape], on_progress: Callable[[int], None] = lambda _: None
    ) -> Packed:
        """Everybody with clip, crop and record, the reports, and the sums of all.

        Args:
            export: What the reports tell, still without its people.
            people: Whom to pack, in order.
            on_progress: Is told how many people are packed.
        """
        try:
            with zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                packed, pictures = [], {}
                for number, person in enumerate(people, start=1):
                    one, picture = self._person(archive, number, person)
                    packed.append(one)
                    if picture is not None:
                        pictures[number] = picture
                    on_progress(number)
                export = replace(export, people=tuple(packed))
                self._write(archive, "report.html", html_report(export).encode())
                self._write(archive, "report.pdf", pdf_report(export, pictures))
                sums = sums_text(list(self._files.values())).encode()
                self._write(archive, SUMS, sums)
        except MediaStoreAwayError as error:
            raise ExportError("the media store does not answer, so nothing can be packed; try again later") from error
        except OSError as error:
            raise ExportError(f"the archive cannot be written: {error.strerror or error}") from error
        return Packed(self._path.stat().st_size, hashlib.sha256(sums).hexdigest(), export.missing)

    def _person(
        self, archive: zipfile.ZipFile, number: int, person: PersonDetailShape
    ) -> tuple[PackedPerson, bytes | None]:
        """One person, and their picture for the report."""
        folder, missing = folder_of(number, person), []
        clip_name = "clips/" + media_uri(person.clip.url).rsplit("/", 1)[-1]
        # Several people of one clip share it: it is packed once.
        clip = self._files.get(clip_name) or self._copy(archive, clip_name, media_uri(person.clip.url))
        if clip is None:
            missing.append("The clip is not there any more: it was removed by retention, or erased.")
        picture = self._picture(media_uri(person.crop.url))
        crop = None if picture is None else self._write(archive, f"{folder}/crop.jpg", picture)
        if crop is None:
            missing.append("The picture is not there any more: it was removed by retention, or erased.")
        told = {
            "person": person.model_dump(mode="json"),
            "files": {"clip": _told(clip), "crop": _told(crop)},
            "missing": missing,
        }
        content = json.dumps(told, ensure_ascii=False, indent=1).encode()
        record = self._write(archive, f"{folder}/person.json", content)
        return PackedPerson(number, person, clip, crop, record, tuple(missing)), picture

    def _picture(self, uri: str) -> bytes | None:
        try:
            return self._media.read(uri, 0, PICTURE_MOST)
        except MediaStoreAwayError:
            raise  # what is only away must not be told to be gone
        except MediaStoreError:
            return None

    def _copy(self, archive: zipfile.ZipFile, name: str, uri: str) -> PackedFile | None:
        """Copy what lies at `uri`; None: there is nothing."""
        try:
            if not self._media.exists(uri):
                return None
            with self._media.as_file(uri) as path, path.open("rb") as source:
                return self._stream(archive, name, source)
        except MediaStoreAwayError:
            raise
        except (MediaStoreError, FileNotFoundError):
            return None

    def _stream(self, archive: zipfile.ZipFile, name: str, source: BinaryIO) -> PackedFile:
        digest, size = hashlib.sha256(), 0
        with archive.open(self._entry(name), "w", force_zip64=True) as target:
            while chunk := source.read(CHUNK_BYTES):
                self._count(len(chunk))
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        return self._keep(PackedFile(name, size, digest.hexdigest()))

    def _write(self, archive: zipfile.ZipFile, name: str, content: bytes) -> PackedFile:
        self._count(len(content))
        archive.writestr(self._entry(name), content)
        return self._keep(PackedFile(name, len(content), hashlib.sha256(content).hexdigest()))

    def _keep(self, file: PackedFile) -> PackedFile:
        self._files[file.name] = file
        return file

    def _count(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        if self._size_bytes > self._most_bytes:
            raise ExportError(
                f"the archive would be larger than {self._most_bytes / 2**30:.2g} GiB; choose fewer people"
            )

    def _entry(self, name: str) -> zipfile.ZipInfo:
        at = self._at.astimezone(UTC)
        entry = zipfile.ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
        entry.external_attr = 0o644 << 16
        return entry


def _told(file: PackedFile | None) -> dict[str, object] | None:
    return None if file is None else {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}
