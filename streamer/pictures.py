"""Pictures as footage: one frame each, upright, in the colours that browsers show, with nothing of the file's metadata.

The original is only read. What is kept of it is a JPEG of our own: one form for whoever decodes it afterwards, whatever
the camera or the scanner made, and no place, serial number or name travels on with it.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from streamer.bus.identity import file_segment_id
from streamer.errors import PictureReadError, WorkFolderError
from streamer.segmenting import CutSegment

PICTURE_SUFFIXES = frozenset({".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FORMATS = ("HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")  # no EPS or PDF, which run programs
LARGEST_SIDE_PX = 2560  # someone a tenth as tall as the picture is still 150 px tall; a hundred thousand fit on a disk
JPEG_QUALITY = 92
SHOWN_S = 1.0  # how long the one frame counts as footage


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """When a camera says that it took a picture: its clock as EXIF writes it, and its offset from UTC if it says it."""

    clock: str  # 2026:05:04 12:00:00
    subsecond: str = ""
    offset: str = ""  # +02:00


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture, 8-bit RGB, its longer side at most `LARGEST_SIDE_PX`; `date` is None where it has none."""

    image: Image.Image
    date: WrittenDate | None


def is_picture(path: Path) -> bool:
    """Whether a file is taken for a picture, by its name."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def read_picture(path: Path) -> Picture:
    """Read the picture at `path`; of several in one file, the first.

    Raises:
        PictureReadError: it is no picture, breaks off, or has more pixels than Pillow takes for an honest picture.
    """
    Image.init()
    try:
        with warnings.catch_warnings():
            # Between its limit and twice that Pillow warns; we take those, as such cameras exist.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
                date = _date(opened)
                opened.draft(None, (LARGEST_SIDE_PX, LARGEST_SIDE_PX))  # a JPEG is decoded no larger than it has to be
                image = _plain(ImageOps.exif_transpose(opened))
                image.thumbnail((LARGEST_SIDE_PX, LARGEST_SIDE_PX))
    except Image.DecompressionBombError as error:
        raise PictureReadError(path, f"it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels") from error
    except UnidentifiedImageError as error:
        raise PictureReadError(path, _unknown(path)) from error
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, MemoryError) as error:
        raise PictureReadError(path, str(getattr(error, "strerror", None) or error) or type(error).__name__) from error
    return Picture(image, date)


def write_picture(picture: Picture, *, camera_id: str, content_sha256: str, folder: Path) -> CutSegment:
    """The picture as a segment of one frame, written into `folder` as a JPEG; the same content gives the same bytes.

    Raises:
        WorkFolderError: the disk under `folder` takes nothing.
    """
    segment_id = file_segment_id(camera_id, content_sha256, 0)
    path = folder / f"{segment_id}.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        picture.image.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    except OSError as error:
        raise WorkFolderError(folder, error.strerror or str(error)) from error
    width_px, height_px = picture.image.size
    return CutSegment(
        path=path,
        index=0,
        segment_id=segment_id,
        previous_segment_id=None,
        start_s=0.0,
        duration_s=SHOWN_S,
        fps=1 / SHOWN_S,
        width_px=width_px,
        height_px=height_px,
        frame_count=1,
        is_copy=False,
    )


def _date(opened: Image.Image) -> WrittenDate | None:
    """When the picture was taken, or made digital; a file's last change is neither."""
    try:
        tags = opened.getexif().get_ifd(ExifTags.IFD.Exif)
    except (SyntaxError, ValueError, TypeError, KeyError, OSError):
        return None  # broken metadata of a picture that can be seen
    base = ExifTags.Base
    for clock, subsecond, offset in (
        (base.DateTimeOriginal, base.SubsecTimeOriginal, base.OffsetTimeOriginal),
        (base.DateTimeDigitized, base.SubsecTimeDigitized, base.OffsetTimeDigitized),
    ):
        if tags.get(clock):
            return WrittenDate(*(str(tags.get(tag, "")).strip("\0 ") for tag in (clock, subsecond, offset)))
    return None


def _plain(upright: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB; what shines through is white."""
    if upright.mode == "F":
        raise ValueError("its pixels are fractions, and nothing says which of them is white")
    if upright.mode.startswith("I"):  # 16 or 32 bits of grey, of which Pillow itself would cut off whatever is over 255
        grey = np.asarray(upright).astype(np.float64)
        white = 65535 if upright.mode.startswith("I;16") or grey.max(initial=0) > 255 else 255
        return Image.fromarray((grey / white * 255).clip(0, 255).astype(np.uint8)).convert("RGB")
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    seen = upright.convert("RGBA")
    plain = Image.new("RGB", seen.size, "white")
    plain.paste(seen, mask=seen.getchannel("A"))
    return plain


def _unknown(path: Path) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    if path.suffix.lower() in {".heic", ".heif"} and "HEIF" not in Image.OPEN:
        return "this Pillow reads no HEIC; keep a JPEG of it beside it"
    return "it is no picture, or its beginning is broken"
