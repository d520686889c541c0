import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from consumers.errors import PeopleTableError
from consumers.indexer.embeddings import Embeddings
from consumers.indexer.people import Links, PeopleReader, PeopleTable
from consumers.indexer.schema import Tombstone
from streamer.bus.manifest import Manifest
from streamer.bus.media import manifest_uri
from streamer.bus.messages import Rejected
from tests.builders_consumers import HAT, NOON, SPACE, a_manifest, a_segment, walking

NOBODY = Links({}, {})


@pytest.fixture
def table(tmp_path: Path) -> Iterator[PeopleTable]:
    people = PeopleTable(f"sqlite:///{tmp_path}/state/people.sqlite3")
    yield people
    people.close()


def segment_of(number: int, people: int = 1, *, camera_id: str = "gate") -> Manifest:
    previous = f"s{number - 1}" if number else None
    started_at = NOON + timedelta(seconds=10 * number)
    segment = a_segment(f"s{number}", camera_id=camera_id, started_at=started_at, previous=previous)
    box = (10.0, 20.0, 60.0, 170.0)
    return a_manifest(segment, [walking(segment, n, [(0.0, box), (9.8, box)], towards=n) for n in range(1, people + 1)])


def enter(table: PeopleTable, manifest: Manifest, links: Links = NOBODY) -> dict[str, int]:
    uri = manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision)
    embeddings = {person.person_id: base64.b64decode(person.embedding_base64) for person in manifest.people}
    return table.record(manifest, uri, links, embeddings)


def test_an_empty_table_has_nobody(table: PeopleTable) -> None:
    assert table.newest() == []
    assert table.cameras() == []
    assert table.questions() == []
    assert (table.counts().people, table.counts().segments, table.counts().rejections) == (0, 0, 0)


def test_a_person_comes_back_as_they_were_entered(table: PeopleTable) -> None:
    manifest = segment_of(0)
    keys = enter(table, manifest)
    (person,) = table.newest()
    seen = manifest.people[0]
    assert (person.person_id, person.track_id, person.chain_id) == (seen.person_id, seen.track_id, seen.person_id)
    assert (person.first_seen_at, person.last_seen_at) == (NOON, NOON + timedelta(seconds=9.8))
    assert (person.caption, person.answers) == (seen.caption, seen.answers)
    assert (person.crop_uri, person.crop_size_wh) == (seen.looks[0].crop_uri, (50, 100))
    assert (person.box_xyxy, person.frame_size_wh) == ((10, 20, 60, 170), (640, 480))
    assert person.id == keys[seen.person_id]
    assert table.person(seen.person_id) == person
    assert [question.question_id for question in table.questions()] == [HAT.question_id]


def test_entering_a_segment_again_changes_nothing(table: PeopleTable) -> None:
    keys = enter(table, segment_of(0, 2))
    before = table.newest()
    assert enter(table, segment_of(0, 2)) == keys
    assert table.newest() == before
    assert table.counts().segments == 1


def test_the_newest_come_first_and_pages_do_not_overlap(table: PeopleTable) -> None:
    for number in range(5):
        enter(table, segment_of(number))
    newest = table.newest(2)
    assert [person.segment_id for person in newest] == ["s4", "s3"]
    assert [person.segment_id for person in table.newest(2, before_id=newest[-1].id)] == ["s2", "s1"]
    assert [person.segment_id for person in table.newest(9, after_id=newest[-1].id)] == ["s4"]


def test_one_camera_is_asked_for_alone(table: PeopleTable) -> None:
    enter(table, segment_of(0, 2))
    enter(table, segment_of(1, 1, camera_id="yard"))
    assert {person.camera_id for person in table.newest(camera="yard")} == {"yard"}
    assert [(camera.camera_id, camera.people) for camera in table.cameras()] == [("gate", 2), ("yard", 1)]


