from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.analyzer.manifests import announcement
from consumers.indexer.indexing import Indexing
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.media_retention import MediaLetGo
from consumers.indexer.people import PeopleTable
from consumers.indexer.retention import Retention, kept_since, run_retention
from consumers.indexer.snapshots import SnapshotFolder
from consumers.search.described import Descriptions
from consumers.search.filters import EVERYONE
from streamer.bus.client import Received
from streamer.bus.media import MediaStore, evidence_uri, manifest_uri, segment_uri
from tests.builders_consumers import NOON, a_manifest, a_segment, walking

DAY = timedelta(days=1)
BOX = (100.0, 100.0, 150.0, 250.0)


class Site:
    """One person a day on five days, the first at noon of 1 March."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, MediaStore(str(folder / "media"))
        self.table = PeopleTable(f"sqlite:///{folder}/people.sqlite3")
        self.open()
        segments = [
            a_segment(
                f"s{day}", started_at=NOON + day * DAY, uri=segment_uri("gate", f"2026-03-{1 + day:02d}", f"s{day}")
            )
            for day in range(5)
        ]
        self.manifests = [
            a_manifest(segment, [walking(segment, 1, [(0.0, BOX)], caption=f"a man with a {animal}")])
            for segment, animal in zip(segments, ("zebra", "giraffe", "lion", "tiger", "camel"), strict=True)
        ]
        for manifest in self.manifests:
            self.store.write(manifest_uri("gate", manifest.segment_id, "r1"), manifest.model_dump_json().encode())
            self.store.write(manifest.segment_uri, b"video")
            self.store.write(manifest.people[0].looks[0].crop_uri, b"crop")
        self.enter()

    def open(self) -> None:
        self.index = LocalIndex(self.folder / "index")
        self.indexing = Indexing(self.table, self.store, self.index, SnapshotFolder(self.folder / "index"))

    def enter(self) -> None:
        batch = [Received("people", 0, n, "i1", announcement(one), b"") for n, one in enumerate(self.manifests)]
        self.indexing.work(batch, lambda: False)
        self.index.save()

    def described(self, words: str) -> list[int]:
        found = Descriptions(self.table.text, self.index).ranked(words, EVERYONE, nearest=[], horizon=5)
        return [one.key for one in found]

    def media(self) -> list[str]:
        """The days of which there are clips, and the segments of which there are crops."""
        clips = [day.isoformat() for day, _ in self.store.clip_days()]
        return clips + [uri.rsplit("/", 1)[-1] for uri in self.store.list("media:///crops/gate")]

    def seen(self) -> list[str]:
        return [person.segment_id for person in self.table.newest()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.table.close()


def test_whole_days_go_when_they_are_over_and_neither_a_restart_nor_a_replay_brings_them_back(site: Site) -> None:
    now = NOON + 4 * DAY
    retention = Retention(site.table, site.index, site.store, 2 * DAY, site.indexing.entering, now=lambda: now)
    while retention.step():
        pass
    assert site.seen() == ["s4", "s3", "s2"], "kept is the whole day that two days back falls into"
    assert len(site.index) == 3
    site.open()
    site.enter()
    assert site.seen() == ["s4", "s3", "s2"]
    assert len(site.index) == 3
    now += DAY
    assert retention.step()
    assert site.seen() == ["s4", "s3"]


def test_words_go_with_their_day_from_the_files_too(site: Site) -> None:
    assert site.described("man") == [5, 4, 3, 2, 1]
    retention = Retention(
        site.table, site.index, site.store, 2 * DAY, site.indexing.entering, now=lambda: NOON + 4 * DAY
    )
    while retention.step():
        pass
    assert site.described("man") == [5, 4, 3]
    assert site.described("zebra giraffe") == []
    files = b"".join(path.read_bytes() for path in site.folder.glob("people.sqlite3*"))
    assert [word in files for word in (b"zebra", b"giraffe", b"camel")] == [False, False, True]


def test_whoever_another_process_let_go_is_not_found_by_words_that_were_asked_for_before(site: Site) -> None:
    assert site.described("man") == [5, 4, 3, 2, 1]
    elsewhere = PeopleTable(site.table.database_url)
    now = NOON + 4 * DAY
    run_retention(elsewhere, site.store, 2 * DAY, now=now)
    elsewhere.close()
    site.index.drop_before(kept_since(now, 2 * DAY))
    assert site.described("man") == [5, 4, 3]


KEPT = ["2026-03-03", "2026-03-04", "2026-03-05", "s2.r1", "s3.r1", "s4.r1"]


def test_clips_and_crops_go_with_their_day_and_copies_for_alerts_stay(site: Site) -> None:
    copy = evidence_uri("alert-1", "clip.mp4")
    site.store.write(copy, b"a copy that is held")
    site.store.write(segment_uri("yard", "2026-03-01", "never-analysed"), b"video")
    site.store.write(segment_uri("yard", "2026-03-04", "on-its-way"), b"video")
    stray = site.manifests[0].people[0].looks[0].crop_uri.replace(".jpg", "-stray.jpg")
    site.store.write(stray, b"a crop that no manifest names")
    retention = Retention(
        site.table, site.index, site.store, 2 * DAY, site.indexing.entering, now=lambda: NOON + 4 * DAY
    )
    while retention.step():
        pass
    assert site.media() == [*KEPT[:3], "2026-03-04", *KEPT[3:]]
    assert site.store.exists(copy)
    site.open()
    site.enter()
    assert site.seen() == ["s4", "s3", "s2"], "an emptied manifest brings nobody back"


def test_retention_runs_beside_the_indexer_is_repeated_and_says_what_it_could_not_reach(site: Site) -> None:
    spoilt = manifest_uri("gate", "s1", "r1")
    site.store.write(spoilt, b"no manifest")
    now = NOON + 4 * DAY
    first = run_retention(site.table, site.store, 2 * DAY, now=now)
    assert (first.people, first.media) == (2, MediaLetGo(clips=1, crops=1, failed=1))
    site.store.write(spoilt, site.manifests[1].model_dump_json().encode())
    again = run_retention(site.table, site.store, 2 * DAY, now=now)
    assert (again.people, again.media) == (0, MediaLetGo(clips=1, crops=1, failed=0))
    assert run_retention(site.table, site.store, 2 * DAY, now=now).media == MediaLetGo()
    assert site.media() == KEPT


def test_nobody_goes_before_their_days_are_over(site: Site) -> None:
    retention = Retention(
        site.table, site.index, site.store, 5 * DAY, site.indexing.entering, now=lambda: NOON + 4 * DAY
    )
    assert not retention.step()
    assert len(site.seen()) == len(site.index) == 5
