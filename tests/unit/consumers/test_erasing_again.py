"""Whoever is erased stays so when the same footage is analysed anew: another model gives other ids and boxes."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.alerts.desk_database import DeskDatabase
from consumers.evidence.table import Copy, EvidenceTable
from consumers.indexer.erasures import Erasures, Wish
from streamer.bus.manifest import Manifest, PersonSeen
from streamer.bus.media import evidence_uri, manifest_uri
from streamer.bus.messages import SegmentReady
from tests.builders_alerts import enter_alert
from tests.builders_consumers import NOON, Box, a_manifest, a_segment, straight, walking
from tests.unit.consumers.test_erasing import APART, BOX, Site

SEGMENT = a_segment("s1", started_at=NOON + timedelta(seconds=10), previous="s0")
NEARLY: Box = (103.0, 95.0, 155.0, 246.0)  # how another detector sees whoever stands in BOX


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.table.close()


def analysed_anew(site: Site, people: Sequence[PersonSeen], segment: SegmentReady = SEGMENT) -> Manifest:
    """A segment, the middle one by default, as another model sees it, with its crops."""
    manifest = a_manifest(segment, people, revision="r2")
    for person in people:
        site.store.write(person.looks[0].crop_uri, f"jpeg of {person.caption}".encode())
    site.store.write(manifest_uri("gate", segment.segment_id, "r2"), manifest.model_dump_json().encode())
    site.manifests.append(manifest)
    return manifest


def seen_by_another_model() -> list[PersonSeen]:
    """The man in two tracks and a little elsewhere in the picture, and the woman."""
    return [
        walking(SEGMENT, 1, [(0.1, NEARLY), (4.0, NEARLY)], revision="r2", caption="zebra one"),
        walking(SEGMENT, 2, [(4.4, NEARLY), (9.9, NEARLY)], revision="r2", caption="zebra two"),
        walking(SEGMENT, 3, [(0.1, APART), (9.9, APART)], revision="r2", caption="a woman again"),
    ]


def test_whoever_was_erased_does_not_come_back_by_another_model(site: Site) -> None:
    site.wish(Wish(person_ids=tuple(site.man)))
    assert site.erasing.step()
    manifest = analysed_anew(site, seen_by_another_model())
    desk = DeskDatabase(site.desk_url)
    alert_id = enter_alert(desk, manifest, 0)
    uri = evidence_uri(alert_id, "crop.jpg")
    site.store.write(uri, b"copy of a zebra")
    EvidenceTable(desk).record(alert_id, Copy("crop", uri, "0" * 64, 9), copied_at=NOON, keep_until=None)
    desk.close()
    site.enter()
    assert site.captions() == {"a woman in a coat", "a woman again"}
    assert site.erasing.step(), "what alerts have copied of these ids goes too"
    assert Erasures(site.table).pending() == []
    site.table.close()
    assert site.on_disk(b"zebra") == []


def test_whoever_two_models_have_found_is_erased_of_both(site: Site) -> None:
    wish = Wish(person_ids=tuple(site.man))
    analysed_anew(site, seen_by_another_model())
    site.enter()
    assert "zebra one" in site.captions()
    number = site.wish(wish)
    assert site.erasing.step()
    erasure = Erasures(site.table).get(number)
    assert erasure is not None
    assert erasure.report is not None
    assert erasure.report.elsewhere == 2
    assert site.captions() == {"a woman in a coat", "a woman again"}
    site.table.close()
    assert site.on_disk(b"zebra") == []


def test_one_box_keeps_somebody_out_whose_manifest_was_lost(site: Site) -> None:
    site.store.remove(manifest_uri("gate", "s1", "r1"))
    site.wish(Wish(person_ids=(site.man[1],)))
    assert site.erasing.step()
    analysed_anew(site, [walking(SEGMENT, 1, [(0.2, NEARLY), (0.8, NEARLY)], revision="r2", caption="zebra anew")])
    site.enter()
    assert "zebra anew" not in site.captions()


def test_erased_footage_stays_erased_whichever_model_sees_it(site: Site) -> None:
    site.wish(Wish(camera_id="gate", since=NOON + timedelta(seconds=12), until=NOON + timedelta(seconds=15)))
    assert site.erasing.step()
    site.store.write(SEGMENT.uri, b"video from a backup")
    analysed_anew(site, seen_by_another_model())
    site.enter()
    assert site.captions() == {"a man with a zebra", "a woman in a coat"}
    assert not site.store.exists(SEGMENT.uri)
    assert site.on_disk(b"zebra one") == []


def test_whoever_only_passes_by_an_erased_person_comes_in(site: Site) -> None:
    site.wish(Wish(person_ids=tuple(site.man)))
    assert site.erasing.step()
    passing = walking(
        SEGMENT, 1, straight(0.0, 9.8, (10.0, 100.0, 60.0, 250.0), px_per_s=60), revision="r2", caption="passes by"
    )
    earlier = a_segment("then", started_at=NOON - timedelta(seconds=30))
    was_there = walking(earlier, 1, [(0.0, BOX), (9.8, BOX)], revision="r2", caption="was there")
    analysed_anew(site, [was_there], earlier)
    analysed_anew(site, [passing])
    site.enter()
    assert site.captions() == {"a woman in a coat", "passes by", "was there"}
