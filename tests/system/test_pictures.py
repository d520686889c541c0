"""A library of pictures through all processes: found once, described, searchable, with sidecars; again: nothing new."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from streamer.bus.identity import file_segment_id
from tests.builders_pictures import exif
from tests.conftest import real_data
from tests.installation import Installation, until
from tests.system.conftest import finished

PHOTOS = ("004063_jpg", "006672_jpg", "IMG_5846_jpg", "ppe_1073_jpg")  # several people in each


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Photos as a camera writes them: one on its side, a copy, a broken one, in folders."""
    folder = tmp_path / "library"
    (folder / "2026" / "may").mkdir(parents=True)
    photos = [next(real_data("ppe/val/images").glob(f"{name}*")) for name in PHOTOS]
    for number, photo in enumerate(photos):
        shutil.copy(photo, folder / "2026" / "may" / f"{number}.jpg")
    with Image.open(photos[0]) as upright:
        on_its_side = upright.transpose(Image.Transpose.ROTATE_90)
    taken = exif(orientation=6, taken="2026:05:04 12:00:00", offset="+02:00")
    on_its_side.save(folder / "turned.jpg", exif=taken, quality=95)
    shutil.copy(photos[1], folder / "copy.jpg")
    (folder / "broken.jpg").write_bytes(photos[2].read_bytes()[:3000])
    return folder


def test_a_library_is_found_searched_and_tagged_and_a_second_run_adds_nothing(tmp_path: Path, library: Path) -> None:
    source = {"camera": "library", "folder": str(library), "subfolders": True, "time_zone": "Europe/Berlin"}
    installation = Installation(tmp_path / "installation", [source], {"folders": {"rest_s": 0.1}})
    first = finished(installation)
    assert "1 refused" in first.output
    assert len(first.manifests) == len(PHOTOS) + 1
    people = {person["person_id"] for person in first.people("library")}
    assert len(people) >= 2 * len(PHOTOS)
    (turned,) = [manifest for manifest in first.manifests.values() if manifest["time_origin"] == "exif"]
    upright = first.manifests[segment_of(library / "2026" / "may" / "0.jpg")]
    assert turned["started_at"] == "2026-05-04T10:00:00Z"
    assert tallest(turned) == pytest.approx(tallest(upright), abs=12)

    again = finished(installation)
    assert again.manifests == first.manifests
    assert again.output.splitlines()[-1] == first.output.splitlines()[-1]

    tagged = installation.run("export", "--xmp", str(library), "--config", str(installation.config))
    assert (tagged.returncode, tagged.stderr) == (0, "")
    assert (library / "turned.jpg.xmp").exists()
    with installation.running("up", "--config", str(installation.config)):
        found = until(lambda: searched(installation), 60, "a search that answers")
    assert {hit["person"]["person_id"] for hit in found} <= people


def segment_of(picture: Path) -> str:
    return file_segment_id("library", hashlib.sha256(picture.read_bytes()).hexdigest(), 0)


def tallest(manifest: dict[str, Any]) -> list[float]:
    boxes: list[list[float]] = [person["looks"][0]["box_xyxy"] for person in manifest["people"]]
    return max(boxes, key=lambda box: box[3] - box[1])


def searched(installation: Installation) -> list[dict[str, Any]]:
    words = ("search", "worker in a hard hat", "--json", "--config", str(installation.config))
    return [json.loads(line) for line in installation.run(*words).stdout.splitlines()]
