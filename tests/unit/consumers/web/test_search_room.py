"""The pure parts of the room *Search*: addresses, groups, lanes, kept pictures, words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consumers.search.query import By
from consumers.web.address import Address
from consumers.web.components.hit_groups import by_camera, grouped
from consumers.web.components.hit_timeline import ROWS, Span, placed, span_of, ticks, timeline
from consumers.web.components.person_card import Now
from consumers.web.components.search_filters import Offered, chips_of
from consumers.web.components.search_words import no_hits
from consumers.web.schemas import CameraShape, ClipShape, CropShape, PersonShape
from consumers.web.search.kept_pictures import KeptPictures
from consumers.web.search.search_address import address_of, frame_of, frame_words, is_asking, saved_of, search_of
from consumers.web.search.shapes import AnswerAsked, BoxAsked, FilterAsked, FrameAsked, HitShape, SavedAsked

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def hit(number: int, *, chain: str | None = None, camera: str = "gate", after_s: float = 0.0) -> HitShape:
    at = NOON + timedelta(seconds=after_s)
    person = PersonShape(
        id=number,
        person_id=f"p{number}",
        track_id=f"s{number}/1",
        chain_id=chain or f"c{number}",
        camera_id=camera,
        first_seen_at=at,
        last_seen_at=at,
        time_origin="clock",
        caption="<b>a person</b>",
        crop=CropShape(url=f"/media/crops/{number}.jpg", width_px=40, height_px=80),
        clip=ClipShape(url="/media/media/gate/1.mp4", started_at=at, at_s=1.0, width_px=640, height_px=480),
        answers=(),
        detection_score=0.9,
        analysis_revision="1",
        revisions={},
    )
    return HitShape(score=1.0, person=person)


@pytest.mark.parametrize(
    "saved",
    [
        SavedAsked(),
        SavedAsked(words="no vest; at 5:30 & later", by=By.PICTURE),
        SavedAsked(like="0b6e", filter=FilterAsked(cameras=("gate", "ramp; north", "a:b"), detected_at_least=0.7)),
        SavedAsked(
            words="worker",
            filter=FilterAsked(
                since=NOON,
                until=NOON + timedelta(hours=1),
                answers=(
                    AnswerAsked(question="7f", answer="no"),
                    AnswerAsked(question="8:e", answer="a;b", at_least=0.9),
                ),
                described=("vest", "50%"),
            ),
        ),
    ],
)
def test_a_search_comes_back_from_its_address_as_it_was(saved: SavedAsked):
    address = Address.parse(str(address_of(saved)))
    assert saved_of(search_of(address, NOON, BERLIN)) == saved


def test_a_box_on_a_frame_comes_back_from_its_address():
    asked = FrameAsked(segment_id="5b;1e", at_s=1.5, box=BoxAsked(left=0.1, top=0.2, width=0.3, height=0.4))
    assert frame_of(Address.parse(str(Address("/search", {"frame": frame_words(asked)}))).get("frame")) == asked


@pytest.mark.parametrize(
    "state",
    [
        {"frame": "5b1e;one;0;0;1;1"},
        {"frame": "5b1e;1;0;0;0;1"},
        {"answers": ";:;7f"},
        {"since": "soon", "until": "25:00"},
        {"sure": "many"},
        {"by": "heart"},
        {"tz": "Nowhere/Else"},
        {"since": "14:00", "until": "13:00"},
        {"answers": "7f:no:7"},
    ],
)
def test_what_nobody_can_mean_in_an_address_is_left_out(state: dict[str, str]):
    asked = search_of(Address("/search", state), NOON, UTC)
    assert asked.frame is None
    assert asked.by is By.BOTH
    assert asked.filter.until is None
    assert all(one.at_least == 0.5 for one in asked.filter.answers)


def test_times_of_the_address_are_told_in_its_own_zone():
    asked = search_of(Address("/search", {"since": "2026-03-01 10:00", "tz": "Asia/Tokyo"}), NOON, BERLIN)
    assert asked.filter.since == datetime(2026, 3, 1, 1, tzinfo=UTC)


def test_an_address_of_a_filter_alone_asks_and_one_of_a_layout_does_not():
    assert is_asking(Address("/search", {"camera": "gate"}))
    assert not is_asking(Address("/search", {"view": "timeline", "by": "picture"}))


def test_each_chip_leads_to_the_search_without_it_and_closes_the_person():
    address = Address("/search", {"q": "vest", "camera": "gate;yard", "said": "blue", "person": "p1"})
    chips = chips_of(address, Offered(), NOON, UTC)
    assert [(chip.words, str(chip.without)) for chip in chips] == [
        ("gate", "/search?q=vest&camera=yard&said=blue"),
        ("yard", "/search?q=vest&camera=gate&said=blue"),
        ("described: blue", "/search?q=vest&camera=gate%3Byard"),
    ]


def test_hits_of_a_chain_are_one_group_at_the_place_of_their_best():
    groups = grouped([hit(1), hit(2, chain="c"), hit(3), hit(4, chain="c")])
    assert [(group.rank, group.person_ids) for group in groups] == [(1, ("p1",)), (2, ("p2", "p4")), (3, ("p3",))]
    assert grouped([]) == []


def test_the_camera_with_the_most_hits_comes_first_and_its_hits_in_time():
    groups = grouped([hit(1, camera="b", after_s=9), hit(2, camera="a"), hit(3, camera="b", after_s=4)])
    lanes = by_camera(groups)
    assert {camera: [one.person.id for one in lane] for camera, lane in lanes.items()} == {"b": [3, 1], "a": [2]}
    assert list(lanes) == ["b", "a"]


def test_hits_at_one_time_stand_above_each_other_and_the_rest_is_a_number():
    hits = [hit(number) for number in range(ROWS + 4)] + [hit(99, after_s=100)]
    lane = placed(hits, span_of(hits))
    assert [(one.row, len(one.hits)) for one in lane] == [(0, 1), (1, 1), (2, 1), (ROWS, 4), (0, 1)]
    assert sum(len(one.hits) for one in lane) == len(hits)


def test_all_hits_lie_inside_the_span_even_one_alone():
    for hits in ([hit(1)], [hit(1), hit(2, after_s=3600)]):
        span = span_of(hits)
        assert all(0 <= span.share(one.person.first_seen_at) <= 0.95 for one in hits)


@pytest.mark.parametrize("lasts_s", [10, 61, 3600, 90_000, 40_000_000, 400_000_000])
def test_ticks_lie_inside_and_are_few(lasts_s: int):
    span = Span(NOON, NOON + timedelta(seconds=lasts_s))
    found = ticks(span, BERLIN)
    assert len(found) <= 7
    assert all(span.since <= at <= span.until for at in found)


def test_words_in_lanes_are_escaped():
    told = timeline(
        grouped([hit(1)]), Address("/search"), lambda person_id: f"/search?person={person_id}", Now(NOON, UTC)
    )
    assert "<b>a person" not in told
    assert "&lt;b&gt;a person" in told


def test_nobody_found_names_the_filter_that_leaves_nobody():
    address = Address("/search", {"q": "vest", "camera": "gate", "said": "helmet"})
    camera, word = chips_of(address, Offered(), NOON, UTC)
    cameras = [CameraShape(camera_id="gate", people=3, last_segment_at=NOON)]
    why, ways = no_hits(address, [(camera, 0), (word, 7)], cameras)
    assert "One filter leaves nobody" in why
    assert "helmet" in ways
    assert "gate”" not in ways
    assert "none of them alone" in no_hits(address, [(camera, 0), (word, 0)], cameras)[0]
    assert "No people have been seen" in no_hits(address, [], [])[0]


def test_kept_pictures_go_when_they_are_old_or_too_many():
    clock = [0.0]
    pictures = KeptPictures(most_bytes=10, kept_s=60, clock=lambda: clock[0])
    first, second = pictures.keep(b"12345"), pictures.keep(b"54321")
    assert pictures.get(first) == b"12345"
    pictures.keep(b"67890")
    assert (pictures.get(second), pictures.get(first)) == (None, b"12345")
    large = pictures.keep(b"x" * 100)
    assert pictures.get(large) == b"x" * 100
    clock[0] = 61
    assert pictures.get(large) is None
