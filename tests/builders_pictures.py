"""Small real pictures with the metadata that cameras write."""

import numpy as np
from PIL import ExifTags, Image


def half_red(size_wh: tuple[int, int] = (60, 40)) -> Image.Image:
    """A picture whose left half is red and whose right half is white."""
    width, height = size_wh
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    pixels[:, : width // 2] = (200, 20, 20)
    return Image.fromarray(pixels)


def exif(
    *, orientation: int = 1, taken: str = "", subsecond: str = "", offset: str = "", place: bool = False
) -> Image.Exif:
    """Metadata as a camera writes it; what is empty is left out."""
    found = Image.Exif()
    found[ExifTags.Base.Orientation] = orientation
    tags = found.get_ifd(ExifTags.IFD.Exif)
    for tag, value in (
        (ExifTags.Base.DateTimeOriginal, taken),
        (ExifTags.Base.SubsecTimeOriginal, subsecond),
        (ExifTags.Base.OffsetTimeOriginal, offset),
    ):
        if value:
            tags[tag] = value
    if place:
        found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return found
