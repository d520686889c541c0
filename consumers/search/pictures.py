"""Pictures that somebody sends to search with: decoded, bounded, upright. Pure."""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from consumers.errors import SearchQueryError
from model.crops import Crop, crop_person
from model.letterbox import Frame

MOST_BYTES = 8 << 20
MOST_PIXELS = 50_000_000
LEAST_PX = 8  # a side
FORMATS = ("JPEG", "PNG")


def decoded(picture: bytes) -> Frame:
    """The pixels of a JPEG or PNG, RGB (h, w, 3) uint8, turned as its EXIF says.

    Raises:
        SearchQueryError: It is none, has over 8 MiB or 50 million pixels, or a side under 8 pixels.
    """
    if len(picture) > MOST_BYTES:
        raise SearchQueryError(f"picture: at most {MOST_BYTES >> 20} MiB, got {len(picture) / 2**20:.1f}")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            warnings.simplefilter("ignore")  # of its size, which is bounded here before anything is decoded
            is_too_large = image.width * image.height > MOST_PIXELS
            pixels = np.zeros((0, 0, 3), np.uint8) if is_too_large else _upright(image)
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise SearchQueryError("picture: this is no JPEG or PNG that can be read") from error
    if is_too_large:
        raise SearchQueryError(f"picture: at most {MOST_PIXELS // 1_000_000} million pixels")
    if min(pixels.shape[:2]) < LEAST_PX:
        raise SearchQueryError(f"picture: a side has under {LEAST_PX} pixels, which shows nobody")
    return np.ascontiguousarray(pixels)


def _upright(image: Image.Image) -> Frame:
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def encoded(pixels: Frame) -> bytes:
    """Pixels as a PNG, which loses nothing."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def whole(pixels: Frame) -> Crop:
    """A picture that shows one person and little else."""
    return Crop(pixels, pixels.shape[0])


def cut_out(frame: Frame, *, left: float, top: float, width: float, height: float) -> Frame:
    """What a box drawn on a frame shows, with the margin that people are cut out with; fractions of the frame.

    Raises:
        SearchQueryError: The box lies outside the frame or is too small.
    """
    frame_height, frame_width = frame.shape[:2]
    right, bottom = min(left + width, 1.0), min(top + height, 1.0)
    if not (0 <= left < right and 0 <= top < bottom):
        raise SearchQueryError("box: it lies outside the frame")
    box = np.asarray([left * frame_width, top * frame_height, right * frame_width, bottom * frame_height], np.float32)
    if min(box[2] - box[0], box[3] - box[1]) < LEAST_PX:
        raise SearchQueryError(f"box: a side has under {LEAST_PX} pixels, which shows nobody")
    return crop_person(frame, box).pixels
