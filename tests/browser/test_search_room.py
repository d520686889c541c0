"""The room *Search* in a real browser: words, filters, examples, both layouts, what is chosen and taken along."""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from consumers.alerts.rules_file import read_rules
from model.questions import CANNOT_TELL
from tests.browser.conftest import (
    ARTEFACTS,
    LOOK_IDS,
    LOOKS,
    PATIENCE_MS,
    THUMB,
    WIDE,
    Open,
    Site,
    check_room,
    places,
    running,
    serious_faults,
)
from tests.builders_web import COLOUR, HAT, MASK, VEST, Box, Walk, jpeg, picture, sure

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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


ALL_WEAR_JACKETS = """() => {
  const captions = [...document.querySelectorAll('.hit .caption')];
  return captions.length > 0 && captions.every(caption => caption.innerText.includes('jacket'));
}"""


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


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=LOOK_IDS)
@pytest.mark.parametrize("place", PLACES)
def test_the_room_fits_its_window_and_has_no_serious_fault(
    searched: Site, open_page: Open, place: str, size: tuple[int, int], theme: str
):
    path, shows = PLACES[place]
    page = open_page(searched, path, size=size, theme=theme)
    check_room(page, shows, place, size, theme)


def open_search(
    searched: Site, open_page: Open, path: str = "/search?q=worker+in+an+orange+vest", **more: object
) -> "Page":
    page = open_page(searched, path, **more)
    page.locator(".hit a.open").first.wait_for()
    return page


def test_filters_are_chosen_from_menus_stand_as_chips_and_stand_in_the_address(searched: Site, open_page: Open):
    page = open_search(searched, open_page)
    page.locator(".search-filters summary", has_text="Cameras").click()
    page.locator(".search-filters a", has_text="yard").click()
    page.wait_for_url("**/search?q=worker+in+an+orange+vest&camera=yard")
    page.locator(".hit .camera", has_text="loading ramp").first.wait_for(state="detached")
    page.locator(".search-filters summary", has_text="Answers").click()
    hat = page.locator(".asked-row", has=page.get_by_text("hard hat", exact=True))
    hat.get_by_role("link", name="no", exact=True).click()
    page.wait_for_url("**answers=*")
    page.get_by_label("Remove the filter: no hard hat").wait_for()
    page.locator(".hit a.open", has_text="yellow hard hat").first.wait_for(state="detached")
    page.locator(".search-filters summary", has_text="Described").click()
    page.get_by_label("Word in the description").fill("jacket")
    page.keyboard.press("Enter")
    page.wait_for_url("**said=jacket*")
    page.locator(".held").nth(2).wait_for()
    assert page.locator(".held").count() == 3
    page.wait_for_function(ALL_WEAR_JACKETS)
    captions = page.locator(".hit .caption").all_inner_texts()
    colleague = open_search(searched, open_page, page.url.removeprefix(searched.url))
    assert colleague.locator(".hit .caption").all_inner_texts() == captions
    page.get_by_label("Remove the filter: described: jacket").click()
    page.locator(".hit a.open", has_text="dark suit").first.wait_for()


def test_a_stretch_of_time_is_typed_in_the_zone_of_choice(searched: Site, open_page: Open):
    page = open_search(searched, open_page)
    page.locator(".search-filters summary", has_text="Time").click()
    page.get_by_label("Since").fill("soon")
    page.keyboard.press("Enter")
    page.get_by_text("Write 14:30").first.wait_for()
    page.get_by_label("Since").fill("2026-01-01 10:00")
    page.get_by_label("Until").fill("2099-01-01")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**since=2026-01-01+10%3A00*")
    page.get_by_label("Remove the filter: since 1 Jan 10:00:00 CET").wait_for()


def test_nobody_found_says_which_filter_leaves_nobody(searched: Site, open_page: Open):
    page = open_page(searched, "/search?q=worker&camera=gate&said=jacket;helmet")
    page.locator(".ways-out a", has_text="Without “described: helmet”").click()
    page.wait_for_url("**said=jacket")
    page.locator(".hit a.open", has_text="jacket").first.wait_for()


def test_further_pages_come_behind_what_stands_and_newcomers_stay_out_of_them(
    searched: Site, open_page: Open, crops: dict[str, np.ndarray]
):
    page = open_search(searched, open_page)
    first = page.locator(".hit .open").evaluate_all("links => links.map(link => link.href)")
    searched.enter([looks_like("vest", crops, "worker in an orange vest who came late", 1)], camera="gate", ago_s=1)
    page.keyboard.press("Escape")
    page.locator(".room").focus()
    page.keyboard.press("n")
    page.wait_for_function("number => document.querySelectorAll('.hit').length > number", arg=len(first))
    links = page.locator(".hit .open").evaluate_all("links => links.map(link => link.href)")
    assert links[: len(first)] == first
    assert len(set(links)) == len(links)
    assert page.get_by_text("who came late").count() == 0
    page.reload()
    page.get_by_text("who came late").first.wait_for()


