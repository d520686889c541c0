"""*Cameras* and *System* in a real browser: what streamers report over a real broker, zones, changes, dead letters."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.access.access import Access
from consumers.access.gate import COOKIE
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from streamer.bus.camera_file import CameraFile
from streamer.bus.client import Bus
from streamer.bus.messages import Rejected
from streamer.bus.topics import SEGMENTS
from tests.browser.conftest import ARTEFACTS, LOOK_IDS, LOOKS, Open, Site, check_room, places, running, serious_faults
from tests.builders_access import enter_user, session_of
from tests.builders_alerts import RULES_YAML
from tests.builders_bus import embedded_broker, wait_until
from tests.builders_upkeep import a_camera, a_report, one_of_each, tell
from tests.builders_web import Walk

SECRET = "s3cret-of-the-door"


@dataclass(frozen=True)
class Kept:
    """A page over some cameras, and the ways to what is behind it."""

    site: Site
    bus: Bus
    access: Access
    file: CameraFile

    @property
    def url(self) -> str:
        return self.site.url

    def cookie(self, name: str) -> dict[str, str]:
        """A session of somebody."""
        return {COOKIE: session_of(self.access, name)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, bus_clip: Path, people: Callable[[], list[Walk]]) -> Iterator[Kept]:
    """Six cameras on a bad day, a silent analyzer, a dead letter; an admin, an officer and a viewer."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copy(bus_clip, folder / "bus.mp4")
    (folder / "rules.yaml").write_text(RULES_YAML)
    names = ("gate", "ramp", "door", "yard", "hall", "roof")
    lines = [{"camera": name, "url": f"rtsp://viewer:{SECRET}@10.0.0.7/{name}"} for name in names]
    (folder / "cameras.yaml").write_text(json.dumps({"cameras": lines}))
    (folder / "metrics").mkdir()
    note = [{"targets": ["127.0.0.1:9"], "labels": {"job": "analyzer", "pid": "1"}}]
    (folder / "metrics" / "analyzer-1.json").write_text(json.dumps(note))
    desk = DeskDatabase(f"sqlite:///{folder / 'desk.sqlite3'}")
    for name, role in (("ada", Role.ADMIN), ("otto", Role.OFFICER), ("vera", Role.VIEWER)):
        enter_user(desk, name, role)
    with embedded_broker(folder) as broker, running(folder, f"bus={broker.address}") as site:
        bus = Bus(broker.address, partitions=1)
        bus.ensure_topics()
        for number, name in enumerate(names[:5]):
            site.enter(people()[number : number + 1], camera=name, ago_s=30 + number)
        site.table.reject(a_rejection(), noticed_at=datetime.now(UTC))
        tell(bus, one_of_each())
        yield Kept(site, bus, Access(desk), CameraFile(folder / "cameras.yaml"))
        bus.close()
    desk.close()


def a_rejection() -> Rejected:
    return Rejected(
        rejected_id="f" * 32,
        reason="bytes that are no SegmentReady: started_at: Input should have timezone info",
        camera_id="gate",
        source_topic=SEGMENTS.name,
        partition=0,
        offset=7,
        original_base64="eyJjYW1lcmFfaWQiOiAiZ2F0ZSJ9",
    )


def still_there(kept: Kept) -> None:
    """The streamer reports every few seconds; so does the test that stands in its place."""
    tell(kept.bus, one_of_each())


LABELS_STAND_APART = """() => [...document.querySelectorAll('.typed .q-field')].every(field => {
  const input = field.querySelector('input'), label = field.querySelector('.q-field__label');
  if (!input.placeholder) return true;
  const top = input.getBoundingClientRect().top + parseFloat(getComputedStyle(input).paddingTop);
  return label.getBoundingClientRect().bottom <= top + 4;
})"""
PLACES = {
    "cameras": ("/cameras", ".camera-tile.down"),
    "camera": ("/cameras?camera=gate", ".zone-frame img"),
    "system": ("/system", ".finding.down"),
}


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=LOOK_IDS)
@pytest.mark.parametrize("place", PLACES)
def test_the_room_fits_its_window_and_has_no_serious_fault(
    kept: Kept, open_page: Open, place: str, size: tuple[int, int], theme: str
):
    still_there(kept)
    path, shows = PLACES[place]
    page = open_page(kept, path, size=size, theme=theme, cookies=kept.cookie("ada"))
    check_room(page, shows, place, size, theme)


