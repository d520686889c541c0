"""The room *Search* over everything real: footage and photos go through all processes, FAISS and full text answer."""

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from tests.browser.conftest import Open
from tests.conftest import real_data
from tests.installation import Installation, until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.timeout(900)
PHOTO = "004063_jpg"  # several people
ANALYSED_S = 600.0  # of a few seconds of footage and a photo, on a machine that does much else
SLOW_MS = 120_000
HATS = "/search?q=worker+in+a+hard+hat"


@dataclass(frozen=True)
class Desk:
    """A page over what all processes have made of the footage."""

    url: str
    seen: dict[str, int]  # camera -> tracks that can be searched


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Five seconds of a building site, and a folder with a photo."""
    folder = tmp_path_factory.mktemp("real")
    photos = folder / "photos"
    photos.mkdir()
    shutil.copy(next(real_data("ppe/val/images").glob(f"{PHOTO}*")), photos / "photo.jpg")
    sources = [
        {"camera": "zone", "file": str(real_data("videos/worker-zone.mp4"))},
        {"camera": "library", "folder": str(photos)},
    ]
    installation = Installation(folder / "installation", sources, {"folders": {"rest_s": 0.1}})
    up = installation.running("up", "--config", str(installation.config))
    with up, urllib3.PoolManager(retries=False, timeout=30) as ask:

        def everything() -> dict[str, int]:
            """Tracks by camera, once the clip and the photo are there and can be searched."""
            try:
                people = ask.request("GET", f"{installation.page_url}/api/v1/people?limit=200").json()["people"]
                found = ask.request("POST", f"{installation.page_url}/api/v1/search", json={"k": 200}).json()["hits"]
            except (urllib3.exceptions.HTTPError, KeyError, ValueError):
                return {}
            cameras = [person["camera_id"] for person in people]
            clips = {person["clip"]["url"] for person in people}
            is_whole = len(clips) == 2 and len(found) == len(people)
            return {camera: cameras.count(camera) for camera in set(cameras)} if is_whole else {}

        seen = until(everything, ANALYSED_S, "a clip and a photo that can be searched")
        picture = {"picture": base64.b64encode((photos / "photo.jpg").read_bytes()).decode()}
        # The first picture waits for the model that sees to be loaded, and on a busy machine not for long enough.
        until(lambda: is_answered(ask, installation, picture), ANALYSED_S, "a search by picture")
        yield Desk(installation.page_url, seen)


def is_answered(ask: urllib3.PoolManager, installation: Installation, query: dict[str, str]) -> bool:
    """Whether a search comes to its end."""
    try:
        address = f"{installation.page_url}/api/v1/search"
        return ask.request("POST", address, json=query, timeout=90).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def shown(desk: Desk, open_page: Open, path: str = HATS) -> "Page":
    """The room with its hits."""
    page = open_page(desk, path)
    page.set_default_timeout(SLOW_MS)
    page.locator(".hit a.open").first.wait_for()
    return page


def settled(page: "Page", selector: str) -> "Locator":
    """Of several, once they stand still: a hit that is drawn anew is another element."""
    found = page.locator(selector)
    found.first.wait_for()
    return found


def test_somebody_is_found_filtered_opened_and_played(desk: Desk, open_page: Open) -> None:
    page = shown(desk, open_page)
    assert {"zone", "library"} <= set(page.locator(".hit .camera").all_inner_texts())
    page.locator(".search-filters summary", has_text="Cameras").click()
    page.locator(".search-filters a", has_text="zone").click()
    page.wait_for_url("**camera=zone*")
    page.locator(".hit .camera", has_text="library").first.wait_for(state="detached")
    assert page.locator(".hit").count() <= desk.seen["zone"]
    settled(page, ".hit a.open").first.click()
    page.locator(".sheet video").wait_for()
    page.evaluate(
        "() => { const clip = document.querySelector('.sheet video'); clip.muted = true; return clip.play(); }"
    )
    page.wait_for_function("document.querySelector('.sheet video')?.currentTime > 0.5", timeout=SLOW_MS)


def test_more_like_somebody_are_found_by_their_vector(desk: Desk, open_page: Open) -> None:
    page = shown(desk, open_page, f"{HATS}&camera=zone")
    page.locator(".hit a.open").first.click()
    page.locator(".sheet").get_by_role("link", name="More like this").click()
    page.wait_for_url("**/search?like=*")
    page.locator(".example", has_text="Like this").wait_for()
    like = parse_qs(urlsplit(page.url).query)["like"][0]
    first = settled(page, ".hit a.open").first
    assert like in (first.get_attribute("href") or ""), "nobody is more like somebody than they themselves"


def test_what_is_chosen_is_exported_whole(desk: Desk, open_page: Open, tmp_path: Path) -> None:
    page = shown(desk, open_page, f"{HATS}&camera=zone")
    settled(page, ".hit").first.get_by_role("checkbox").click()
    page.get_by_text("1 chosen").wait_for()
    page.get_by_role("button", name="Export").click()
    ready = page.get_by_role("link", name="Download")
    ready.wait_for(timeout=SLOW_MS)
    with page.expect_download(timeout=SLOW_MS) as taken:
        ready.click()
    with zipfile.ZipFile(taken.value.path()) as archive:
        archive.extractall(tmp_path)
    lines = [line.partition("  ") for line in (tmp_path / "SHA256SUMS").read_text().splitlines()]
    assert {".mp4", ".jpg", ".json", ".html", ".pdf"} <= {Path(name).suffix for _, _, name in lines}
    for digest, _, name in lines:
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("camera", ["zone", "library"], ids=["on a frame of a video", "on a picture"])
def test_whoever_is_in_a_box_is_looked_for(desk: Desk, open_page: Open, camera: str) -> None:
    page = shown(desk, open_page, f"{HATS}&camera={camera}")
    page.locator(".hit a.open").first.click()
    page.get_by_role("button", name="Box on this frame").click()
    page.get_by_text("Drag a box around somebody").wait_for()
    page.wait_for_function("document.querySelector('.box-body img')?.naturalWidth > 0")
    frame = page.locator(".box-body img").bounding_box()
    assert frame is not None
    corners = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in ((0.2, 0.1), (0.8, 0.9))]
    page.mouse.click(*corners[0])
    page.get_by_text("Now the opposite corner").wait_for()
    page.mouse.click(*corners[1])
    page.get_by_text("Search, or draw another").wait_for()
    page.locator(".box-body").get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/search?frame=*")
    page.get_by_text("A box drawn on a frame").wait_for()
    page.locator(".hit a.open").first.wait_for(timeout=SLOW_MS)
