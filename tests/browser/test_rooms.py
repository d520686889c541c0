"""The rooms in a real browser: what they show, what they say, how they behave under a hand."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.browser.conftest import (
    END_S,
    LOOK_IDS,
    LOOKS,
    THUMB,
    WIDE,
    Open,
    Site,
    check_room,
    places,
    serious_faults,
    wait_for_pictures,
)
from tests.builders_pictures import half_red
from tests.builders_web import HAT, Walk, enter_segment, panned_clip, picture, sure

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What was played, not what is: a slow machine looks late at a clip that goes on.
PLAYS_FROM = """second => {
  const played = document.querySelector('.sheet video')?.played;
  return played?.length > 0 && Math.abs(played.start(0) - second) < 0.15;
}"""
WALKER_IS_AT = """([left, height]) => {
  const walker = document.querySelector('.walker'), screen = document.querySelector('.screen').getBoundingClientRect();
  if (walker?.getAnimations()[0]?.playState !== 'paused') return false;
  const box = walker.getBoundingClientRect(), off = (found, wanted) => Math.abs(found - wanted);
  return off((box.x - screen.x) / screen.width, left) < .01 && off(box.height / screen.height, height) < .01;
}"""
PLACES = {
    "live": ("/", "a.person"),
    "search": ("/search?q=worker+in+an+orange+vest", ".hit a.open"),
    "person": ("/?person={person}", ".screen video"),
    "asking": ("/search", ".tries a"),
}


def first_person(page: "Page", site: Site) -> str:
    people = page.request.get(f"{site.url}/api/v1/people").json()["people"]
    return str(next(person["person_id"] for person in people if "hard hat" in person["caption"]))


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=LOOK_IDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_room_opens_fits_its_window_and_has_no_serious_fault(
    still_site: Site, open_page: Open, place: str, size: tuple[int, int], theme: str
):
    page = open_page(still_site, size=size, theme=theme)
    path, shows = PLACES[place]
    page.goto(still_site.url + path.format(person=first_person(page, still_site)))
    check_room(page, shows, place, size, theme)


def test_live_shows_a_person_with_caption_answers_camera_and_time(still_site: Site, open_page: Open):
    page = open_page(still_site)
    card = page.locator("a.person", has_text="hard hat and an orange vest")
    card.wait_for()
    assert card.locator(".chip.yes").all_inner_texts() == ["hard hat", "safety vest"]
    assert card.locator(".chip.no").all_inner_texts() == ["face mask"]
    assert card.locator(".chip.pick").all_inner_texts() == ["yellow hard hat"]
    assert card.locator(".chip.yes").first.get_attribute("title") == (
        "Is this person wearing a hard hat? yes 93%, no 3%, cannot tell 3%"
    )
    assert card.locator(".where").inner_text().split()[0] == "yard"
    assert re.fullmatch(r"(\d+ \w+ )?\d\d:\d\d:\d\d CES?T, \d+ (s|min) ago", card.locator(".at").inner_text())
    assert card.locator(".crop img").evaluate("image => image.getBoundingClientRect().height") >= 160


def test_a_person_seen_in_two_stretches_has_one_card(still_site: Site, open_page: Open):
    page = open_page(still_site)
    page.locator("a.person").first.wait_for()
    card = page.locator("a.person", has_text="black jacket")
    assert card.count() == 1
    assert card.locator(".sightings").inner_text() == "seen 2 times"
    assert "6 people" in page.locator(".room-head .sum").inner_text()


def test_cannot_tell_is_one_grey_chip_with_its_reason_and_a_small_crop_says_its_size(still_site: Site, open_page: Open):
    card = open_page(still_site).locator("a.person", has_text="far away")
    card.wait_for()
    assert card.locator(".chip").all_inner_texts() == ["3 questions: too small"]
    assert card.locator(".size").inner_text() == "23 × 79 px"


def test_newcomers_come_in_by_themselves_while_nobody_reads(
    site: Site, open_page: Open, people: Callable[[], list[Walk]]
):
    page = open_page(site)
    page.locator("a.person").first.wait_for()
    site.enter([people()[0]], camera="roof", ago_s=1)
    page.locator("a.person").first.get_by_text("roof").wait_for()
    page.locator(".filters a", has_text="roof").wait_for()


def test_whoever_many_newcomers_push_out_of_the_list_is_brought_back_by_show_older_each_counted_once(
    empty_site: Site, open_page: Open, people: Callable[[], list[Walk]]
):
    crowd = empty_site.enter(people()[:1] * 69, ago_s=60)
    empty_site.enter(people()[:1], ago_s=54, follows=crowd, links={0: 14})
    page = open_page(empty_site)
    cards, older = page.locator("a.person"), page.get_by_role("button", name="Show older")
    cards.nth(58).wait_for()  # a page of 60 people, one of whom was seen twice
    assert cards.locator(".sightings").all_inner_texts() == ["seen 2 times"]
    empty_site.enter(people()[:1] * 200, camera="roof", ago_s=1)
    page.wait_for_function("document.querySelectorAll('a.person').length === 240")
    older.click()
    cards.nth(268).wait_for()
    older.wait_for(state="detached")
    assert cards.count() == 269
    assert cards.locator(".sightings").all_inner_texts() == ["seen 2 times"]


def test_newcomers_wait_for_a_click_while_the_list_is_scrolled(
    site: Site, open_page: Open, people: Callable[[], list[Walk]]
):
    page = open_page(site, size=THUMB)
    page.locator("a.person").first.wait_for()
    page.mouse.move(200, 500)
    page.mouse.wheel(0, 400)
    page.wait_for_function("document.querySelector('.room').scrollTop > 100")
    top = page.locator("a.person").first.inner_text()
    site.enter(people()[:2], camera="roof", ago_s=1)
    news = page.get_by_role("button", name="2 new")
    news.wait_for()
    assert page.locator("a.person").first.inner_text() == top
    news.click()
    page.locator("a.person").first.get_by_text("roof").wait_for()
    assert not news.is_visible()
    page.wait_for_function("document.querySelector('.room').scrollTop === 0")


def test_newcomers_wait_while_a_person_is_selected(site: Site, open_page: Open, people: Callable[[], list[Walk]]):
    page = open_page(site)
    page.locator("a.person").first.wait_for()
    page.keyboard.press("j")
    page.locator("a.person.chosen").wait_for()
    site.enter([people()[0]], camera="roof", ago_s=1)
    page.get_by_role("button", name="1 new").wait_for()
    assert page.locator("a.person").first.get_attribute("class") == "person chosen"
    page.keyboard.press("Escape")
    page.locator("a.person").first.get_by_text("roof").wait_for()


def test_live_of_one_camera(still_site: Site, open_page: Open):
    page = open_page(still_site)
    page.locator(".filters a", has_text="gate").click()
    page.wait_for_url("**/?camera=gate")
    page.locator("a.person", has_text="black jacket").wait_for(state="detached")
    assert [where.split()[0] for where in page.locator("a.person .where").all_inner_texts()] == ["gate"] * 3


def test_the_keys_walk_open_and_close(still_site: Site, open_page: Open):
    page = open_page(still_site)
    cards = page.locator("a.person")
    cards.first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.locator("a.person:nth-child(2).chosen").wait_for()
    page.keyboard.press("k")
    page.locator("a.person:nth-child(1).chosen").wait_for()
    page.keyboard.press("Enter")
    page.locator(".sheet video").wait_for()
    first = page.url
    page.keyboard.press("j")
    page.wait_for_function("url => location.href !== url", arg=first)
    page.locator(".sheet video").wait_for()
    page.keyboard.press("Escape")
    page.locator(".sheet").wait_for(state="hidden")
    page.wait_for_url(still_site.url + "/")


def test_a_question_mark_lists_the_keys_and_a_slash_goes_to_the_search_line(still_site: Site, open_page: Open):
    page = open_page(still_site)
    page.locator("a.person").first.wait_for()
    page.keyboard.press("?")
    page.get_by_text("Next person").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("Next person").wait_for(state="hidden")
    page.keyboard.press("/")
    page.wait_for_url("**/search")
    page.wait_for_function("document.activeElement.tagName === 'INPUT'")
    page.keyboard.type("orange vest")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=orange+vest")
    page.locator(".hit a.open").first.get_by_text("orange vest").wait_for()


def test_a_click_on_someone_found_plays_their_clip_at_the_second_with_a_box(still_site: Site, open_page: Open):
    page = open_page(still_site, "/search?q=yellow+hard+hat")
    page.locator(".hit a.open").first.click()
    page.wait_for_url(re.compile(r"/search\?q=yellow\+hard\+hat&person="))
    page.locator(".sheet video").wait_for()
    page.wait_for_function(PLAYS_FROM, arg=1.6)
    page.get_by_role("button", name="From where they appear").click()
    page.wait_for_function(PLAYS_FROM, arg=0.4)
    page.get_by_role("button", name="Best look").click()
    page.wait_for_function(PLAYS_FROM, arg=1.6)
    for second in (2.0, 1.0):
        page.evaluate(
            "second => { const v = document.querySelector('video'); v.pause(); v.currentTime = second }", second
        )
        walked_px = 4 * (second - 0.4) / 0.2
        page.wait_for_function(WALKER_IS_AT, arg=[(320 - walked_px) / 640, 270 / 480])


def test_the_back_button_closes_the_person_and_leaves_the_results(still_site: Site, open_page: Open):
    page = open_page(still_site, "/search?q=bus")
    page.locator(".hit a.open").first.click()
    page.locator(".sheet video").wait_for()
    page.go_back()
    page.locator(".sheet").wait_for(state="hidden")
    assert page.url == f"{still_site.url}/search?q=bus"
    assert page.locator(".hit a.open").count() == 6


def test_a_person_found_in_two_clips_is_one_on_the_sheet(still_site: Site, open_page: Open):
    page = open_page(still_site, "/search?q=black+jacket")
    page.locator(".hit a.open").first.wait_for()
    assert page.locator(".hit .sightings-of summary").count() == 1
    page.locator(".hit .sightings-of summary").get_by_text("Found 2 times").wait_for()
    page.locator(".hit a.open").first.click()
    page.get_by_text("The same person in 2 clips").wait_for()
    assert page.locator(".sheet .strip a").count() == 2


def test_words_nobody_knows_are_flagged_beside_the_results(still_site: Site, open_page: Open):
    page = open_page(still_site, "/search?q=worker+with+a+forklift")
    page.locator(".hit a.open").first.wait_for()
    assert "“forklift”" in page.locator(".note.warn").inner_text()


def test_more_like_this_searches_with_the_person(still_site: Site, open_page: Open):
    page = open_page(still_site)
    page.locator("a.person", has_text="dark suit").click()
    page.get_by_role("link", name="More like this").click()
    page.wait_for_url("**/search?like=*")
    page.locator(".hit a.open").first.get_by_text("dark suit").wait_for()
    page.locator(".sheet").wait_for(state="hidden")


def test_a_person_tells_which_model_said_what(still_site: Site, open_page: Open):
    page = open_page(still_site)
    page.locator("a.person", has_text="dark suit").click()
    page.get_by_text("Which model said what").click()
    assert page.get_by_text("humanvlm-compact-captions-5b1e90").is_visible()


def test_light_is_a_choice_that_lasts(still_site: Site, open_page: Open):
    page = open_page(still_site, "/search?q=bus")
    page.get_by_role("button", name="Switch to light").click()
    page.get_by_role("button", name="Switch to dark").wait_for()
    assert page.url == f"{still_site.url}/search?q=bus"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(243, 245, 247)"


def test_an_empty_house_says_why_and_what_to_do_and_fills_by_itself(
    empty_site: Site, open_page: Open, people: Callable[[], list[Walk]]
):
    page = open_page(empty_site)
    page.get_by_text("No camera has sent anything").wait_for()
    empty_site.enter([people()[0]], ago_s=1)
    page.locator("a.person").wait_for()
    assert not page.get_by_text("No camera has sent anything").is_visible()


def test_an_address_of_no_room_says_so(still_site: Site, open_page: Open):
    page = open_page(still_site)
    page.evaluate("history.pushState({}, '', '/nosuch'); dispatchEvent(new PopStateEvent('popstate', {state: {}}))")
    page.get_by_role("heading", name="There is no such room").wait_for()


def test_an_address_of_nobody_says_so(still_site: Site, open_page: Open):
    page = open_page(still_site, "/?person=nobody")
    page.get_by_text("There is nobody at this address").wait_for()


def test_without_the_indexer_the_page_stands_and_says_so(
    lonely_site: Site, open_page: Open, people: Callable[[], list[Walk]]
):
    lonely_site.enter([people()[0]])
    page = open_page(lonely_site)
    page.locator("a.person").wait_for()
    assert page.locator(".light.down").inner_text().endswith("No new people: the indexer does not answer")
    page.get_by_role("link", name="Search").click()
    page.get_by_label("Describe a person").fill("blue jacket")
    page.keyboard.press("Enter")
    page.get_by_text("Search does not answer").wait_for()


def test_a_list_that_could_not_be_read_comes_back_by_itself(site: Site, open_page: Open):
    site.alter("ALTER TABLE people RENAME TO hidden")
    page = open_page(site)
    page.get_by_text("The list of people cannot be read").first.wait_for()
    page.locator(".light.down").wait_for()
    site.alter("ALTER TABLE hidden RENAME TO people")
    page.locator("a.person").first.wait_for()
    page.locator(".light.good").wait_for()


def test_the_page_ends_in_time_while_it_is_being_looked_at(empty_site: Site, open_page: Open):
    page = open_page(empty_site)
    page.get_by_text("No camera has sent anything").wait_for()
    empty_site.process.terminate()
    assert empty_site.process.wait(timeout=END_S) == 0


@pytest.mark.parametrize(("size", "theme"), [(WIDE, "dark"), (THUMB, "light")], ids=["wide-dark", "thumb-light"])
def test_somebody_in_a_picture_opens_with_the_whole_picture_and_a_box_around_them(
    empty_site: Site, open_page: Open, size: tuple[int, int], theme: str
):
    photo = empty_site.folder / "photo.jpg"
    half_red((640, 480)).save(photo)
    box = (64.0, 48.0, 192.0, 336.0)
    walk = Walk([(0.0, box)], np.full((288, 128, 3), 90, np.uint8), "person in a red top", sure(HAT, "no"))
    manifest = enter_segment(empty_site.store, empty_site.table, photo, [walk], camera="library")
    page = open_page(empty_site, size=size, theme=theme)
    page.goto(f"{empty_site.url}/?person={manifest.people[0].person_id}")
    image = page.locator("a.screen img")
    image.wait_for()
    wait_for_pictures(page)
    assert page.locator("video").count() == 0
    shown, drawn = places(page, "a.screen img", ".screen .walker")
    scale = shown.width / 640
    assert shown.height == pytest.approx(480 * scale, abs=2)
    assert drawn.x - shown.x == pytest.approx(box[0] * scale, abs=3)
    assert drawn.height == pytest.approx((box[3] - box[1]) * scale, abs=6)
    assert page.locator(".ledger", has_text="Taken").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert serious_faults(page) == []


def test_a_clip_that_the_browser_does_not_play_is_shown_as_a_copy(
    empty_site: Site, open_page: Open, people: Callable[[], list[Walk]]
):
    clip = panned_clip(picture("bus.jpg"), empty_site.folder / "other.mp4", seconds=4, codec="mpeg4")
    walk = people()[0]
    manifest = enter_segment(empty_site.store, empty_site.table, clip, [walk], camera="gate")
    page = open_page(empty_site, f"/?person={manifest.people[0].person_id}")
    page.get_by_text("an H.264 copy is shown").wait_for()
    page.wait_for_function(PLAYS_FROM, arg=walk.path[walk.best][0])
    page.locator(".walker").wait_for(state="attached")
