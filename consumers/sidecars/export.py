"""Sidecars beside the pictures of a folder: `photo.jpg.xmp`, as digiKam and darktable name and read them.

The pictures are only read. Which people are in one is found by its content: a copy or a renamed picture has the same.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import ExifTags, Image

from consumers.errors import SidecarError
from consumers.indexer.people import PeopleReader, Person
from consumers.sidecars.said import PictureSaid, picture_said
from consumers.sidecars.xmp import merged
from streamer.bus.identity import file_segment_id
from streamer.bus.messages import AskedQuestion

ENDING = ".xmp"
LARGEST_SIDECAR_BYTES = 64 << 20  # a darktable history is some hundred kB

TURNED_FROM = 5  # EXIF's orientations from here on tell width from height
WRITTEN, UNCHANGED, EMPTIED, NOBODY = "written", "unchanged", "emptied", "nobody"


class SidecarExport:
    """Writes what the person table knows of pictures beside them."""

    def __init__(self, people: PeopleReader) -> None:
        """Read from `people`.

        Raises (every method): `PeopleTableError` when the table cannot be read.
        """
        self._people = people
        self._cameras = [camera.camera_id for camera in people.cameras()]
        self._questions: Mapping[str, AskedQuestion] = {asked.question_id: asked for asked in people.questions()}

    def write(self, folder: Path) -> Iterator[tuple[Path, str | SidecarError]]:
        """Bring the sidecars of all pictures in `folder` and the folders in it up to date.

        Yields each picture with what came of it (`written`, `unchanged`, `emptied` of what was said before, or
        `nobody` is in it or it was never indexed), or why its sidecar was left as it is.

        Raises:
            SidecarError: There is no such folder.
        """
        if not folder.is_dir():
            raise SidecarError("there is no such folder", folder)
        for picture in _pictures(folder):
            try:
                yield picture, self._write(picture)
            except SidecarError as error:
                yield picture, SidecarError(error.reason, error.path or sidecar_of(picture))

    def _write(self, picture: Path) -> str:
        sidecar = sidecar_of(picture)
        try:
            before = _read(sidecar)
            people = self._people_in(picture)
            if not people and before is None:
                return NOBODY
            after = merged(before, _said(picture, people, self._questions) if people else None)
            if after is None and before is not None:
                sidecar.unlink()
            elif after is not None and after != before:
                _put(sidecar, after)
            else:
                return UNCHANGED if people else NOBODY
        except OSError as error:
            raise SidecarError(error.strerror or str(error)) from error
        return WRITTEN if people else EMPTIED

    def _people_in(self, picture: Path) -> list[Person]:
        with picture.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        ids = (file_segment_id(camera_id, sha256, 0) for camera_id in self._cameras)
        return next((people for segment_id in ids if (people := self._people.in_segment(segment_id))), [])


def sidecar_of(picture: Path) -> Path:
    """Where a picture's sidecar lies.

    >>> sidecar_of(Path("may/photo.jpg")).as_posix()
    'may/photo.jpg.xmp'
    """
    return picture.with_name(picture.name + ENDING)


def summary(counted: Mapping[str, int]) -> str:
    """How many pictures came out how, in one line.

    >>> summary({WRITTEN: 3, NOBODY: 1})
    '3 sidecars written, 0 unchanged, 0 emptied; nobody known in 1 pictures.'
    """
    told = (counted.get(outcome, 0) for outcome in (WRITTEN, UNCHANGED, EMPTIED, NOBODY))
    return "{} sidecars written, {} unchanged, {} emptied; nobody known in {} pictures.".format(*told)


def _pictures(folder: Path) -> Iterator[Path]:
    Image.init()
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(inside, name) for name in sorted(names) if Path(name).suffix.lower() in known)


def _said(picture: Path, people: list[Person], questions: Mapping[str, AskedQuestion]) -> PictureSaid:
    """What is said of people in a picture, in its stored pixels; nothing of it is decoded.

    Raises:
        SidecarError: Pillow cannot read its size.
    """
    try:
        with Image.open(picture) as opened:
            exif = opened.getexif()
            orientation = exif.get(ExifTags.Base.Orientation, 1)
            # Pillow gives the size of a TIFF as it is shown, and that of the others as they are stored.
            is_turned = opened.format == "TIFF" and orientation >= TURNED_FROM
            size_wh = opened.size[::-1] if is_turned else opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SidecarError(f"the picture cannot be read: {error}") from error
    return picture_said(people, questions, size_wh=size_wh, orientation=orientation)


def _read(sidecar: Path) -> bytes | None:
    if not sidecar.exists():
        return None
    if sidecar.stat().st_size > LARGEST_SIDECAR_BYTES:
        raise SidecarError("it is too large to be a sidecar")
    return sidecar.read_bytes()


def _put(sidecar: Path, content: bytes) -> None:
    """Write whole or not at all."""
    unfinished = sidecar.with_name(f".{sidecar.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        if sidecar.exists():
            unfinished.chmod(sidecar.stat().st_mode & 0o777)
        unfinished.replace(sidecar)
    finally:
        unfinished.unlink(missing_ok=True)