def test_hits_of_one_chain_stand_together_and_open_each(searched: Site, open_page: Open):
    page = open_search(searched, open_page, "/search?q=blue+jacket+bus")
    more = page.locator(".sightings-of").first
    more.locator("summary").click()
    more.locator(".strip a").nth(1).click()
    page.locator(".sheet video").wait_for()
    page.get_by_text("The same person in 2 clips").wait_for()


def test_the_timeline_has_a_lane_a_camera_and_leads_closer(searched: Site, open_page: Open):
    page = open_page(searched, "/search?q=worker+in+an+orange+vest&view=timeline")
    page.locator(".mark").first.wait_for()
    assert page.locator(".lane .lane-name b").count() == 3
    lefts = page.locator(".lane", has=page.get_by_text("yard", exact=True)).locator(".mark")
    assert len(set(lefts.evaluate_all("marks => marks.map(mark => Math.round(mark.getBoundingClientRect().x))"))) >= 3
    page.locator(".crowd").first.click()
    page.wait_for_url("**since=*")
    page.locator(".mark").first.wait_for()
    page.locator(".mark").first.click()
    page.locator(".sheet video").wait_for()


def test_where_else_is_likely_at_best_and_says_what_that_means(searched: Site, open_page: Open):
    page = open_search(searched, open_page)
    page.locator(".hit a.open", has_text="yellow hard hat").first.click()
    page.get_by_role("button", name="Where else").click()
    page.locator(".elsewhere .level.likely").first.wait_for()
    page.get_by_text("not that the person is the same").wait_for()
    assert serious_faults(page) == []
    shown = page.url
    page.locator(".elsewhere a").first.click()
    page.wait_for_function("url => location.href !== url", arg=shown)
    page.locator(".sheet video").wait_for()


@pytest.mark.parametrize("size", [WIDE, THUMB], ids=["dragged", "tapped"])
def test_a_box_drawn_on_a_frame_is_searched_with(searched: Site, open_page: Open, size: tuple[int, int]):
    page = open_search(searched, open_page, size=size)
    page.locator(".hit a.open").first.click()
    page.get_by_role("button", name="Box on this frame").click()
    page.get_by_text("Drag a box around somebody").wait_for()
    [frame] = places(page, ".box-body img")
    corners = [(frame.x + x * frame.width, frame.y + y * frame.height) for x, y in ((0.3, 0.3), (0.6, 0.9))]
    if size == WIDE:
        page.mouse.move(*corners[0])
        page.mouse.down()
        page.mouse.move(*corners[1])
        page.mouse.up()
    else:
        page.mouse.click(*corners[0])
        page.get_by_text("Now the opposite corner").wait_for()
        page.mouse.click(*corners[1])
    page.get_by_text("Search, or draw another").wait_for()
    page.screenshot(path=ARTEFACTS / f"search-box-{size[0]}x{size[1]}-dark.png")
    page.locator(".box-body").get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/search?frame=*")
    page.get_by_text("A box drawn on a frame").wait_for()
    page.locator(".hit a.open").first.wait_for()
    left, top, width, height = map(float, parse_qs(urlsplit(page.url).query)["frame"][0].split(";")[2:])
    assert (left, top, width, height) == pytest.approx((0.3, 0.3, 0.3, 0.6), abs=0.01)


def test_a_picture_is_searched_with_and_its_address_can_be_sent(searched: Site, open_page: Open, tmp_path: Path):
    page = open_page(searched, "/search")
    (tmp_path / "somebody.jpg").write_bytes(jpeg(picture("zidane.jpg")))
    with page.expect_file_chooser() as chosen:
        page.get_by_label("Search with a picture").click()
    chosen.value.set_files(tmp_path / "somebody.jpg")
    page.wait_for_url("**/search?picture=*")
    page.get_by_text("A picture that was uploaded").wait_for()
    colleague = open_search(searched, open_page, page.url.removeprefix(searched.url))
    colleague.get_by_label("Search without this example").click()
    colleague.locator(".tries a").first.wait_for()
    forgotten = open_page(searched, "/search?picture=0123")
    forgotten.get_by_text("no longer kept").wait_for()


