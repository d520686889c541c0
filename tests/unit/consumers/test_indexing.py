"""The indexer's stage on real tables, files and FAISS; the topics are in the contract tests."""

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from consumers.analyzer.manifests import announcement
from consumers.indexer.catching_up import catch_up
from consumers.indexer.embeddings import Embeddings
from consumers.indexer.indexing import Indexing
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import RejectionRecord
from consumers.indexer.snapshots import SnapshotFolder
from consumers.search.filters import EVERYONE
from streamer.bus.client import Received, TopicPartition
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import Message, Rejected
from streamer.bus.topics import DEAD_LETTERS
from tests.builders_consumers import NOON, SPACE, WIDTH, Box, a_manifest, a_segment, unit_vector, walking
from tests.builders_index import a_person

BOX: Box = (100, 100, 150, 250)
PEOPLE_0 = TopicPartition("people", 0)


class Desk:
    """An indexer's folder and what is open in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MediaStore(str(folder / "media"))
        self.table = PeopleTable(f"sqlite:///{folder}/people.sqlite3")
        self.indexing = self.opened()

    def opened(self) -> Indexing:
        snapshots = SnapshotFolder(self.folder / "index")
        return Indexing(self.table, self.store, LocalIndex(self.folder / "index"), snapshots, now=lambda: NOON)

    def put(self, manifest: Manifest) -> Manifest:
        uri = manifest_uri(manifest.camera_id, manifest.segment_id, manifest.analysis_revision)
        self.store.write_once(uri, manifest.model_dump_json().encode())
        return manifest

    def enter(self, *messages: Message) -> list[Any]:
        batch = [Received("people", 0, n, "i1", message, b"bytes") for n, message in enumerate(messages)]
        return [one for each in self.indexing.work(batch, lambda: False) for one in each]


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    desk = Desk(tmp_path)
    yield desk
    desk.table.close()


def test_an_unmeasured_answer_is_told_apart_in_the_table(desk: Desk) -> None:
    segment = a_segment("s0")
    opinion = walking(segment, 1, [(0.0, BOX)]).model_copy(
        update={"unmeasured": ("q1", "q2"), "reasons": {"q2": "too small"}}
    )
    desk.enter(announcement(desk.put(a_manifest(segment, [opinion]))))
    (person,) = desk.table.newest(1)
    assert person.reasons == {"q1": "unmeasured", "q2": "too small"}


def crossing(count: int) -> list[Manifest]:
    """Segments in which one person stands from beginning to end."""
    made = []
    for n in range(count):
        started_at = NOON + timedelta(seconds=10 * n)
        segment = a_segment(f"s{n}", started_at=started_at, previous=f"s{n - 1}" if n else None)
        made.append(a_manifest(segment, [walking(segment, 1, [(0.0, BOX), (9.8, BOX)], towards=n % WIDTH)]))
    return made


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0)])
def test_one_person_over_three_segments_is_one_chain_whichever_segment_comes_first(
    desk: Desk, order: tuple[int, ...]
) -> None:
    manifests = [desk.put(manifest) for manifest in crossing(3)]
    for number in order:
        assert desk.enter(announcement(manifests[number])) == []
    assert {person.chain_id for person in desk.table.newest()} == {manifests[0].people[0].person_id}
    assert len(desk.indexing.index) == 3


def test_a_message_that_comes_again_changes_nothing(desk: Desk) -> None:
    (manifest,) = [desk.put(manifest) for manifest in crossing(1)]
    desk.enter(announcement(manifest), announcement(manifest))
    before = desk.table.newest()
    desk.enter(announcement(manifest))
    assert desk.table.newest() == before
    assert len(desk.indexing.index) == 1


@pytest.mark.parametrize("content", [None, b'{"half'])
def test_a_manifest_that_cannot_be_read_becomes_a_dead_letter_with_its_place(desk: Desk, content: bytes | None) -> None:
    manifest = crossing(1)[0]
    if content is not None:
        desk.store.write(announcement(manifest).manifest_uri, content)
    (publication,) = desk.enter(announcement(manifest))
    assert publication.topic is DEAD_LETTERS
    rejected = publication.message
    assert (rejected.source_topic, rejected.partition, rejected.offset) == ("people", 0, 0)
    assert (rejected.camera_id, rejected.segment_id) == ("gate", "s0")
    assert base64.b64decode(rejected.original_base64) == b"bytes"
    assert desk.table.counts().segments == 0


def test_a_refusal_is_entered_once(desk: Desk) -> None:
    rejected = Rejected(rejected_id="r1", reason="it is no video")
    assert desk.enter(rejected, rejected) == []
    assert desk.table.counts().rejections == 1


def test_a_restart_takes_up_the_snapshot_and_adds_what_only_the_table_has(desk: Desk) -> None:
    manifests = [desk.put(manifest) for manifest in crossing(3)]
    desk.enter(announcement(manifests[0]))
    desk.indexing.committed({PEOPLE_0: 1}, "i1")
    desk.indexing.save()
    desk.enter(announcement(manifests[1]))  # its row is durable, and then the process dies before a snapshot
    again = desk.opened()
    assert len(again.index) == 2
    assert again.first_offset(PEOPLE_0, "i1") == 1
    (best,) = again.index.search(SPACE, unit_vector(1), 1)
    assert desk.table.by_key([best.key])[best.key].segment_id == "s1"


def test_offsets_of_another_incarnation_or_of_no_snapshot_are_not_trusted(desk: Desk) -> None:
    assert desk.indexing.first_offset(PEOPLE_0, "i1") == 0
    desk.indexing.committed({PEOPLE_0: 5}, "i1")
    desk.indexing.save()
    assert desk.opened().first_offset(PEOPLE_0, "i2") == 0
    assert desk.opened().first_offset(PEOPLE_0, "i1") == 5


@pytest.mark.parametrize("is_restored", [False, True], ids=["lost", "from a backup"])
def test_offsets_beyond_what_the_table_has_are_not_trusted(tmp_path: Path, is_restored: bool) -> None:
    """What was entered after the backup is in the topics alone, before the offsets that the snapshot names."""
    desk = Desk(tmp_path)
    manifests = [desk.put(manifest) for manifest in crossing(2)]
    refused = Rejected(rejected_id="r1", reason="it is no video")
    desk.enter(announcement(manifests[0]))
    desk.table.close()
    backup = (tmp_path / "people.sqlite3").read_bytes()
    desk = Desk(tmp_path)
    desk.enter(announcement(manifests[0]), announcement(manifests[1]), refused)
    desk.indexing.committed({PEOPLE_0: 3}, "i1")
    desk.indexing.save()
    assert desk.opened().first_offset(PEOPLE_0, "i1") == 3
    desk.table.close()
    for path in tmp_path.glob("people.sqlite3*"):
        path.unlink()
    if is_restored:
        (tmp_path / "people.sqlite3").write_bytes(backup)
    desk = Desk(tmp_path)
    assert desk.indexing.first_offset(PEOPLE_0, "i1") == 0
    desk.enter(announcement(manifests[0]), announcement(manifests[1]), refused)
    desk.indexing.committed({PEOPLE_0: 3}, "i1")
    desk.indexing.save()
    again = desk.opened()
    assert len(again.index) == 2
    assert again.first_offset(PEOPLE_0, "i1") == 3
    desk.table.close()


def test_offsets_beyond_the_refusals_that_the_table_has_are_not_trusted(desk: Desk) -> None:
    desk.enter(Rejected(rejected_id="r1", reason="it is no video"))
    desk.indexing.committed({TopicPartition("dead-letters", 0): 1}, "i1")
    desk.indexing.save()
    with desk.table.writing() as session:
        session.execute(delete(RejectionRecord))
    assert desk.opened().first_offset(TopicPartition("dead-letters", 0), "i1") == 0


def test_a_partition_that_goes_and_comes_back_is_taken_up_where_it_was_left(desk: Desk) -> None:
    desk.indexing.committed({PEOPLE_0: 8}, "i1")
    assert desk.indexing.first_offset(PEOPLE_0, "i1") == 8
    desk.indexing.committed({TopicPartition("people", 1): 2}, "i2")
    assert desk.indexing.first_offset(PEOPLE_0, "i1") == 0


def test_people_of_two_embedding_spaces_are_each_found_in_their_own(desk: Desk) -> None:
    first, second = crossing(2)
    elsewhere = second.revisions.model_copy(update={"embedding_space": "another space"})
    for manifest in (first, second.model_copy(update={"revisions": elsewhere})):
        desk.enter(announcement(desk.put(manifest)))
    for index in (desk.indexing.index, desk.opened().index):
        assert index.spaces() == {SPACE: 1, "another space": 1}
        (there,) = index.search("another space", unit_vector(0), 5)
        assert desk.table.by_key([there.key])[there.key].segment_id == "s1"


def test_a_cameras_people_stay_in_their_partition_when_the_index_is_made_again_from_the_table(desk: Desk) -> None:
    manifest = desk.put(crossing(1)[0])
    desk.indexing.work([Received("people", 3, 0, "i1", announcement(manifest), b"bytes")], lambda: False)
    (person,) = desk.table.newest()
    ((again,), _) = Embeddings(desk.table).indexed(SPACE, [person.id])
    assert (again.partition, again.camera_id, again.caption) == (3, "gate", person.caption)


def test_whoever_the_table_has_no_longer_leaves_the_index_when_it_is_opened(desk: Desk) -> None:
    desk.enter(*(announcement(desk.put(manifest)) for manifest in crossing(2)))
    stranger = a_person(99)
    desk.indexing.index.add(SPACE, [stranger], unit_vector(0)[None])
    assert catch_up(desk.indexing.index, desk.table) == 1
    assert desk.indexing.index.wanted_of([1, 2, 99], EVERYONE) == [1, 2]
