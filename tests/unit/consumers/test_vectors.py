import threading
from pathlib import Path

import numpy as np
import pytest

from consumers.errors import VectorIndexError
from consumers.indexer.snapshots import NOTE, SnapshotFolder
from consumers.indexer.vectors import VectorShard
from streamer.bus.client import TopicPartition
from tests.builders_consumers import SPACE, WIDTH, unit_vector

PLACE = TopicPartition("people", 1)


def a_shard(*keys: int) -> VectorShard:
    shard = VectorShard.empty(SPACE, WIDTH)
    shard.add(keys, np.stack([unit_vector(key % WIDTH) for key in keys]) if keys else np.zeros((0, WIDTH), np.float32))
    return shard


def test_an_empty_shard_finds_nobody() -> None:
    assert a_shard().search(unit_vector(0), 5) == []


def test_the_nearest_comes_first_and_short_answers_are_not_padded() -> None:
    found = a_shard(1, 2, 3).search((unit_vector(2) * 0.9 + unit_vector(3) * 0.4).astype(np.float32), 10)
    assert [key for key, _ in found] == [2, 3, 1]
    assert found[0][1] == pytest.approx(0.9, abs=1e-6)


def test_a_search_among_some_keys_finds_only_those() -> None:
    shard = a_shard(1, 2, 3)
    assert [key for key, _ in shard.search(unit_vector(1), 5, among=[3, 2])] in ([2, 3], [3, 2])
    assert shard.search(unit_vector(1), 5, among=[]) == []
    assert shard.search(unit_vector(1), 5, among=[99]) == []


def test_a_key_is_taken_once() -> None:
    shard = a_shard(5)
    assert shard.add([5, 6], np.stack([unit_vector(0), unit_vector(6)])) == 1
    assert len(shard) == 2
    assert shard.search(unit_vector(5), 1) == [(5, 1.0)]


def test_vectors_of_another_width_are_refused() -> None:
    with pytest.raises(VectorIndexError, match=r"\(1, 8\)"):
        a_shard().add([1], np.zeros((1, 3), np.float32))


def test_searches_go_on_while_vectors_arrive() -> None:
    shard, failures = a_shard(0), []

    def search() -> None:
        for _ in range(300):
            if not shard.search(unit_vector(0), 3):
                failures.append("nobody found")

    searching = [threading.Thread(target=search) for _ in range(3)]
    for thread in searching:
        thread.start()
    for key in range(1, 200):
        shard.add([key], unit_vector(key % WIDTH)[None])
    for thread in searching:
        thread.join()
    assert failures == []
    assert len(shard) == 200


def test_a_snapshot_brings_back_the_keys_and_the_offsets(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "index")
    folder.save(a_shard(1, 9), incarnation="i1", offsets={PLACE: 7})
    loaded = folder.load(SPACE)
    assert loaded is not None
    note, shard = loaded
    assert shard.search(unit_vector(1), 1) == [(9, 1.0)] or shard.search(unit_vector(1), 1) == [(1, 1.0)]
    assert (note.incarnation, note.key_count, note.offset(PLACE)) == ("i1", 2, 7)
    assert note.offset(TopicPartition("people", 0)) == 0
    assert shard.add([1], unit_vector(1)[None]) == 0, "keys are known after loading"


def test_only_the_last_snapshot_is_kept(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    folder.save(a_shard(1), incarnation=None, offsets={})
    folder.save(a_shard(1, 2), incarnation=None, offsets={})
    assert len(list(tmp_path.glob("*.faiss"))) == 1
    assert {path.suffix for path in tmp_path.iterdir()} == {".faiss", ".json"}


@pytest.mark.parametrize("broken", ["no folder", "no note", "half a note", "no index", "half an index", "other space"])
def test_a_snapshot_that_cannot_be_read_is_no_snapshot(tmp_path: Path, broken: str) -> None:
    folder = SnapshotFolder(tmp_path / "index")
    if broken != "no folder":
        note = folder.save(a_shard(1, 2), incarnation="i", offsets={PLACE: 1})
        index, written = tmp_path / "index" / note.file, tmp_path / "index" / NOTE
        if broken == "no note":
            written.unlink()
        elif broken == "half a note":
            written.write_bytes(written.read_bytes()[:20])
        elif broken == "no index":
            index.unlink()
        elif broken == "half an index":
            index.write_bytes(index.read_bytes()[:40])
    assert folder.load("elsewhere" if broken == "other space" else SPACE) is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VectorIndexError, match="file"):
        SnapshotFolder(tmp_path / "file" / "index").save(a_shard(), incarnation=None, offsets={})