def test_each_camera_says_how_it_is_and_what_to_do_and_follows_the_next_report(kept: Kept, open_page: Open):
    still_there(kept)
    page = open_page(kept, "/cameras", cookies=kept.cookie("ada"))
    for name, word in {
        "gate": "Live",
        "ramp": "Reconnecting",
        "door": "Refused",
        "yard": "Thinned",
        "hall": "Skipping",
        "roof": "Stalled",
    }.items():
        page.locator(".camera-tile", has=page.get_by_role("heading", name=name, exact=True)).locator(
            ".camera-state", has_text=word
        ).wait_for()
    page.locator(".room").focus()
    page.keyboard.press("j")
    page.locator(".camera-tile.chosen").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/cameras?camera=door")
    page.get_by_text("Correct its user name").wait_for()
    assert SECRET not in page.content()
    now = datetime.now(UTC)
    tell(kept.bus, a_report(*(a_camera(name, now=now) for name in ("door", "gate")), now=now))
    page.locator(".sheet .camera-state", has_text="Live").wait_for()


def test_an_admin_adds_a_camera_corrects_it_removes_it_and_takes_that_back(kept: Kept, open_page: Open):
    page = open_page(kept, "/cameras", cookies=kept.cookie("ada"))
    page.locator(".camera-tile").first.wait_for()
    page.keyboard.press("c")
    page.get_by_label("Name", exact=True).wait_for()
    page.wait_for_function(LABELS_STAND_APART)
    page.get_by_label("Name", exact=True).fill("attic")
    page.get_by_label("Address").fill("rtsp://10.0.0.9/attic")
    certificate = page.get_by_role("checkbox", name="Its certificate has to be trusted")
    assert certificate.count() == 0 or not certificate.is_visible()
    page.get_by_label("Address").fill("rtsps://10.0.0.9/attic")
    certificate.click()
    page.get_by_text("Whoever sits in between").wait_for()
    page.get_by_label("User name").fill("viewer")
    page.get_by_label("Password").fill("first")
    page.get_by_role("button", name="Add the camera").click()
    page.get_by_role("heading", name="attic", exact=True).click()
    assert not kept.file.of("attic").tls_verify
    page.get_by_role("button", name="Change").click()
    page.get_by_role("checkbox", name="Its certificate has to be trusted").click()
    page.get_by_label("Address").fill("rtsps://10.0.0.66/attic")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("give its password anew").wait_for()
    page.get_by_label("Password").fill("second")
    page.get_by_role("button", name="Save", exact=True).click()
    wait_until(lambda: kept.file.of("attic").password.get_secret_value() == "second", within_s=90)
    before = kept.file.of("attic")
    assert before.tls_verify
    page.locator(".sheet").wait_for(state="hidden")
    page.get_by_role("heading", name="attic", exact=True).click()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("heading", name="attic", exact=True).wait_for(state="detached")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="attic", exact=True).wait_for()
    assert kept.file.of("attic") == before
    kept.file.remove_known("attic")


@pytest.mark.parametrize("hand", ["mouse", "keys"])
def test_a_zone_is_drawn_on_the_frame_and_a_rule_holds_in_it(kept: Kept, open_page: Open, hand: str):
    (kept.site.folder / "rules.yaml").write_text(RULES_YAML)
    page = open_page(kept, "/cameras?camera=gate", cookies=kept.cookie("otto"))
    page.get_by_role("button", name="Draw a zone").click()
    page.get_by_label("Name of the zone").fill("bus-door")
    if hand == "mouse":
        [frame] = places(page, ".zone-editor .zone-frame img")
        for number, (x, y) in enumerate(((0.2, 0.2), (0.7, 0.2), (0.7, 0.8)), start=1):
            page.mouse.click(frame.x + x * frame.width, frame.y + y * frame.height)
            page.get_by_text(f"{number} corner").wait_for()
    else:
        page.locator(".zone-editor .zone-frame").focus()
        for number, keys in enumerate((("Shift+ArrowLeft",) * 3, ("Shift+ArrowRight",) * 5, ("Shift+ArrowDown",) * 3)):
            for key in keys:
                page.keyboard.press(key)
            page.keyboard.press("Enter")
            page.get_by_text(f"{number + 1} corner").wait_for()
    page.screenshot(path=ARTEFACTS / f"zone-by-{hand}-1440x900-dark.png")
    assert serious_faults(page) == []
    page.get_by_role("button", name="Save the zone").click()
    page.locator(".zone", has_text="bus-door").get_by_text("No safety vest").click()
    page.get_by_text("“vest” holds in bus-door.").wait_for()
    zones = page.request.get(f"{kept.url}/api/v1/zones").json()
    assert [(zone["name"], zone["cameras"], zone["rules"]) for zone in zones] == [("bus-door", ["gate"], ["vest"])]
    corners = zones[0]["polygon"]
    expected = [[0.2, 0.2], [0.7, 0.2], [0.7, 0.8]] if hand == "mouse" else [[0.2, 0.5], [0.7, 0.5], [0.7, 0.8]]
    assert corners == [pytest.approx(corner, abs=0.01) for corner in expected]
    page.locator(".zone", has_text="bus-door").get_by_role("button", name="Delete").click()
    page.get_by_text("take it out there first").wait_for()


