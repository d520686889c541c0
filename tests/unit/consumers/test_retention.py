from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.analyzer.manifests import announcement
from consumers.indexer.indexing import Indexing
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.retention import Retention
from consumers.indexer.snapshots import SnapshotFolder
from streamer.bus.client import Received
from streamer.bus.media import MediaStore, manifest_uri
from tests.builders_consumers import NOON, a_manifest, a_segment, walking

DAY = timedelta(days=1)
BOX = (100.0, 100.0, 150.0, 250.0)


class Site:
    """One person a day on five days, the first at noon of 1 March."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, MediaStore(str(folder / "media"))
        self.table = PeopleTable(f"sqlite:///{folder}/people.sqlite3")
        self.open()
        segments = [a_segment(f"s{day}", started_at=NOON + day * DAY) for day in range(5)]
        self.manifests = [a_manifest(segment, [walking(segment, 1, [(0.0, BOX)])]) for segment in segments]
        for manifest in self.manifests:
            self.store.write(manifest_uri("gate", manifest.segment_id, "r1"), manifest.model_dump_json().encode())
        self.enter()

    def open(self) -> None:
        self.index = LocalIndex(self.folder / "index")
        self.indexing = Indexing(self.table, self.store, self.index, SnapshotFolder(self.folder / "index"))

    def enter(self) -> None:
        batch = [Received("people", 0, n, "i1", announcement(one), b"") for n, one in enumerate(self.manifests)]
        self.indexing.work(batch, lambda: False)
        self.index.save()

    def seen(self) -> list[str]:
        return [person.segment_id for person in self.table.newest()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.table.close()


def test_whole_days_go_when_they_are_over_and_neither_a_restart_nor_a_replay_brings_them_back(site: Site) -> None:
    now = NOON + 4 * DAY
    retention = Retention(site.table, site.index, 2 * DAY, site.indexing.entering, now=lambda: now)
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


def test_nobody_goes_before_their_days_are_over(site: Site) -> None:
    retention = Retention(site.table, site.index, 5 * DAY, site.indexing.entering, now=lambda: NOON + 4 * DAY)
    assert not retention.step()
    assert len(site.seen()) == len(site.index) == 5