def test_segments_of_a_stretch_come_in_order_however_few_are_read_at_once(table: PeopleTable) -> None:
    manifests = [segment_of(number, camera_id=f"camera{number % 2}") for number in (3, 0, 4, 1, 2)]
    for manifest in [*manifests, manifests[0].model_copy(update={"analysis_revision": "r2"})]:
        enter(table, manifest)
    until = NOON + timedelta(seconds=40)
    for at_once in (1, 2, 3, 10):
        found = list(table.segments(since=NOON, until=until, at_once=at_once))
        assert [one.segment_id for one in found] == ["s0", "s1", "s2", "s3"]
        assert found[3].analysis_revision == "r2", "the latest result of it, and no other"
        odd = table.segments(since=NOON, until=until, cameras=["camera1"], at_once=at_once)
        assert [one.segment_id for one in odd] == ["s1", "s3"]
    assert table.segment_count(since=NOON, until=until) == 4
    assert table.segment_count(since=NOON, until=until, cameras=["camera1"]) == 2
    assert list(table.segments(since=until, until=NOON)) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (1, 0, 2), (2, 0, 1)])
def test_a_chain_is_the_same_in_whichever_order_its_segments_arrive(table: PeopleTable, order: tuple[int, ...]) -> None:
    manifests = [segment_of(number) for number in range(3)]
    ids = [manifest.people[0].person_id for manifest in manifests]
    arrived: set[int] = set()
    for number in order:
        back = {ids[number]: ids[number - 1]} if number - 1 in arrived else {}
        forward = {ids[number + 1]: ids[number]} if number + 1 in arrived else {}
        enter(table, manifests[number], Links(back, forward))
        arrived.add(number)
    assert {person.chain_id for person in table.newest()} == {ids[0]}
    assert [person.person_id for person in table.chain(ids[0])] == ids
    assert table.counts().chains == 1


def test_who_was_erased_does_not_come_back(table: PeopleTable) -> None:
    manifest = segment_of(0, 2)
    gone, stays = (person.person_id for person in manifest.people)
    with table._engine.begin() as connection:
        connection.execute(insert(Tombstone).values(person_id=gone, erased_at=NOON))
    assert set(enter(table, manifest)) == {stays}
    assert table.person(gone) is None


def test_a_refusal_is_kept_once(table: PeopleTable) -> None:
    rejected = Rejected(rejected_id="r", reason="it is no video", camera_id="gate", partition=1, offset=7)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert [table.reject(rejected, noticed_at=now) for _ in range(2)] == [True, False]
    assert table.rejections() == [rejected]


def test_what_an_index_keeps_comes_by_key_and_only_of_one_space(table: PeopleTable) -> None:
    keys = [key for number in range(3) for key in enter(table, segment_of(number, 2)).values()]
    assert Embeddings(table).keys(SPACE).tolist() == sorted(keys)
    people, vectors = Embeddings(table).indexed(SPACE, [*keys, 99])
    assert [person.key for person in people] == sorted(keys)
    assert vectors.shape == (len(keys), 8)
    assert Embeddings(table).spaces() == [SPACE]
    assert Embeddings(table).keys("another space").tolist() == []


def test_a_reader_sees_what_the_writer_enters_while_both_are_open(table: PeopleTable) -> None:
    reader = PeopleReader(table.database_url)
    enter(table, segment_of(0))
    assert len(reader.newest()) == 1
    reader.close()


def test_many_may_open_a_new_database_at_the_same_moment(tmp_path: Path) -> None:
    url, start = f"sqlite:///{tmp_path}/people.sqlite3", threading.Barrier(8)

    def open_it(_: int) -> int:
        start.wait()
        reader = PeopleReader(url)
        people = reader.counts().people
        reader.close()
        return people

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(open_it, range(8))) == [0] * 8


@pytest.mark.parametrize("url", ["no-url", "sqlite:////dev/null/people.sqlite3", "oracle9://x/y"])
def test_a_database_that_does_not_open_is_named_in_one_line(url: str) -> None:
    with pytest.raises(PeopleTableError) as refused:
        PeopleTable(url)
    assert refused.value.database == url
    assert "\n" not in str(refused.value)