def test_what_is_chosen_is_exported_and_its_sums_hold(
    searched: Site, open_page: Open, browser: "Browser", tmp_path: Path
):
    page = open_search(searched, open_page)
    page.keyboard.press("Escape")
    page.locator(".room").focus()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_text("1 chosen").wait_for()
    page.get_by_role("checkbox", name="Choose worker").nth(1).click()
    page.get_by_text("2 chosen").wait_for()
    page.get_by_label("Note for the report").fill("Case 7")
    page.screenshot(path=ARTEFACTS / "search-chosen-1440x900-dark.png")
    assert serious_faults(page) == []
    page.get_by_role("button", name="Export").click()
    ready = page.get_by_role("link", name="Download")
    ready.wait_for()
    with page.expect_download() as taken:
        ready.click()
    with zipfile.ZipFile(taken.value.path()) as archive:
        archive.extractall(tmp_path)
        names = archive.namelist()
    assert {Path(name).suffix for name in names} == {".mp4", ".jpg", ".json", ".html", ".pdf", ""}
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == len(names) - 1
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    report = browser.new_page()
    report.set_default_timeout(PATIENCE_MS)
    report.goto((tmp_path / "report.html").as_uri())
    report.get_by_text("Case 7").wait_for()
    assert report.locator("article").count() == 2
    assert " CET" in report.locator("article").first.inner_text()
    report.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    report.wait_for_function("[...document.querySelectorAll('video')].every(video => video.readyState > 0)")
    report.screenshot(path=ARTEFACTS / "search-report.png", full_page=True)
    report.close()


def test_a_search_is_saved_run_shared_renamed_deleted_and_brought_back(searched: Site, open_page: Open):
    page = open_search(searched, open_page, "/search?q=orange+vest&camera=gate")
    page.get_by_text("Saved", exact=True).click()
    page.get_by_role("button", name="Save this search").click()
    page.get_by_label("Name", exact=True).fill("Vests at the gate")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved as “Vests at the gate”").wait_for()
    other = open_page(searched, "/search")
    other.get_by_text("Saved", exact=True).click()
    other.get_by_role("link", name="Vests at the gate").click()
    other.wait_for_url("**/search?q=orange+vest&camera=gate")
    other.locator(".hit a.open").first.wait_for()
    page.get_by_label("Rename, share, guard or delete Vests at the gate").click()
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_text("Everybody who may search sees it now").wait_for()
    page.locator(".kept", has_text="shared").wait_for()
    page.get_by_label("Rename, share, guard or delete Vests at the gate").click()
    page.get_by_role("button", name="Stand guard").click()
    page.locator(".kept .guard").wait_for()
    page.get_by_label("Rename, share, guard or delete Vests at the gate").click()
    page.get_by_role("button", name="Stand down").wait_for()
    page.screenshot(path=ARTEFACTS / "search-guard-1440x900-dark.png")
    assert serious_faults(page) == []
    page.get_by_label("Name", exact=True).fill("Gate")
    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_label("Rename, share, guard or delete Gate").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("“Gate” is back").wait_for()


def save_and_guard(page: "Page", name: str) -> None:
    page.get_by_text("Saved", exact=True).click()
    page.get_by_role("button", name="Save this search").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label(f"Rename, share, guard or delete {name}").click()
    page.get_by_role("button", name="Stand guard").click()


def test_a_search_for_two_answers_stands_guard_for_both_and_one_for_both_of_one_question_is_refused(
    searched: Site, open_page: Open
):
    both = f"{HAT.question_id}:no;{VEST.question_id}:no"
    page = open_search(searched, open_page, f"/search?answers={both}")
    save_and_guard(page, "Neither")
    page.locator(".kept .guard.on").wait_for()
    (rule,) = [one for one in read_rules(searched.folder / "rules.yaml").rules if one.title == "Neither"]
    assert [one.asked.text for one in rule.clauses] == [HAT.text, VEST.text]
    either = f"{HAT.question_id}:no;{HAT.question_id}:yes"
    page = open_page(searched, f"/search?answers={either}")
    page.locator(".ways-out a").first.wait_for()
    save_and_guard(page, "Never")
    page.get_by_text("never hold together, so there is nothing to watch for. Save one search for each.").wait_for()
    page.screenshot(path=ARTEFACTS / "search-guard-refused-1440x900-dark.png")


def test_more_like_the_selected_one_by_key(searched: Site, open_page: Open):
    page = open_search(searched, open_page)
    page.keyboard.press("Escape")
    page.locator(".room").focus()
    page.keyboard.press("j")
    page.keyboard.press("m")
    page.wait_for_url("**/search?like=*")
    page.locator(".example", has_text="Like this").wait_for()
    page.keyboard.press("t")
    page.wait_for_url("**view=timeline*")
    page.locator(".mark").first.wait_for()
