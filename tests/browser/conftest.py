"""A real browser and a real page in a process of its own; skipped, with the reason, where there is no browser."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import pytest
from PIL import Image

from consumers.indexer.people import PeopleTable
from model.questions import CANNOT_TELL
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from tests.builders_web import COLOUR, HAT, MASK, VEST, Box, Walk, enter_segment, panned_clip, picture, sure
from tests.ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "artefacts"
AXE = ROOT / ".cache" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Open = Callable[..., "Page"]
WIDE, THUMB = (1440, 900), (390, 844)
LOOKS = [(WIDE, "dark"), (WIDE, "light"), (THUMB, "dark"), (THUMB, "light")]
LOOK_IDS = ["wide-dark", "wide-light", "thumb-dark", "thumb-light"]
START_S, END_S = 180, 60
PATIENCE_MS = 90_000  # for everything that a browser is waited for; other tests may have the machine


PICTURES_ARE_THERE = """() => new Promise(done => {
  // What an observer calls visible is clipped by every list that scrolls, as the browser's own lazy loading is.
  if (!document.images.length) return done(true);
  setTimeout(() => done(false), 2000);
  const observer = new IntersectionObserver(seen => {
    observer.disconnect();
    done(seen.every(({isIntersecting, target}) => !isIntersecting || target.complete && target.naturalWidth > 0));
  });
  [...document.images].forEach(image => observer.observe(image));
})"""
STANDS_STILL = """selectors => {
  const found = selectors.map(selector => document.querySelector(selector));
  if (!found.every(element => element?.checkVisibility())) return null;
  const sides = found.map(element => element.getBoundingClientRect()).map(box => [box.x, box.y, box.width, box.height]);
  const before = window.placesBefore;
  window.placesBefore = JSON.stringify(sides);
  return before === window.placesBefore ? sides : null;
}"""


class Place(NamedTuple):
    """Where an element is in the window, in pixels."""

    x: float
    y: float
    width: float
    height: float


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser tests")
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} is installed")
    with api.sync_playwright() as playwright:
        api.expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


class Opened(Protocol):
    """Whatever has a page."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class Site:
    """A page that runs, and the folder behind it."""

    url: str
    process: subprocess.Popen[bytes]
    store: MediaStore
    table: PeopleTable
    folder: Path

    def enter(self, walks: list[Walk], *, camera: str = "gate", ago_s: float = 30, **more: object) -> Manifest:
        """Let people arrive, as the indexer would."""
        started_at = datetime.now(UTC) - timedelta(seconds=ago_s)
        return enter_segment(
            self.store,
            self.table,
            self.folder / "bus.mp4",
            walks,
            camera=camera,
            started_at=started_at,
            **more,  # type: ignore[arg-type]
        )

    def alter(self, statement: str) -> None:
        """Do something to the database behind everybody's back."""
        with contextlib.closing(sqlite3.connect(self.folder / "people.sqlite3")) as database, database:
            database.execute(statement)


@contextmanager
def running(folder: Path, *told: str) -> Iterator[Site]:
    """The page over `folder`, in a process of its own; `told`: words for `tests.browser.site`."""
    port = free_port()
    store, table = MediaStore(str(folder / "media")), PeopleTable(f"sqlite:///{folder / 'people.sqlite3'}")
    command = [sys.executable, "-m", "tests.browser.site", str(folder), str(port), *told]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/api/v1/health", process)
        yield Site(f"http://127.0.0.1:{port}", process, store, table, folder)
    finally:
        process.terminate()
        assert process.wait(timeout=END_S) == 0
        table.close()


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.05)  # between two questions, not for a state: the deadline decides
    pytest.fail(f"the page did not answer at {url} within {START_S} s (exit status {process.poll()})")


@pytest.fixture(scope="session")
def bus_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panned_clip(picture("bus.jpg"), tmp_path_factory.mktemp("clips") / "bus.mp4", seconds=6)


@pytest.fixture(scope="session")
def crops() -> dict[str, np.ndarray]:
    bus, zidane = picture("bus.jpg"), picture("zidane.jpg")
    return {
        "blue": bus[395:905, 45:250],
        "black": bus[400:865, 215:350],
        "far": np.asarray(Image.fromarray(bus[400:865, 215:350]).resize((23, 79))),
        "right": bus[385:880, 665:810],
        "coach": zidane[40:715, 740:1150],
    }


@pytest.fixture
def empty_site(tmp_path: Path, bus_clip: Path) -> Iterator[Site]:
    shutil.copy(bus_clip, tmp_path / "bus.mp4")
    with running(tmp_path) as site:
        yield site


@pytest.fixture
def lonely_site(tmp_path: Path, bus_clip: Path) -> Iterator[Site]:
    """A page whose indexer does not run."""
    shutil.copy(bus_clip, tmp_path / "bus.mp4")
    with running(tmp_path, "alone") as site:
        yield site


@pytest.fixture
def site(tmp_path: Path, bus_clip: Path, people: Callable[[], list[Walk]]) -> Iterator[Site]:
    """A page of one's own, with six people of two cameras, one of them seen in two stretches of video."""
    with inhabited(tmp_path, bus_clip, people()) as site:
        yield site