def test_a_new_zone_does_not_take_another_cameras_zone_away_by_its_name(kept: Kept, open_page: Open):
    ramps = 'zones: {door: {cameras: ["ramp"], polygon: [[0, 0], [0.5, 0], [0.5, 1]]}}\n'
    (kept.site.folder / "rules.yaml").write_text(RULES_YAML + ramps)
    page = open_page(kept, "/cameras?camera=gate", cookies=kept.cookie("otto"))
    page.get_by_role("button", name="Draw a zone").click()
    page.get_by_label("Name of the zone").fill("door")
    [frame] = places(page, ".zone-editor .zone-frame img")
    for number, (x, y) in enumerate(((0.2, 0.2), (0.7, 0.2), (0.7, 0.8)), start=1):
        page.mouse.click(frame.x + x * frame.width, frame.y + y * frame.height)
        page.get_by_text(f"{number} corner").wait_for()
    page.get_by_role("button", name="Save the zone").click()
    page.get_by_text("has a zone 'door' of ramp already").wait_for()
    page.get_by_label("Name of the zone").fill("bus-door")
    page.get_by_role("button", name="Save the zone").click()  # what was drawn is still there
    page.locator(".zone", has_text="bus-door").wait_for()
    zones = page.request.get(f"{kept.url}/api/v1/zones").json()
    assert [(zone["name"], zone["cameras"]) for zone in zones] == [("bus-door", ["gate"]), ("door", ["ramp"])]


def test_who_may_not_change_sees_how_cameras_are_and_no_footage(kept: Kept, open_page: Open):
    page = open_page(kept, "/cameras?camera=gate", cookies=kept.cookie("vera"))
    page.get_by_text("Seeing footage needs the role analyst.").wait_for()
    assert page.get_by_role("button", name="Remove").count() == 0
    assert page.get_by_role("button", name="Draw a zone").count() == 0
    page.goto(kept.url + "/system")
    page.get_by_text("Reading them needs the role officer.").wait_for()


def test_the_system_says_what_is_broken_and_a_dead_letter_is_replayed_and_comes_back(kept: Kept, open_page: Open):
    still_there(kept)
    page = open_page(kept, "/system", cookies=kept.cookie("ada"))
    page.locator(".finding", has_text="Analyzer").get_by_text("logs/analyzer.log").wait_for()
    page.locator(".finding", has_text="Camera door").get_by_text("Correct its user name").wait_for()
    letter = page.locator(".letter")
    letter.get_by_text("What was refused").click()
    letter.get_by_text('{"camera_id": "gate"}').wait_for()
    letter.get_by_role("button", name="Replay").click()
    page.get_by_text("It is back on its topic").wait_for()
    page.get_by_text("None is open.").wait_for()
    assert kept.access.entries(1)[0].action == "replay dead letter"


def test_a_broker_that_is_away_is_said_in_both_rooms(tmp_path: Path, open_page: Open):
    with running(tmp_path, "bus=127.0.0.1:9") as site:  # nobody listens there
        page = open_page(site, "/cameras")
        page.get_by_text("The broker does not answer, so nothing new is known").wait_for()
        page.get_by_text("There is no camera yet").wait_for()
        page.goto(site.url + "/system")
        page.locator(".finding.down", has_text="Broker").get_by_text("Nothing is lost").wait_for()
