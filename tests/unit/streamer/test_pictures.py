import hashlib
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import ExifTags, Image

from streamer.beginning import picture_taken
from streamer.bus.identity import file_segment_id
from streamer.bus.messages import TimeOrigin
from streamer.errors import PictureReadError
from streamer.pictures import LARGEST_SIDE_PX, WrittenDate, read_picture, write_picture
from tests.builders_pictures import exif, half_red

RED, WHITE = (200, 20, 20), (255, 255, 255)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def colours(path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The colours in the left and the right half of a picture as the streamer reads it."""
    image = read_picture(path).image
    assert image.mode == "RGB"
    width, height = image.size
    return tuple(image.getpixel((x, height // 2)) for x in (width // 4, 3 * width // 4))  # type: ignore[return-value]


def is_near(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 12


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_whatever_its_file_says(tmp_path: Path, name: str, orientation: int) -> None:
    upright = half_red((60, 40))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF's orientation -> Pillow's transposition that undoes it
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    stored.save(tmp_path / name, exif=exif(orientation=orientation), quality=95)
    assert read_picture(tmp_path / name).image.size == (60, 40)
    left, right = colours(tmp_path / name)
    assert is_near(left, RED)
    assert is_near(right, WHITE)


def test_every_kind_of_pixels_becomes_red_green_and_blue(tmp_path: Path) -> None:
    half_red().convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    half_red().quantize(4).save(tmp_path / "palette.png")
    half_red().convert("RGBA").save(tmp_path / "alpha.webp", lossless=True)
    see_through = half_red().convert("RGBA")
    see_through.putalpha(Image.fromarray(np.repeat([[255] * 30 + [0] * 30], 40, axis=0).astype(np.uint8)))
    see_through.save(tmp_path / "holes.png")
    for path in sorted(tmp_path.iterdir()):
        left, right = colours(path)
        assert is_near(left, RED), path.name
        assert is_near(right, WHITE), path.name


@pytest.mark.parametrize("name", ["grey.png", "grey.tif"])
def test_sixteen_bits_of_grey_keep_their_brightness(tmp_path: Path, name: str) -> None:
    grey = np.repeat([[128] * 30 + [40_000] * 30], 40, axis=0).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / name)
    assert colours(tmp_path / name) == ((0, 0, 0), (155, 155, 155))


def test_a_large_picture_is_kept_smaller(tmp_path: Path) -> None:
    half_red((LARGEST_SIDE_PX * 2, 400)).save(tmp_path / "wide.png")
    assert read_picture(tmp_path / "wide.png").image.size == (LARGEST_SIDE_PX, 200)


def broken(folder: Path) -> dict[str, Path]:
    whole = folder / "whole.jpg"
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    contents = {
        "empty.jpg": b"",
        "cut.jpg": whole.read_bytes()[:9000],
        "words.png": b"no picture",
        "half.heic": b"\0\0\0\x18ftypheic" + bytes(40),
        "script.tif": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    Image.new("1", (20_000, 10_000)).save(folder / "bomb.png")
    Image.fromarray(np.ones((5, 5), dtype=np.float32)).save(folder / "fractions.tif")
    return {path.name: path for path in folder.iterdir() if path != whole}


REASONS = {
    "empty.jpg": "the file is empty",
    "cut.jpg": "truncated",
    "words.png": "it is no picture",
    "half.heic": "HEIC",
    "script.tif": "it is no picture",
    "bomb.png": "more than 178,956,970 pixels",
    "fractions.tif": "fractions",
}


def test_what_cannot_be_read_is_refused_with_its_reason(tmp_path: Path) -> None:
    refused = {}
    for name, path in broken(tmp_path).items():
        with pytest.raises(PictureReadError) as caught:
            read_picture(path)
        refused[name] = caught.value.reason
    assert refused.keys() == REASONS.keys()
    assert {name: reason for name, reason in refused.items() if REASONS[name] not in reason} == {}


def test_what_is_kept_of_a_picture_has_none_of_its_metadata_and_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    half_red().save(path, exif=exif(taken="2026:05:04 12:00:00", place=True))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    with Image.open(path) as original:
        assert original.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    sha256 = hashlib.sha256(before[0]).hexdigest()
    kept = write_picture(read_picture(path), camera_id="library", content_sha256=sha256, folder=tmp_path / "work")
    with Image.open(kept.path) as stored:
        assert not stored.getexif()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert (kept.segment_id, kept.width_px, kept.height_px) == (file_segment_id("library", sha256, 0), 60, 40)
    again = write_picture(read_picture(path), camera_id="library", content_sha256=sha256, folder=tmp_path / "again")
    assert again.path.read_bytes() == kept.path.read_bytes()


def test_the_date_is_read_with_its_offset(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.webp"):
        written = exif(taken="2026:05:04 12:00:00", subsecond="25", offset="+02:00")
        half_red().save(tmp_path / name, exif=written)
        assert read_picture(tmp_path / name).date == WrittenDate("2026:05:04 12:00:00", "25", "+02:00")
    half_red().save(tmp_path / "none.jpg")
    assert read_picture(tmp_path / "none.jpg").date is None


@pytest.mark.parametrize(
    ("date", "taken_at", "origin"),
    [
        (None, "2026-03-01 00:00:00+00:00", TimeOrigin.FILE),
        (WrittenDate("2026:05:04 12:00:00", offset="+02:00"), "2026-05-04 10:00:00+00:00", TimeOrigin.EXIF),
        (WrittenDate("2026:05:04 12:00:00"), "2026-05-04 03:00:00+00:00", TimeOrigin.EXIF_ZONE),
        (WrittenDate("2026:05:04 12:00:00", offset="nowhere"), "2026-05-04 03:00:00+00:00", TimeOrigin.EXIF_ZONE),
        (WrittenDate("2026:05:04 12:00:00", "999"), "2026-05-04 03:00:00.999000+00:00", TimeOrigin.EXIF_ZONE),
        (WrittenDate("0000:00:00 00:00:00"), "2026-03-01 00:00:00+00:00", TimeOrigin.FILE),
        (WrittenDate("2031:01:01 00:00:00"), "2026-03-01 00:00:00+00:00", TimeOrigin.FILE),
        (WrittenDate("0001:01:01 00:00:00"), "2026-03-01 00:00:00+00:00", TimeOrigin.FILE),
    ],
)
def test_when_a_picture_was_taken(date: WrittenDate | None, taken_at: str, origin: TimeOrigin) -> None:
    modified_s = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    found = picture_taken(date, zone=ZoneInfo("Asia/Tokyo"), modified_s=modified_s, now=NOW)
    assert (str(found[0]), found[1]) == (taken_at, origin)