@pytest.fixture(scope="session")
def still_site(
    tmp_path_factory: pytest.TempPathFactory, bus_clip: Path, people: Callable[[], list[Walk]]
) -> Iterator[Site]:
    """The same, shared by all who only look."""
    with inhabited(tmp_path_factory.mktemp("still"), bus_clip, people()) as site:
        yield site


@contextmanager
def inhabited(folder: Path, clip: Path, people: list[Walk]) -> Iterator[Site]:
    shutil.copy(clip, folder / "bus.mp4")
    with running(folder, "demo") as site:
        site.enter(people[:3], ago_s=300)
        first = site.enter(people[3:5], camera="yard", ago_s=60)
        site.enter([people[3], *people[5:]], camera="yard", ago_s=54, follows=first, links={0: 0})
        yield site


@pytest.fixture(scope="session")
def people(crops: dict[str, np.ndarray]) -> Callable[[], list[Walk]]:
    def walk(crop: str, caption: str, answers: dict[str, dict[str, float]], left: float) -> Walk:
        boxes: list[tuple[float, Box]] = [
            (0.4 + 0.2 * step, (left - 4 * step, 130.0, left - 4 * step + 120, 400.0)) for step in range(12)
        ]
        return Walk(boxes, crops[crop], caption, answers, best=6)

    bare = sure(HAT, "no", 0.91) | sure(VEST, "no", 0.97) | sure(MASK, "no", 0.88) | sure(COLOUR, "none", 0.8)
    clad = sure(HAT, "yes", 0.93) | sure(VEST, "yes", 0.86) | sure(MASK, "no", 0.71) | sure(COLOUR, "yellow", 0.82)
    small = sure(HAT, CANNOT_TELL, 0.7) | sure(VEST, CANNOT_TELL, 0.7) | sure(MASK, CANNOT_TELL, 0.7)
    return lambda: [
        walk("blue", "person in a blue jacket and dark trousers, bare head, in front of a bus", bare, 90),
        walk("far", "somebody far away", small, 300),
        walk("right", "person in a light top at the edge of the picture", bare | sure(MASK, CANNOT_TELL, 0.6), 400),
        walk("black", "person in a black jacket, walking", bare, 220),
        walk("coach", "man in a dark suit, bare head, looking to the side", bare, 260),
        walk("coach", "worker in a yellow hard hat and an orange vest", clad, 320),
    ]


@pytest.fixture
def open_page(browser: "Browser") -> "Iterator[Callable[..., Page]]":
    """Opens a page in a window of its own; anything the browser complains of fails the test."""
    contexts, complaints = [], []

    def open_(
        site: Opened,
        path: str = "/",
        *,
        size: tuple[int, int] = WIDE,
        theme: str = "dark",
        cookies: dict[str, str] | None = None,
        is_signed_in: bool = True,
    ) -> "Page":
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", bypass_csp=True
        )  # for axe
        carried = {"crewsight-theme": theme, **(cookies or {})}
        context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in carried.items()])
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if is_fault(said) else None)
        page.on("request", lambda asked: None if is_own(asked.url, site) else complaints.append(f"asks {asked.url}"))
        page.goto(site.url + path)
        if is_signed_in:
            page.locator(".light.good, .light.behind, .light.down").wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def is_fault(said: "ConsoleMessage") -> bool:
    """Whether the browser's words are a complaint; a server that was told to end may refuse,
    and one that shall let nobody in has to.
    """
    allowed = (
        "ERR_CONNECTION_REFUSED",
        "ERR_INTERNET_DISCONNECTED",
        "status of 401",
        "_CACHE_AUTH_FAILURE",
        "/_nicegui_ws/",
    )
    return said.type == "error" and not any(words in said.text for words in allowed)


def is_own(url: str, site: Opened) -> bool:
    return url.startswith((site.url, site.url.replace("http", "ws"), "data:", "blob:"))


def wait_for_pictures(page: "Page") -> None:
    """Wait until every picture that one sees is there; one that is out of sight may never be asked for."""
    page.wait_for_function(PICTURES_ARE_THERE)


def places(page: "Page", *selectors: str) -> list["Place"]:
    """Where the first element of each selector is at one moment, once nothing moves and all pictures are there."""
    wait_for_pictures(page)
    found = page.wait_for_function(STANDS_STILL, arg=list(selectors)).json_value()
    return [Place(*sides) for sides in found]


def serious_faults(page: "Page") -> list[str]:
    if not AXE.exists():
        pytest.skip(f"axe-core is not at {AXE}: `npm install --prefix .cache axe-core`")
    page.add_script_tag(path=AXE)
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    faults = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {[node['html'][:160] for node in fault['nodes'][:4]]}"
        for fault in faults
        if fault["impact"] in ("serious", "critical")
    ]


def check_room(page: "Page", shows: str, place: str, size: tuple[int, int], theme: str) -> None:
    """A room, once `shows` is there, fits its window and has no serious fault; its picture is kept."""
    page.locator(shows).first.wait_for()
    wait_for_pictures(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{place}-{size[0]}x{size[1]}-{theme}.png")
    assert serious_faults(page) == []
