"""The room *Search* in a real browser: words, filters, examples, both layouts, what is chosen and taken along."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.questions import CANNOT_TELL
from tests.browser.conftest import ARTEFACTS, THUMB, WIDE, Site, running, serious_faults
from tests.builders_web import COLOUR, HAT, MASK, VEST, Box, Walk, sure

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
LOOKS = [(WIDE, "dark"), (WIDE, "light"), (THUMB, "dark"), (THUMB, "light")]
IDS = ["wide-dark", "wide-light", "thumb-dark", "thumb-light"]
PLACES = {
    "search-empty": ("/search", ".tries a"),
    "search-sheet": ("/search?q=worker+in+an+orange+vest", ".hit a.open"),
    "search-filtered": ("/search?q=worker+in+an+orange+vest&camera=gate;yard&since=24h&said=vest", ".hit a.open"),
    "search-timeline": ("/search?q=worker+in+an+orange+vest&view=timeline", ".mark"),
    "search-nobody": ("/search?q=worker&camera=gate&said=jacket;helmet", ".ways-out a"),
    "search-unknown": ("/search?q=worker+with+a+forklift&since=24h", ".note.warn"),
}
CAPTIONS = (
    ("blue", "person in a blue jacket and dark trousers, bare head, in front of a bus"),
    ("right", "person in a light top at the edge of the picture"),
    ("black", "person in a black jacket, walking"),
    ("coach", "man in a dark suit, bare head, looking to the side"),
    ("vest", "worker in a yellow hard hat and an orange vest"),
    ("far", "somebody far away"),
)


def looks_like(crop: str, crops: dict[str, np.ndarray], caption: str, place: int) -> Walk:
    left = 60.0 + 70 * place
    boxes: list[tuple[float, Box]] = [
        (0.4 + 0.2 * step, (left - 4 * step, 130.0, left - 4 * step + 120, 400.0)) for step in range(12)
    ]
    is_clad = crop == "vest"
    answers = {
        **sure(HAT, CANNOT_TELL if crop == "far" else "yes" if is_clad else "no", 0.91),
        **sure(VEST, CANNOT_TELL if crop == "far" else "yes" if is_clad else "no", 0.78),
        **sure(MASK, "no", 0.71),
        **sure(COLOUR, "yellow" if is_clad else "none", 0.82),
    }
    return Walk(boxes, crops["coach" if is_clad else crop], caption, answers, best=6)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, bus_clip: Path, crops: dict[str, np.ndarray]) -> Iterator[Site]:
    """Three cameras over some hours: 36 people, three of them seen in several stretches of video."""
    folder = tmp_path_factory.mktemp("searched")
    shutil.copy(bus_clip, folder / "bus.mp4")
    with running(folder) as site:
        fill(site, crops)
        yield site


def fill(site: Site, crops: dict[str, np.ndarray]) -> None:
    walks = [looks_like(crop, crops, caption, place) for place, (crop, caption) in enumerate(CAPTIONS)]
    hour_s = timedelta(hours=1).total_seconds()
    for number, camera in enumerate(("gate", "yard", "loading ramp, north side")):
        for round_ in range(3):
            ago_s = hour_s * (3.4 - round_ - 0.23 * number)
            first = site.enter(walks[: 3 + number], camera=camera, ago_s=ago_s)
            if round_ == 1:
                site.enter([walks[4], walks[0]], camera=camera, ago_s=ago_s - 6, follows=first, links={1: 0})


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=IDS)
@pytest.mark.parametrize("place", PLACES)
def test_the_room_fits_its_window_and_has_no_serious_fault(
    searched: Site, open_page: Open, place: str, size: tuple[int, int], theme: str
):
    path, shows = PLACES[place]
    page = open_page(searched, path, size=size, theme=theme)
    page.locator(shows).first.wait_for()
    page.wait_for_function(
        "[...document.images].every(image => image.getBoundingClientRect().top > innerHeight || image.complete)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{place}-{size[0]}x{size[1]}-{theme}.png")
    assert serious_faults(page) == []
