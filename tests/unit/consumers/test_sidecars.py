"""Sidecars, read back by ExifTool where it is installed (Debian: libimage-exiftool-perl)."""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from consumers.errors import SidecarError
from consumers.indexer.people import Links, PeopleTable
from consumers.sidecars.export import EMPTIED, NOBODY, UNCHANGED, WRITTEN, SidecarExport, sidecar_of
from consumers.sidecars.said import Area, PictureSaid, Region
from consumers.sidecars.xmp import merged
from streamer.bus.identity import file_segment_id
from streamer.bus.media import manifest_uri
from tests.builders_consumers import FRAME_WH, a_manifest, a_segment, walking
from tests.builders_pictures import exif

BOX = (64.0, 48.0, 192.0, 336.0)  # of an upright picture of 640x480
RED = (200, 20, 20)
SAID = PictureSaid((640, 480), "A worker.", ("person", "hard hat"), (Region(Area(0.2, 0.4, 0.2, 0.6), "A worker."),))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[PeopleTable]:
    people = PeopleTable(f"sqlite:///{tmp_path}/state/people.sqlite3")
    yield people
    people.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    (folder / "may").mkdir(parents=True)
    return folder


@pytest.fixture
def exiftool() -> Callable[..., Any]:
    """ExifTool: with its words, what it says as JSON."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")

    def run(*words: object) -> Any:
        done = subprocess.run([program, *map(str, words)], check=True, capture_output=True, text=True)
        assert not done.stderr
        return json.loads(done.stdout) if "-json" in words else done.stdout

    return run


def boxed_picture() -> Image.Image:
    """An upright picture that is red exactly where the person is."""
    width, height = FRAME_WH
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    left, top, right, bottom = map(int, BOX)
    pixels[top:bottom, left:right] = RED
    return Image.fromarray(pixels)


def indexed(table: PeopleTable, picture: Path, *, camera_id: str = "library", people: int = 1) -> Path:
    """Enter people at the red box of a picture, as the indexer would."""
    sha256 = hashlib.sha256(picture.read_bytes()).hexdigest()
    segment = a_segment(file_segment_id(camera_id, sha256, 0), camera_id=camera_id)
    manifest = a_manifest(segment, [walking(segment, n, [(0.0, BOX)]) for n in range(1, people + 1)])
    embeddings = {person.person_id: base64.b64decode(person.embedding_base64) for person in manifest.people}
    table.record(manifest, manifest_uri(camera_id, segment.segment_id, "r1"), Links({}, {}), embeddings)
    return picture


def outcomes(table: PeopleTable, library: Path) -> dict[str, str]:
    """What comes of each picture, by name."""
    return {picture.name: str(outcome) for picture, outcome in SidecarExport(table).write(library)}


def test_what_is_known_of_a_picture_is_written_beside_it_once(
    table: PeopleTable, library: Path, exiftool: Callable[..., Any]
) -> None:
    boxed_picture().save(library / "may" / "photo.jpg")
    Image.new("RGB", (50, 50)).save(library / "unknown.png")
    indexed(table, library / "may" / "photo.jpg")
    shutil.copy(library / "may" / "photo.jpg", library / "copy.jpg")
    before = {path: path.read_bytes() for path in library.rglob("*.*")}
    assert outcomes(table, library) == {"photo.jpg": WRITTEN, "copy.jpg": WRITTEN, "unknown.png": NOBODY}
    assert outcomes(table, library) == {"photo.jpg": UNCHANGED, "copy.jpg": UNCHANGED, "unknown.png": NOBODY}
    assert {path: path.read_bytes() for path in before} == before
    assert not (library / "unknown.png.xmp").exists()
    (told,) = exiftool("-json", "-struct", "-XMP:all", library / "may" / "photo.jpg.xmp")
    assert told["Description"] == "A worker in a yellow hard hat."
    assert told["Subject"] == ["person", "hard hat"]
    assert told["RegionInfo"] == {
        "AppliedToDimensions": {"W": 640, "H": 480, "Unit": "pixel"},
        "RegionList": [
            {
                "Area": {"X": 0.2, "Y": 0.4, "W": 0.2, "H": 0.6, "Unit": "normalized"},
                "Description": "A worker in a yellow hard hat.",
            }
        ],
    }


@pytest.mark.parametrize("name", ["photo.jpg", "photo.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_those_of_the_pixels_that_the_file_stores(
    table: PeopleTable, library: Path, exiftool: Callable[..., Any], orientation: int, name: str
) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF's orientation -> Pillow's transposition that undoes it
    upright = boxed_picture()
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    stored.save(library / name, exif=exif(orientation=orientation))
    indexed(table, library / name)
    assert outcomes(table, library) == {name: WRITTEN}
    (told,) = exiftool("-json", "-struct", "-XMP:all", sidecar_of(library / name))
    size, area = told["RegionInfo"]["AppliedToDimensions"], told["RegionInfo"]["RegionList"][0]["Area"]
    assert (size["W"], size["H"]) == stored.size
    width, height = stored.size
    sides = ((area["X"], area["W"], width), (area["Y"], area["H"], height))
    (left, right), (top, bottom) = ([round((m - s / 2) * n), round((m + s / 2) * n)] for m, s, n in sides)
    pixels = np.asarray(stored).astype(int)
    red = np.zeros((height, width), dtype=bool)
    red[top:bottom, left:right] = True
    np.testing.assert_array_equal((pixels[:, :, 1] < 128), red)


def test_what_others_wrote_stays_and_what_is_ours_is_brought_up_to_date(
    table: PeopleTable, library: Path, exiftool: Callable[..., Any]
) -> None:
    boxed_picture().save(library / "photo.jpg")
    face = "{AppliedToDimensions={W=640,H=480,Unit=pixel},RegionList=[{Area={X=0.7,Y=0.5,W=0.1,H=0.1,Unit=normalized},"
    exiftool(
        "-Rating=5",
        "-XMP-dc:Description=My summer",
        "-Subject=holiday",
        "-Subject=hard hat",
        f"-RegionInfo={face}Name=Ada,Type=Face}}]}}",
        "-o",
        sidecar_of(library / "photo.jpg"),
    )
    indexed(table, library / "photo.jpg")
    assert outcomes(table, library) == {"photo.jpg": WRITTEN}
    assert outcomes(table, library) == {"photo.jpg": UNCHANGED}
    (told,) = exiftool("-json", "-struct", "-XMP:all", library / "photo.jpg.xmp")
    assert (told["Rating"], told["Description"]) == (5, "My summer")
    assert told["Subject"] == ["holiday", "hard hat", "person"]
    assert [region.get("Name") for region in told["RegionInfo"]["RegionList"]] == ["Ada", None]

    boxed_picture().save(library / "photo.jpg", quality=50)  # another picture, of which nobody knows anything
    assert outcomes(table, library) == {"photo.jpg": EMPTIED}
    (left,) = exiftool("-json", "-struct", "-XMP:all", library / "photo.jpg.xmp")
    assert (left["Rating"], left["Description"], left["Subject"]) == (5, "My summer", ["holiday", "hard hat"])
    assert [region["Name"] for region in left["RegionInfo"]["RegionList"]] == ["Ada"]
    assert outcomes(table, library) == {"photo.jpg": NOBODY}


def test_a_sidecar_that_holds_only_ours_goes_when_nobody_is_known_any_more() -> None:
    packet = merged(None, SAID)
    assert packet is not None
    assert merged(packet, SAID) == packet
    assert merged(packet, None) is None


def test_another_program_may_have_rounded_our_boxes() -> None:
    packet = merged(None, SAID)
    assert packet is not None
    rounded = packet.replace(b"<stArea:x>0.20000", b"<stArea:x>0.20125")
    assert rounded != packet
    again = merged(rounded, SAID)
    assert again is not None
    assert again.count(b"<mwg-rs:Description>") == 1


def test_properties_in_attributes_and_in_several_descriptions_are_kept() -> None:
    theirs = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description rdf:about="" xmlns:darktable="http://darktable.sf.net/" darktable:history_end="7"/>
    <rdf:Description rdf:about="" xmlns:lr="http://ns.adobe.com/lightroom/1.0/" lr:hierarchicalSubject="a|b"/>
    </rdf:RDF></x:xmpmeta>"""
    packet = merged(theirs, SAID)
    assert packet is not None
    assert b'darktable:history_end="7"' in packet
    assert b'lr:hierarchicalSubject="a|b"' in packet
    emptied = merged(packet, None)
    assert emptied is not None
    assert b"worker" not in emptied
    assert b'darktable:history_end="7"' in emptied


@pytest.mark.parametrize(
    "content",
    [b"", b"no XML", b"<svg/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "é".encode("latin-1"), b"\xff\xfe\x00"],
)
def test_what_is_no_sidecar_is_left_as_it_is(table: PeopleTable, library: Path, content: bytes) -> None:
    boxed_picture().save(library / "photo.jpg")
    sidecar_of(library / "photo.jpg").write_bytes(content)
    indexed(table, library / "photo.jpg")
    ((_, outcome),) = SidecarExport(table).write(library)
    assert isinstance(outcome, SidecarError)
    assert str(sidecar_of(library / "photo.jpg")) in str(outcome)
    assert sidecar_of(library / "photo.jpg").read_bytes() == content
    assert sorted(path.name for path in library.rglob("*.*")) == ["photo.jpg", "photo.jpg.xmp"]


def test_a_folder_that_is_not_there_is_said_in_one_line(table: PeopleTable, tmp_path: Path) -> None:
    with pytest.raises(SidecarError, match="there is no such folder"):
        list(SidecarExport(table).write(tmp_path / "nowhere"))
