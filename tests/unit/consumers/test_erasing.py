"""Erasing people and footage: rows, vectors, media and evidence, whatever is lost, killed or replayed."""

import base64
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

import consumers.cli
from consumers import opening
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AuditRecord
from consumers.analyzer.analyze import unreadable
from consumers.analyzer.manifests import announcement
from consumers.evidence.table import Copy, EvidenceTable
from consumers.indexer.erasing import Erasing, EvidenceErasing
from consumers.indexer.erasures import Erasures, Wish
from consumers.indexer.indexing import Indexing
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.snapshots import SnapshotFolder
from consumers.indexer.tending import tended
from consumers.search.filters import PeopleFilter
from streamer.bus.client import Received
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, evidence_uri, manifest_uri
from streamer.bus.messages import Rejected, SegmentReady
from streamer.bus.topics import SEGMENTS
from tests.builders_alerts import enter_alert
from tests.builders_consumers import NOON, SPACE, WIDTH, a_manifest, a_segment, unit_vector, walking
from tests.builders_index import clustered
from tests.postgres import postgres_url

BOX = (100.0, 100.0, 150.0, 250.0)
THEIRS = clustered(1, WIDTH, seed=3).astype("<f2").tobytes()
APART = (500.0, 100.0, 550.0, 250.0)


