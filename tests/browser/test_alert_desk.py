"""The alert desk in a real browser: two officers, a viewer, five thousand alerts, rules tried and put in force."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from consumers.access.access import Access
from consumers.access.gate import COOKIE
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.rules import Rule
from tests.browser.conftest import (
    ARTEFACTS,
    LOOK_IDS,
    LOOKS,
    THUMB,
    WIDE,
    Open,
    Site,
    check_room,
    places,
    running,
    serious_faults,
    wait_for_pictures,
)
from tests.builders_access import PASSWORD, enter_user, session_of
from tests.builders_alerts import HAT_RULE, RULES_YAML, VEST_RULE, enter_alert, enter_many
from tests.builders_bus import wait_until
from tests.builders_web import HAT, VEST, Walk

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from streamer.bus.manifest import Manifest

MANY = 5000


@dataclass(frozen=True)
class DeskSite:
    """A page with an alert desk behind it."""

    site: Site
    desk: DeskDatabase
    manifests: "list[Manifest]"
    access: Access

    @property
    def url(self) -> str:
        return self.site.url

    def cookie(self, name: str) -> dict[str, str]:
        """A session of somebody."""
        return {COOKIE: session_of(self.access, name)}


@contextmanager
def desk_site(
    folder: Path, clip: Path, people: list[Walk], *, users: bool, told: Sequence[str] = ()
) -> Iterator[DeskSite]:
    shutil.copy(clip, folder / "bus.mp4")
    (folder / "rules.yaml").write_text(RULES_YAML)
    desk = DeskDatabase(f"sqlite:///{folder / 'desk.sqlite3'}")
    access = Access(desk)
    if users:
        enter_user(desk, "vera", Role.VIEWER)
        enter_user(desk, "otto", Role.OFFICER)
        enter_user(desk, "olga", Role.OFFICER)
    with running(folder, *told) as site:
        manifests = [site.enter(people[:3], ago_s=900), site.enter(people[3:5], camera="yard", ago_s=300)]
        yield DeskSite(site, desk, manifests, access)
    desk.close()


@pytest.fixture(scope="module")
def looked_at(
    tmp_path_factory: pytest.TempPathFactory, bus_clip: Path, people: Callable[[], list[Walk]]
) -> Iterator[DeskSite]:
    """A desk without users that nobody changes, with a dozen alerts of some hours."""
    with desk_site(tmp_path_factory.mktemp("desk"), bus_clip, people(), users=False) as site:
        now = datetime.now(UTC)
        for number in range(8):
            rule, severity = ((HAT_RULE, "high"), (VEST_RULE, "medium"))[number % 2]
            raised_at = now - timedelta(minutes=25 * (8 - number))
            enter_alert(
                site.desk,
                site.manifests[0],
                2 * (number % 2),
                rule=rule,
                severity=severity,
                episode=number + 1,
                raised_at=raised_at,
            )
        enter_alert(site.desk, site.manifests[1], 1, severity="critical")
        yield site


@pytest.fixture
def acted_on(tmp_path: Path, bus_clip: Path, people: Callable[[], list[Walk]]) -> Iterator[DeskSite]:
    """A desk with users, and one alert."""
    with desk_site(tmp_path, bus_clip, people(), users=True) as site:
        enter_alert(site.desk, site.manifests[1], 1, severity="critical")
        yield site


@pytest.fixture
def slow(tmp_path: Path, bus_clip: Path, people: Callable[[], list[Walk]]) -> Iterator[DeskSite]:
    """The same, but no page hears of what others do."""
    with desk_site(tmp_path, bus_clip, people(), users=True, told=["slow"]) as site:
        enter_alert(site.desk, site.manifests[1], 1, severity="critical")
        yield site


PLACES = {
    "alerts": ("/alerts", ".alert .crop img"),
    "alert": ("/alerts?alert={alert}", ".frame img"),
    "shift": ("/alerts?view=24h", ".chart svg"),
    "rules": ("/rules", ".rule"),
}


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=LOOK_IDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_room_of_the_desk_fits_its_window_and_has_no_serious_fault(
    looked_at: DeskSite, open_page: Open, place: str, size: tuple[int, int], theme: str
):
    page = open_page(looked_at, size=size, theme=theme)
    path, shows = PLACES[place]
    alert = page.request.get(f"{looked_at.url}/api/v1/alerts?order=severity").json()["alerts"][0]["alert_id"]
    page.goto(looked_at.url + path.format(alert=alert))
    check_room(page, shows, place, size, theme)


def test_the_box_that_marks_an_alert_hides_nothing_and_an_empty_list_says_so_at_its_top(
    looked_at: DeskSite, open_page: Open
):
    page = open_page(looked_at, "/alerts", size=THUMB)
    page.locator(".alert .mark").first.wait_for()
    box, title = (page.locator(f".alert .{name}").first.bounding_box() for name in ("mark", "title"))
    assert box is not None
    assert title is not None
    assert box["y"] + box["height"] <= title["y"] or box["x"] >= title["x"] + title["width"]
    page = open_page(looked_at, "/alerts?state=closed")
    head = page.get_by_role("heading", name="No alert is like that")
    head.wait_for()
    place = head.bounding_box()
    assert place is not None
    assert place["y"] < WIDE[1] / 2


@pytest.mark.parametrize("size", [WIDE, THUMB], ids=["wide", "thumb"])
def test_alerts_of_a_typed_range_are_shown_and_the_range_stands_in_the_address(
    looked_at: DeskSite, open_page: Open, size: tuple[int, int]
):
    page = open_page(looked_at, "/alerts", size=size)
    page.get_by_text("9 alerts").wait_for()
    menu = page.locator(".menu").last
    menu.locator("summary").click()
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    since, until = (f"{now - timedelta(minutes=ago):%Y-%m-%dT%H:%M}" for ago in (110, 40))
    menu.get_by_label("From").fill(until)
    menu.get_by_label("Until").fill(since)
    menu.get_by_role("button", name="Show this time").click()
    menu.get_by_text("Until must be later than from.").wait_for()
    assert "since" not in page.url
    [times] = places(page, ".menu[open] .times")
    assert (times.x >= 0, times.x + times.width <= size[0]) == (True, True)
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"time-range-{size[0]}x{size[1]}-dark.png")
    assert serious_faults(page) == []
    menu.get_by_label("From").fill(since)
    menu.get_by_label("Until").fill(until)
    menu.get_by_role("button", name="Show this time").click()
    page.get_by_text("3 alerts").wait_for()  # of 100, 75 and 50 minutes ago
    page.reload()
    page.get_by_text("3 alerts").wait_for()
    menu = page.locator(".menu.on")
    began = now - timedelta(minutes=110)
    day = "" if began.date() == now.date() else f"{began.day} {began:%b} "  # just after midnight it was yesterday
    assert menu.locator("summary").inner_text().startswith(day + since[-5:])
    menu.locator("summary").click()
    assert menu.get_by_label("Until").input_value() == until
    menu.get_by_role("link", name="Any time").click()
    page.get_by_text("9 alerts").wait_for()
    assert "since" not in page.url
    assert "until" not in page.url


def sign_in(page: "Page", url: str, name: str) -> None:
    page.goto(f"{url}/sign-in?next=/alerts")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".who-am-i", has_text=name).wait_for()


def test_an_alert_appears_by_itself_is_assigned_resolved_reopened_and_called_false_by_keyboard(
    acted_on: DeskSite, open_page: Open
):
    page = open_page(acted_on, "/sign-in", is_signed_in=False)
    sign_in(page, acted_on.url, "otto")
    page.locator(".alert", has_text="Critical").wait_for()
    fresh = enter_alert(acted_on.desk, acted_on.manifests[0], severity="high")
    page.locator(".alert", has_text="High").wait_for()
    page.locator(".unread").get_by_text("2", exact=True).wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.wait_for_url(f"**/alerts?alert={fresh}")
    pane = page.locator(".alert-pane")
    pane.get_by_role("heading", name="No hard hat").wait_for()
    page.keyboard.press("s")
    pane.locator(".state", has_text="otto").wait_for()
    page.keyboard.press("r")
    pane.locator(".state.resolved").wait_for()
    page.locator(".alert.is-resolved", has_text="High").wait_for()
    page.keyboard.press("u")
    pane.locator(".state.open").wait_for()
    page.keyboard.press("f")
    page.get_by_role("dialog", name="What is right?").wait_for()
    page.keyboard.press("1")
    pane.locator(".state.false_alarm").wait_for()
    history = pane.locator(".history li > span:first-child")
    history.nth(4).wait_for()
    lines = history.all_inner_texts()
    assert lines == [
        "The rule was met",
        "otto assigned it to otto",
        "otto resolved it",
        "otto reopened it",
        "otto called it a false alarm; right is “yes”",
    ]


def test_an_alert_shows_each_condition_and_a_false_alarm_says_which_answer_was_wrong(
    acted_on: DeskSite, open_page: Open
):
    bare = {"text": VEST.text, "given": ["no"]}
    rule = Rule.model_validate({**HAT_RULE.model_dump(), "id": "bare", "title": "Neither", "only_if": [bare]})
    name = enter_alert(acted_on.desk, acted_on.manifests[0], rule=rule)
    page = open_page(acted_on, f"/alerts?alert={name}", cookies=acted_on.cookie("otto"))
    pane = page.locator(".alert-pane")
    shown = pane.locator(".asked", has_text=f"Only if “{VEST.text}” is answered no")
    shown.locator(".bars li").nth(2).wait_for()
    pane.get_by_text(f"A look is a breach only if “{VEST.text}” is answered no.").wait_for()
    assert "condition holds: " in str(pane.locator(".looks .look").first.get_attribute("title"))
    shown.scroll_into_view_if_needed()
    page.screenshot(path=ARTEFACTS / "alert-condition-1440x900-dark.png")
    assert serious_faults(page) == []
    page.keyboard.press("f")
    dialog = page.get_by_role("dialog", name="What is right?")
    dialog.get_by_text(VEST.text, exact=True).wait_for()
    page.screenshot(path=ARTEFACTS / "false-alarm-condition-1440x900-dark.png")
    page.keyboard.press("4")  # behind the three of the hard hat
    pane.get_by_text(f"otto called it a false alarm; right is “yes” to “{VEST.text}”").wait_for()


def test_of_two_officers_the_second_is_told_and_sees_what_the_first_did(slow: DeskSite, open_page: Open):
    first = open_page(slow, "/alerts", cookies=slow.cookie("otto"))
    second = open_page(slow, "/alerts", cookies=slow.cookie("olga"))
    for page in (first, second):
        page.locator(".alert").first.wait_for()
        page.keyboard.press("j")
        page.locator(".alert-acts .act").first.wait_for()
    first.keyboard.press("a")
    first.locator(".alert-pane .state.acknowledged").wait_for()
    second.keyboard.press("r")
    second.get_by_text("Nothing was overwritten").wait_for()
    second.locator(".alert-pane .state.acknowledged").wait_for()
    assert [line.action for line in slow.desk.history(first.url.split("=")[-1])] == ["raised", "acknowledged"]


def test_a_new_alert_waits_for_a_click_while_one_is_open(acted_on: DeskSite, open_page: Open):
    page = open_page(acted_on, "/alerts", cookies=acted_on.cookie("otto"))
    page.locator(".alert").first.wait_for()
    page.keyboard.press("j")
    page.locator(".alert.chosen").wait_for()
    page.wait_for_url("**/alerts?alert=*")
    open_url = page.url
    enter_alert(acted_on.desk, acted_on.manifests[0], severity="critical")
    page.get_by_role("button", name="1 new").wait_for()
    assert page.locator(".alert").count() == 1
    page.keyboard.press("n")
    page.locator(".alert").nth(1).wait_for()
    assert page.url == open_url
    page.locator(".alert.chosen", has_text="yard").wait_for()


def test_marked_alerts_are_dealt_with_at_once(acted_on: DeskSite, open_page: Open):
    enter_alert(acted_on.desk, acted_on.manifests[0])
    page = open_page(acted_on, "/alerts", cookies=acted_on.cookie("otto"))
    page.locator(".alert").nth(1).wait_for()
    for number in range(2):
        page.locator(".alert .mark").nth(number).click()
    page.locator(".bulk").get_by_text("2 marked").wait_for()
    page.locator(".bulk").get_by_role("button", name="Resolve").click()
    page.get_by_text("Resolved 2 alerts.").wait_for()
    page.wait_for_function("document.querySelectorAll('.alert.is-resolved').length === 2")
    page.keyboard.press("u")
    page.wait_for_function("document.querySelectorAll('.alert.is-open').length === 2")


def test_a_viewer_sees_alerts_and_can_neither_act_nor_play_nor_search_nor_write_rules(
    acted_on: DeskSite, open_page: Open
):
    page = open_page(acted_on, "/alerts", cookies=acted_on.cookie("vera"))
    page.locator(".alert").first.wait_for()
    page.keyboard.press("j")
    page.get_by_text("Playing footage needs the role analyst.").wait_for()
    assert page.locator(".alert-acts .act").count() == 0
    assert page.locator(".mark").count() == 0
    page.keyboard.press("a")  # through the websocket, where no button is
    page.get_by_text("This needs the role officer; vera is viewer.").wait_for()
    assert page.locator(".alert-pane .state.open").count() == 1
    page.goto(acted_on.url + "/search?q=hat")
    page.get_by_text("Searching is not yours to do").wait_for()
    page.goto(acted_on.url + "/rules")
    page.get_by_text("Writing rules needs the role officer.").wait_for()
    assert page.locator(".yaml").count() == 0


def test_without_a_session_the_page_is_a_form_and_its_websocket_stays_shut(acted_on: DeskSite, open_page: Open):
    page = open_page(acted_on, "/alerts", is_signed_in=False)
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.evaluate(
        "new Promise(done => { const socket = new WebSocket(location.origin.replace('http', 'ws')"
        " + '/_nicegui_ws/socket.io/?EIO=4&transport=websocket');"
        " socket.onopen = () => done('open'); socket.onerror = () => done('shut'); })"
    ) == "shut"  # fmt: skip
    assert page.request.get(acted_on.url + "/_nicegui_ws/socket.io/?EIO=4&transport=polling").status == 401
    assert serious_faults(page) == []
    page.screenshot(path=ARTEFACTS / "sign-in-1440x900-dark.png")


def test_whoever_is_disabled_is_out_of_the_open_page(acted_on: DeskSite, open_page: Open):
    page = open_page(acted_on, "/alerts", cookies=acted_on.cookie("otto"))
    page.locator(".alert").first.wait_for()
    page.keyboard.press("j")
    page.locator(".alert-acts .act").first.wait_for()
    acted_on.access.disable_user("otto", by="test")
    # The gate believes for two seconds what it knew.
    wait_until(lambda: page.request.get(f"{acted_on.url}/api/v1/status").status == 401, within_s=90)
    page.keyboard.press("r")
    page.reload()
    page.get_by_role("button", name="Sign in").wait_for()
    assert "alert resolved" not in [entry.action for entry in acted_on.access.entries(9, who="otto")]


def test_a_draft_is_put_in_force_and_only_its_status_changes_in_the_file(acted_on: DeskSite, open_page: Open):
    page = open_page(acted_on, "/rules", cookies=acted_on.cookie("otto"))
    page.locator(".rule", has_text="No safety vest").get_by_role("button", name="Put in force").click()
    page.locator(".rule", has_text="No safety vest").locator(".status.on").wait_for()
    written = (acted_on.site.folder / "rules.yaml").read_text()
    assert written == RULES_YAML.replace(
        "- id: vest  # tried since March\n", "- id: vest  # tried since March\n    status: in force\n"
    )
    wait_until(lambda: acted_on.access.entries(1)[0].action == "rule made in force", within_s=90)


def test_a_condition_is_written_shown_on_the_card_and_kept_when_the_rule_is_put_in_force(
    acted_on: DeskSite, open_page: Open
):
    page = open_page(acted_on, "/rules", cookies=acted_on.cookie("otto"))
    card, editor = page.locator(".rule", has_text="No safety vest"), page.get_by_label("The rules as YAML")
    card.wait_for()
    lasting = "    persistence: {share: 0.5, seconds: 0}\n"
    condition = f"    only_if:\n      - text: {HAT.text}\n        given: [no]\n        certainty: 0.8\n"
    written = RULES_YAML.replace(lasting, condition + lasting)
    editor.fill(written.replace("given: [no]", "given: [never]"))
    page.get_by_role("button", name="Check").click()
    page.get_by_text("'never' is given but is not among the answers: yes, no").wait_for()
    editor.fill(written)
    page.get_by_role("button", name="Save").click()
    card.get_by_text(f"Only if “{HAT.text}” is answered no, at 80% certainty.").wait_for()
    assert (acted_on.site.folder / "rules.yaml").read_text() == written
    card.scroll_into_view_if_needed()
    page.screenshot(path=ARTEFACTS / "rule-condition-1440x900-dark.png")
    assert serious_faults(page) == []
    card.get_by_role("button", name="Put in force").click()
    card.locator(".status.on").wait_for()
    card.get_by_text(f"Only if “{HAT.text}” is answered no").wait_for()
    kept = written.replace("# tried since March\n", "# tried since March\n    status: in force\n")
    assert (acted_on.site.folder / "rules.yaml").read_text() == kept
    wait_until(lambda: editor.input_value() == kept, within_s=90)


def test_a_rule_is_tried_on_stored_footage_and_a_broken_one_is_refused_with_its_line(
    acted_on: DeskSite, open_page: Open
):
    page = open_page(acted_on, "/rules", cookies=acted_on.cookie("otto"))
    editor = page.get_by_label("The rules as YAML")
    page.locator(".rule").first.wait_for()
    editor.fill(RULES_YAML.partition("  - id: gloves")[0])  # every question that is left was asked at the time
    page.get_by_role("button", name="Last 1 h").click()
    tried = page.locator(".tried", has_text="No safety vest")
    tried.wait_for()
    assert "would have come; not in force now." in tried.inner_text()
    assert int(tried.locator("b").inner_text().split()[0]) >= 1
    tried.scroll_into_view_if_needed()
    wait_for_pictures(page)
    page.screenshot(path=ARTEFACTS / "trial-1440x900-dark.png")
    editor.fill("rulez: 1\n" + RULES_YAML)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Line 1, “rulez: 1”: rulez: unknown key").wait_for()
    assert (acted_on.site.folder / "rules.yaml").read_text() == RULES_YAML


def test_five_thousand_alerts_scroll_and_filter(
    acted_on: DeskSite, open_page: Open, record_property: Callable[..., None]
):
    enter_many(acted_on.desk, acted_on.manifests[0], MANY, {HAT_RULE: "high", VEST_RULE: "medium"})
    page = open_page(acted_on, "/alerts", cookies=acted_on.cookie("otto"))
    page.get_by_text("5,001 alerts").wait_for()
    page.locator(".alert").nth(3).wait_for()
    waits_ms = [page.evaluate(SCROLL_TO, share) for share in (0.01, 0.2, 0.5, 0.8, 1.0, 0.3)]
    filters_ms = [page.evaluate(CLICK_AND_WAIT, words) for words in ("Closed", "All", "Open", "To do")]
    record_property("scroll_ms", waits_ms)
    record_property("filter_ms", filters_ms)
    print(f"scroll {waits_ms} filter {filters_ms}")  # noqa: T201
    assert page.locator(".alert").count() < 60  # rows out of sight do not exist, or nothing above could be fast
    page.locator(".alert").first.click()
    page.locator(".alert-acts .act").first.wait_for()


SCROLL_TO = """share => new Promise(done => {
  const area = document.querySelector('.alert-list .q-scrollarea__container');
  const began = performance.now();
  area.scrollTop = share * (area.scrollHeight - area.clientHeight);
  const look = () => {
    const box = area.getBoundingClientRect();
    // Two places, as one of them may lie between two rows.
    const places = [0, 20].map(y => document.elementFromPoint(box.left + 60, box.top + box.height / 2 + y));
    if (places.some(seen => seen && seen.closest('.alert'))) done(Math.round(performance.now() - began));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
CLICK_AND_WAIT = """words => new Promise(done => {
  const sum = document.querySelector('.room-head .sum'), before = sum.innerText;
  const began = performance.now();
  [...document.querySelectorAll('.alert-filters .filters a')].find(a => a.innerText === words).click();
  const look = () => {
    const current = document.querySelector('.alert-filters .filters a[aria-current]');
    const shown = document.querySelector('.alert, .empty');
    if (current && current.innerText === words && shown) done(Math.round(performance.now() - began));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def test_somebody_in_full_says_what_every_rule_makes_of_them_and_takes_a_correction(
    acted_on: DeskSite, open_page: Open
):
    person = acted_on.manifests[1].people[1].person_id
    page = open_page(acted_on, f"/?person={person}", cookies=acted_on.cookie("otto"))
    page.get_by_role("button", name="What the rules say").click()
    verdicts = page.locator(".verdicts .question")
    verdicts.nth(2).wait_for()
    assert "No hard hat (in force)" in verdicts.first.inner_text()
    page.get_by_text("Correct an answer").click()
    page.get_by_role("button", name="hard hat: yes", exact=True).click()
    page.get_by_text("Noted: hard hat is “yes”").wait_for()
    assert acted_on.access.entries(1)[0].action == "answer corrected"
