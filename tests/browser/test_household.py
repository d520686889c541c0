"""Every process real, from footage to the page: the demo as a newcomer starts it, and real clips.

With CREWSIGHT_UPDATE_PICTURES=1 its screenshots become the pictures of the README.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.browser.conftest import ARTEFACTS, LOOKS, ROOT, Open, serious_faults, wait_for_pictures
from tests.ports import free_port

PICTURES = ROOT / "docs" / "images"
DEADLINE_S = 480
END_S = 120
LOOK_EVERY_S = 0.3
ROOMS = (
    ("live", "/", "a.person"),
    ("search", f"/search?{httpx.QueryParams(q='person in a dark top, no hard hat')}", ".hit a.open"),
)
UPKEEP = (("cameras", "/cameras", ".camera-frame img:not(.hidden)"), ("system", "/system", ".panel td"))


@dataclass(frozen=True)
class Household:
    """All processes, and the page they stand behind."""

    url: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    with running(tmp_path_factory.mktemp("demo"), "--demo", media="demo/media") as household:
        yield household


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, clip: Callable[[str], Path]) -> Iterator[Household]:
    """The real clips of a warehouse and a classroom."""
    folder = tmp_path_factory.mktemp("footage")
    sources = [{"camera": name, "file": str(clip(f"{name}.mp4"))} for name in ("worker-zone", "classroom")]
    (folder / "crewsight.yaml").write_text(json.dumps({"sources": sources}))
    with running(folder, "--config", str(folder / "crewsight.yaml"), media="media") as household:
        yield household


@contextmanager
def running(folder: Path, *words: str, media: str) -> Iterator[Household]:
    """`crewsight up` over a folder of its own, until all footage is through."""
    port = free_port()
    told = {
        "CREWSIGHT_STATE__FOLDER": str(folder),
        "CREWSIGHT_PAGE__PORT": str(port),
        "CREWSIGHT_PAGE__TIME_ZONE": "Europe/Berlin",
        "CREWSIGHT_SEARCH__PORT": str(free_port()),
        "CREWSIGHT_BUS__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
    }
    command = [sys.executable, "-m", "crewsight", "up", *words]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **told}, stdout=subprocess.DEVNULL)
    try:
        household = Household(f"http://127.0.0.1:{port}")
        wait_until_all_is_seen(household, folder / media, process)
        yield household
    finally:
        process.terminate()
        process.wait(timeout=END_S)


def wait_until_all_is_seen(household: Household, media: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until everything that was cut has been looked at."""
    deadline, seen = time.monotonic() + DEADLINE_S, 0
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(LOOK_EVERY_S)  # between two questions, not for a state: the deadline decides
        try:
            answer = httpx.get(f"{household.url}/api/v1/status", timeout=10)
        except httpx.TransportError:
            continue
        if not answer.is_success:
            continue
        status = answer.json()
        cut, seen = len(list(media.glob("media/**/[!.]*.mp4"))), status["segments"]
        if seen == cut >= 2 and status["people"] and status["level"] == "good":
            return
    pytest.fail(f"not all was seen within {DEADLINE_S} s: {seen} segments (exit status {process.poll()})")


def test_both_rooms_stand_with_footage_behind_them(demo: Household, open_page: Open):
    ARTEFACTS.mkdir(exist_ok=True)
    for size, theme in LOOKS:
        page = open_page(demo, size=size, theme=theme)
        for room, path, card in ROOMS:
            page.goto(demo.url + path)
            page.locator(card).first.wait_for()
            page.evaluate("document.activeElement.blur()")
            wait_for_pictures(page)
            picture = ARTEFACTS / f"demo-{room}-{size[0]}x{size[1]}-{theme}.png"
            page.screenshot(path=picture)
            if (size, theme) == LOOKS[0] and os.environ.get("CREWSIGHT_UPDATE_PICTURES") == "1":
                PICTURES.mkdir(parents=True, exist_ok=True)
                shutil.copy(picture, PICTURES / f"{room}.png")
            assert serious_faults(page) == []


def test_a_person_of_the_demo_is_found_by_their_caption_and_plays(demo: Household, open_page: Open):
    page = open_page(demo)
    page.locator("a.person").first.click()
    page.locator(".walker").wait_for(state="attached")
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    page.get_by_role("link", name="More like this").click()
    page.locator(".hit a.open").first.wait_for()
    assert page.locator(".note.warn").count() == 0  # what the model says itself, it knows
    scores = [
        float(label.removeprefix("Likeness of the picture ").removesuffix(" of 1"))
        for label in page.locator(".score").evaluate_all("bars => bars.map(bar => bar.ariaLabel)")
    ]
    assert scores == sorted(scores, reverse=True)


def test_the_demo_says_that_it_is_one(demo: Household, open_page: Open):
    assert "demonstration footage" in open_page(demo).locator(".note").inner_text()


def test_the_worker_of_the_warehouse_is_found_first_and_plays(footage: Household, open_page: Open):
    page = open_page(footage, "/search?q=worker+in+an+orange+safety+vest")
    best = page.locator(".hit a.open").first
    best.wait_for()
    assert best.locator(".camera").inner_text() == "worker-zone"
    assert "orange safety vest" in best.locator(".caption").inner_text()
    best.click()
    page.locator(".walker").wait_for(state="attached")
    answers = page.locator(".question", has_text="wearing a hard hat").locator(".verdict")
    assert answers.inner_text().split()[-1] == "yes"
    page.screenshot(path=ARTEFACTS / "footage-person-1440x900-dark.png")


def test_the_back_row_of_the_classroom_is_too_small_to_tell(footage: Household, open_page: Open):
    page = open_page(footage, "/?camera=classroom")
    page.locator(".chip.unsure", has_text="too small").nth(1).wait_for()
    page.screenshot(path=ARTEFACTS / "footage-live-1440x900-dark.png")


def test_cameras_and_system_stand_over_real_processes(footage: Household, open_page: Open):
    ARTEFACTS.mkdir(exist_ok=True)
    for size, theme in LOOKS:
        page = open_page(footage, size=size, theme=theme)
        for room, path, shown in UPKEEP:
            page.goto(footage.url + path)
            page.locator(shown).first.wait_for()
            wait_for_pictures(page)
            picture = ARTEFACTS / f"footage-{room}-{size[0]}x{size[1]}-{theme}.png"
            page.screenshot(path=picture)
            if (size, theme) == LOOKS[0] and os.environ.get("CREWSIGHT_UPDATE_PICTURES") == "1":
                shutil.copy(picture, PICTURES / f"{room}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    jobs = page.locator(".panel", has=page.get_by_role("heading", name="Processes")).locator("td b")
    assert {"broker", "streamer", "analyzer", "indexer", "alerter", "notifier", "page"} <= set(jobs.all_inner_texts())