class Site:
    """Three segments in a row: a man walks through all of them, a woman stands in the first two."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.database_url = database_url or f"sqlite:///{folder}/people.sqlite3"
        self.folder, self.store = folder, MediaStore(str(folder / "media"))
        self.desk_url = f"sqlite:///{folder}/desk.sqlite3"
        self.manifests: list[Manifest] = []
        for n in range(3):
            at = NOON + timedelta(seconds=10 * n)
            segment = a_segment(f"s{n}", started_at=at, previous=f"s{n - 1}" if n else None)
            path = [(0.0, BOX), (9.8, BOX)]
            encoded = base64.b64encode(THEIRS).decode()
            man = walking(segment, 1, path, caption="a man with a zebra")
            people = [man.model_copy(update={"embedding_base64": encoded})]
            if n < 2:
                away = [(0.0, APART), (9.8, APART)]
                people.append(walking(segment, 2, away, towards=4 + n, caption="a woman in a coat"))
            manifest = a_manifest(segment, people)
            for person in people:
                for look in person.looks:
                    self.store.write(look.crop_uri, f"jpeg of {person.caption}".encode())
            self.store.write(segment.uri, b"video")
            uri = manifest_uri("gate", segment.segment_id, "r1")
            self.store.write(uri, manifest.model_dump_json().encode())
            self.manifests.append(manifest)
        self.open()
        self.enter()

    def open(self) -> None:
        self.table = PeopleTable(self.database_url)
        self.index = LocalIndex(self.folder / "index")
        self.indexing = Indexing(self.table, self.store, self.index, SnapshotFolder(self.folder / "index"))
        evidence = EvidenceErasing(self.desk_url, self.store, around_s=5, now=lambda: NOON)
        self.erasing = Erasing(self.table, self.index, self.store, evidence, self.indexing.entering, now=lambda: NOON)

    def enter(self) -> None:
        batch = [Received("people", 0, n, "i1", announcement(one), b"") for n, one in enumerate(self.manifests)]
        self.indexing.work(batch, lambda: False)
        self.index.save()

    @property
    def man(self) -> list[str]:
        return [manifest.people[0].person_id for manifest in self.manifests]

    def wish(self, wish: Wish) -> int:
        return Erasures(self.table).request(wish, at=NOON)

    def on_disk(self, words: bytes) -> list[str]:
        return [path.name for path in sorted(self.folder.rglob("*")) if path.is_file() and words in path.read_bytes()]

    def captions(self) -> set[str]:
        found = self.table.by_key([near.key for near in self.index.search(SPACE, unit_vector(0), 99)])
        return {person.caption for person in found.values()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.table.close()


def test_whoever_is_erased_is_not_found_and_not_on_disk_after_a_replay_without_index(site: Site) -> None:
    assert site.captions() == {"a man with a zebra", "a woman in a coat"}
    assert site.table.text.count_with("zebra", through_key=1_000) == 3
    assert site.on_disk(b"zebra")
    assert site.on_disk(THEIRS)
    number = site.wish(Wish(person_ids=tuple(site.man)))
    assert site.erasing.step()
    erasure = Erasures(site.table).get(number)
    assert erasure is not None
    assert erasure.report is not None
    report = erasure.report
    assert (report.people, report.vectors, report.crops, report.manifests) == (3, 3, 3, 3)
    assert report.clips == (site.manifests[2].segment_uri,), "the one clip in which nobody else is"
    assert report.shared_clips == tuple(manifest.segment_uri for manifest in site.manifests[:2])
    site.table.close()
    assert site.on_disk(b"zebra") == []
    assert site.on_disk(THEIRS) == []
    shutil.rmtree(site.folder / "index")
    site.open()
    site.enter()
    assert site.captions() == {"a woman in a coat"}
    assert site.index.newest(9, PeopleFilter(described=("zebra",))) == []
    assert len(site.index) == 2
    assert site.on_disk(b"zebra") == []


def test_people_and_footage_are_erased_on_postgresql_too(tmp_path: Path) -> None:
    with postgres_url(tmp_path, is_wanted=True) as url:
        site = Site(tmp_path, url)
        found = site.table.segments(since=NOON, until=NOON + timedelta(hours=1), at_once=1)
        assert [segment.segment_id for segment in found] == ["s0", "s1", "s2"]
        site.wish(Wish(person_ids=tuple(site.man)))
        assert site.erasing.step()
        assert site.table.text.count_with("zebra", through_key=1_000) == 0
        assert site.captions() == {"a woman in a coat"}
        site.wish(Wish(camera_id="gate", since=NOON, until=NOON + timedelta(seconds=5)))
        assert site.erasing.step()
        assert [person.segment_id for person in site.table.newest()] == ["s1"]
        site.enter()
        assert len(site.index) == 1
        site.table.close()


def put_back(site: Site) -> None:
    """The media store as it was before an erasure, from a backup."""
    for manifest in site.manifests:
        site.store.write(manifest_uri("gate", manifest.segment_id, "r1"), manifest.model_dump_json().encode())
        site.store.write(manifest.segment_uri, b"video")
        for person in manifest.people:
            site.store.write(person.looks[0].crop_uri, f"jpeg of {person.caption}".encode())


@pytest.mark.parametrize("is_table_lost", [True, False], ids=["all of it as if for the first time", "known"])
def test_a_media_store_that_comes_back_after_the_erasure_brings_nobody_back(site: Site, is_table_lost: bool) -> None:
    """The database lost but for its tombstones, or not; a replay brings every segment again."""
    site.wish(Wish(person_ids=tuple(site.man)))
    site.erasing.step()
    put_back(site)
    if is_table_lost:
        with site.table.writing() as session:
            session.execute(text("DELETE FROM segments"))
            session.execute(text("DELETE FROM people"))
        site.table.leave_no_trace()
    site.enter()
    assert site.captions() == {"a woman in a coat"}
    assert site.on_disk(b"zebra") == []
    assert len(site.on_disk(b"jpeg of a woman")) == 2
    assert [site.store.exists(one.segment_uri) for one in site.manifests] == [True, True, False]


def test_a_media_store_that_comes_back_brings_no_erased_footage_back(site: Site) -> None:
    site.wish(Wish(camera_id="gate", since=NOON + timedelta(seconds=5), until=NOON + timedelta(seconds=15)))
    assert site.erasing.step()
    put_back(site)
    site.store.write(manifest_uri("gate", "s0", "r1"), b"half a manifest")
    site.enter()
    assert [site.store.exists(one.segment_uri) for one in site.manifests] == [False, False, True]
    assert len(site.on_disk(b"jpeg of")) == 1
    assert site.on_disk(b"a woman in a coat") == []


def test_crops_of_a_manifest_that_was_lost_go_too(site: Site) -> None:
    further = site.manifests[1].people[0].looks[0].crop_uri.replace("000000.jpg", "004000.jpg")
    site.store.write(further, b"another jpeg of a man with a zebra")
    site.store.remove(manifest_uri("gate", "s1", "r1"))
    site.wish(Wish(person_ids=tuple(site.man)))
    assert site.erasing.step()
    site.table.close()
    assert site.on_disk(b"zebra") == []
    assert len(site.on_disk(b"jpeg of a woman")) == 2


def test_footage_goes_with_its_clips_and_nothing_of_it_comes_later(site: Site) -> None:
    late = a_segment("late", started_at=NOON + timedelta(seconds=12))
    manifest = a_manifest(late, [walking(late, 1, [(0.0, BOX)], caption="late with a zebra")])
    site.wish(Wish(camera_id="gate", since=NOON + timedelta(seconds=5), until=NOON + timedelta(seconds=15)))
    assert site.erasing.step()
    assert {person.segment_id for person in site.table.newest()} == {"s2"}
    assert [site.store.exists(one.segment_uri) for one in site.manifests] == [False, False, True]
    assert next(site.table.segments(since=NOON, until=NOON + timedelta(minutes=1))).person_count == 0
    site.store.write(late.uri, b"video")
    site.store.write(manifest_uri("gate", "late", "r1"), manifest.model_dump_json().encode())
    site.manifests.append(manifest)
    site.enter()
    assert not site.store.exists(late.uri)
    assert {person.segment_id for person in site.table.newest()} == {"s2"}
    assert site.on_disk(b"late with a zebra") == []


def test_copies_of_alerts_go_with_the_footage_that_they_were_raised_in_and_that_their_clips_show(site: Site) -> None:
    desk = DeskDatabase(site.desk_url)
    evidence = EvidenceTable(desk)
    yard = a_segment("y0", camera_id="yard", started_at=NOON)
    elsewhere = a_manifest(yard, [walking(yard, 1, [(0.0, BOX), (9.8, BOX)])])
    met_after_s = {"in a clip that goes": 1, "in the stretch": 12, "its clip reaches in": 22, "later": 24, "yard": 12}
    alerts: dict[str, str] = {}
    for name, after_s in met_after_s.items():
        manifest = elsewhere if name == "yard" else site.manifests[after_s // 10]
        alerts[name] = enter_alert(desk, manifest, episode=after_s, raised_at=NOON + timedelta(seconds=after_s))
        uri = evidence_uri(alerts[name], "crop.jpg")
        site.store.write(uri, b"copy")
        evidence.record(alerts[name], Copy("crop", uri, "0" * 64, 4), copied_at=NOON, keep_until=None)
    site.wish(Wish(camera_id="gate", since=NOON + timedelta(seconds=8), until=NOON + timedelta(seconds=18)))
    assert site.erasing.step()
    kept = [alerts["later"], alerts["yard"]]
    assert [row.alert_id for row in evidence.listing()] == kept
    assert [alert_id for alert_id in alerts.values() if site.store.exists(evidence_uri(alert_id, "crop.jpg"))] == kept
    desk.close()


def refused(site: Site, segment: SegmentReady, content: bytes) -> Rejected:
    """What an analyzer publishes of a video that it cannot read; the video lies in the store."""
    site.store.write(segment.uri, content)
    return unreadable(segment, "it is no video").model_copy(
        update={
            "source_topic": SEGMENTS.name,
            "partition": 0,
            "offset": 0,
            "incarnation": "i1",
            "original_base64": base64.b64encode(SEGMENTS.encode(segment)).decode(),
        }
    )


def test_footage_that_nobody_could_read_goes_too(site: Site) -> None:
    within = a_segment("within", started_at=NOON + timedelta(seconds=14))
    before = a_segment("before", started_at=NOON - timedelta(seconds=10))
    late = a_segment("late", started_at=NOON + timedelta(seconds=2))

    def enter(rejected: Rejected) -> None:
        site.indexing.work([Received("dead-letters", 0, 0, "i1", rejected, b"")], lambda: False)

    enter(refused(site, within, b"half a video within"))
    enter(refused(site, before, b"half a video before"))
    number = site.wish(Wish(camera_id="gate", since=NOON + timedelta(seconds=5), until=NOON + timedelta(seconds=15)))
    assert site.erasing.step()
    erasure = Erasures(site.table).get(number)
    assert erasure is not None
    assert erasure.report is not None
    assert within.uri in erasure.report.clips
    enter(refused(site, late, b"half a video late"))
    assert [site.store.exists(segment.uri) for segment in (within, late, before)] == [False, False, True]


def test_another_cameras_footage_stays(site: Site) -> None:
    site.wish(Wish(camera_id="yard", since=NOON - timedelta(days=1), until=NOON + timedelta(days=1)))
    site.erasing.step()
    assert len(site.index) == 5


@pytest.mark.parametrize("broken", ["index", "media", "evidence", "words"])
def test_an_erasure_that_breaks_off_is_completed_later(
    site: Site, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken == "words":
        monkeypatch.setattr(opening, "BUSY_TIMEOUT_MS", 100)
        site.table.close()
        site.open()
    reader = sqlite3.connect(site.folder / "people.sqlite3", isolation_level=None)
    number = site.wish(Wish(person_ids=tuple(site.man)))
    if broken == "index":
        (site.folder / "index").rename(site.folder / "elsewhere")
        (site.folder / "index").write_text("no folder")
    elif broken == "media":
        uri = manifest_uri("gate", "s1", "r1")
        site.store.write(uri, b"no manifest")
    elif broken == "words":  # the write-ahead log keeps what somebody still reads
        reader.execute("BEGIN")
        reader.execute("SELECT caption FROM people").fetchone()
    else:
        (site.folder / "desk.sqlite3").mkdir()
    assert not site.erasing.step()
    assert site.table.person(site.man[0]) is None, "the rows are gone at once"
    erasure = Erasures(site.table).get(number)
    assert erasure is not None
    assert erasure.done_at is None
    assert erasure.report is not None
    assert erasure.report.waits_for
    if broken == "index":  # and this process goes on
        (site.folder / "index").unlink()
        (site.folder / "elsewhere").rename(site.folder / "index")
    elif broken == "media":
        site.store.write(manifest_uri("gate", "s1", "r1"), site.manifests[1].model_dump_json().encode())
    elif broken == "evidence":
        (site.folder / "desk.sqlite3").rmdir()
    reader.close()
    if broken != "index":
        site.table.close()
        site.open()
    assert site.erasing.step()
    assert Erasures(site.table).pending() == []
    site.table.close()
    assert site.on_disk(b"zebra") == []
    assert site.on_disk(THEIRS) == []


def test_copies_of_alerts_go_but_for_those_that_are_held(site: Site) -> None:
    desk = DeskDatabase(site.desk_url)
    evidence = EvidenceTable(desk)
    held, free, other = (enter_alert(desk, site.manifests[n], person) for n, person in ((0, 0), (1, 0), (0, 1)))
    for alert_id, name in ((held, "held"), (free, "free"), (other, "other")):
        uri = evidence_uri(alert_id, "crop.jpg")
        site.store.write(uri, f"copy of {name}".encode())
        evidence.record(alert_id, Copy("crop", uri, "0" * 64, 9), copied_at=NOON, keep_until=None)
    evidence.hold(held, who="w", at=NOON, reason="a claim")
    number = site.wish(Wish(person_ids=tuple(site.man)))
    assert site.erasing.step()
    erasure = Erasures(site.table).get(number)
    assert erasure is not None
    assert erasure.report is not None
    assert (erasure.report.evidence, erasure.report.held) == (1, (held,))
    assert site.on_disk(b"copy of free") == []
    assert len(site.on_disk(b"copy of held")) == len(site.on_disk(b"copy of other")) == 1
    assert [row.alert_id for row in evidence.listing()] == [held, other]
    assert [row.alert_id for row in evidence.owed()] == [other], "nothing more of the erased is copied"
    with desk.reading() as session:
        actions = {(row.subject, row.action) for row in session.scalars(select(AuditRecord))}
    assert (free, "evidence erased") in actions
    assert (held, "evidence kept, as it is held") in actions
    desk.close()


@pytest.fixture
def command(site: Site, tmp_path: Path) -> CliRunner:
    config = tmp_path / "crewsight.yaml"
    config.write_text(f"state: {{folder: {tmp_path}}}\n")
    return CliRunner()


def run(command: CliRunner, site: Site, *arguments: str, answer: str = "") -> str:
    result = command.invoke(
        consumers.cli.app, ["erase", *arguments, "--config", str(site.folder / "crewsight.yaml")], input=answer
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_the_command_erases_a_person_in_all_their_tracks_and_says_what_remains(command: CliRunner, site: Site) -> None:
    with tended("erasing", site.erasing.step):
        told = run(command, site, "person", site.man[1], "--yes")
    assert "3 rows, 3 vectors, 3 crops" in told
    assert told.count("which shows others too") == 2
    desk = DeskDatabase(site.desk_url)
    with desk.reading() as session:
        (line,) = session.scalars(select(AuditRecord))
    assert (line.action, line.subject) == ("erase person", site.man[1])
    desk.close()


def test_nothing_happens_unless_one_is_sure_and_nothing_is_lost_while_no_indexer_runs(
    command: CliRunner, site: Site
) -> None:
    for answer in ("n\n", "y\n", "\n"):
        assert "Aborted" in run(command, site, "person", site.man[0], answer=answer)
    assert Erasures(site.table).pending() == []
    stretch = ("--camera", "gate", "--since", NOON.isoformat(), "--until", (NOON + timedelta(hours=1)).isoformat())
    told = run(command, site, "footage", *stretch, "--yes", "--wait", "0")
    assert "Erasure 1 is written down and not done yet" in told
    assert "Nothing is known" not in told
    assert site.erasing.step()
    assert len(site.index) == 0


def test_erasing_what_a_camera_saw_that_nobody_knows_says_so(command: CliRunner, site: Site) -> None:
    stretch = ("--since", NOON.isoformat(), "--until", (NOON + timedelta(hours=1)).isoformat())
    told = run(command, site, "footage", "--camera", "gaet", *stretch, "--yes", "--wait", "0")
    assert "Nothing is known of a camera gaet; known are gate." in told


def test_erasing_takes_the_name_of_what_goes(command: CliRunner, site: Site) -> None:
    told = run(command, site, "person", site.man[0], "--wait", "0", answer=f"{site.man[0][:8]}\n")
    assert f"Type {site.man[0][:8]} to go on" in told
    stretch = ("--since", NOON.isoformat(), "--until", (NOON + timedelta(hours=1)).isoformat(), "--wait", "0")
    assert "is written down" in run(command, site, "footage", "--camera", "gate", *stretch, answer="gate\n")
    assert len(Erasures(site.table).pending()) == 2
