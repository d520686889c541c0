"""What is the local index's own: files, memory, and the inverted file behind the searches."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from consumers.errors import VectorIndexError
from consumers.indexer import space_index
from consumers.indexer.local_index import LocalIndex
from consumers.search.filters import EVERYONE, AnswerWanted, PeopleFilter
from consumers.search.vector_index import Neighbour
from tests.builders_consumers import NOON, SPACE, unit_vector
from tests.builders_index import a_person, clustered, vectors_towards

DAY = timedelta(days=1)
MANY, WIDE = 24_000, 32


def keys(found: list[Neighbour]) -> list[int]:
    return [near.key for near in found]


def some_people(count: int = 6) -> list:
    return [
        a_person(
            key,
            camera_id=f"camera {key % 2}",
            first_seen_at=NOON + (key % 3) * DAY,
            partition=key % 2,
            answers={"hat": {"yes": key / 10}},
            caption=f"wearing number {key}",
        )
        for key in range(1, count + 1)
    ]


def state(index: LocalIndex) -> object:
    wanted = PeopleFilter(cameras=frozenset({"camera 1"}), answers=(AnswerWanted("hat", "yes", 0.2),))
    return (
        index.spaces(),
        index.newest(99),
        index.newest(99, wanted),
        index.newest(99, PeopleFilter(described=("number 3",))),
        index.newest(99, PeopleFilter(since=NOON + DAY, detected_at_least=0.8)),
        {key: vector.tolist() for key, vector in index.vectors_of(SPACE, range(1, 9)).items()},
        index.search(SPACE, unit_vector(3), 5, wanted),
    )


@pytest.mark.parametrize("memory_bytes", [0, 40, 10**9])
def test_what_was_saved_is_there_again_in_memory_or_not(tmp_path: Path, memory_bytes: int) -> None:
    index = LocalIndex(tmp_path, memory_bytes=memory_bytes)
    index.add(SPACE, some_people()[:4], clustered(6, 8, seed=2)[:4])
    index.save()
    index.add(SPACE, some_people(), clustered(6, 8, seed=2))
    index.save()
    index.remove([2])
    before = state(index)
    assert state(LocalIndex(tmp_path, memory_bytes=memory_bytes)) == before


def test_what_was_not_saved_is_not_there_and_can_be_added_again(tmp_path: Path) -> None:
    index = LocalIndex(tmp_path)
    index.add(SPACE, some_people(3), vectors_towards(1, 2, 3))
    index.save()
    index.add(SPACE, some_people(6), vectors_towards(*range(6)))
    again = LocalIndex(tmp_path)
    assert again.newest(9) == [3, 2, 1]
    again.add(SPACE, some_people(6), vectors_towards(*range(6)))
    again.save()
    assert state(LocalIndex(tmp_path)) == state(again)


def test_a_save_writes_only_the_shards_that_changed(tmp_path: Path) -> None:
    index = LocalIndex(tmp_path)
    index.add(SPACE, some_people(), vectors_towards(*range(6)))
    index.save()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.is_file()}
    index.add(SPACE, [a_person(7, first_seen_at=NOON, partition=0)], vectors_towards(0))
    index.save()
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.is_file()}
    changed = {
        path.relative_to(tmp_path).as_posix().split("/")[-2:][0] for path in after if before.get(path) != after[path]
    }
    assert changed == {"2026-03-01.0", "shards.json"}


@pytest.mark.parametrize("broken", ["half the note", "no columns", "half the columns", "half the vectors"])
def test_a_shard_that_cannot_be_read_is_left_out_and_its_people_are_taken_again(tmp_path: Path, broken: str) -> None:
    index = LocalIndex(tmp_path)
    index.add(SPACE, some_people(), clustered(6, 8, seed=2))
    index.save()
    whole = state(index)
    (folder,) = tmp_path.glob("*/2026-03-01.1")
    if broken == "half the note":
        note = tmp_path / "shards.json"
        note.write_bytes(note.read_bytes()[:20])
    elif broken == "no columns":
        (folder / "columns.0.npz").unlink()
    else:
        path = folder / ("columns.0.npz" if broken == "half the columns" else "vectors.f2")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = LocalIndex(tmp_path)
    assert len(again) == (0 if broken == "half the note" else 5)
    again.add(SPACE, some_people(), clustered(6, 8, seed=2))
    again.save()
    assert state(again) == whole
    assert state(LocalIndex(tmp_path)) == whole


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    index = LocalIndex(tmp_path / "nowhere" / "index")
    (tmp_path / "nowhere").symlink_to(tmp_path / "file")
    index.add(SPACE, some_people(1), vectors_towards(1))
    with pytest.raises(VectorIndexError, match="nowhere"):
        index.save()


def test_days_that_are_dropped_leave_no_file(tmp_path: Path) -> None:
    index = LocalIndex(tmp_path)
    index.add(SPACE, some_people(), vectors_towards(*range(6)))
    index.save()
    index.drop_before(NOON + DAY)
    assert {path.name[:10] for path in tmp_path.glob("*/*.*/")} == {"2026-03-02", "2026-03-03"}
    assert state(LocalIndex(tmp_path)) == state(index)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("memory_bytes", [0, 10**9])
def test_whoever_is_removed_leaves_no_trace_on_the_disk(tmp_path: Path, memory_bytes: int) -> None:
    index = LocalIndex(tmp_path, memory_bytes=memory_bytes)
    vectors = clustered(6, 8, seed=2)
    index.add(SPACE, some_people(), vectors)
    index.save()
    theirs = vectors[2].astype("<f2").tobytes()
    assert theirs in on_disk(tmp_path)
    assert b'"3"' in on_disk(tmp_path)
    assert index.remove([3]) == 1
    assert theirs not in on_disk(tmp_path)
    assert b'"3"' not in on_disk(tmp_path), "nor a word that only they were described with"
    assert LocalIndex(tmp_path).newest(9) == [6, 5, 4, 2, 1]


@pytest.fixture(scope="module")
def crowd() -> tuple[list, np.ndarray]:
    """Enough people for an inverted file, on four days and at twenty cameras."""
    people = [
        a_person(
            key,
            camera_id=f"camera {key % 20}",
            first_seen_at=NOON + (key % 4) * DAY,
            answers={"hat": {"yes": (key % 100) / 100}},
            caption="rarely described" if key % 1000 == 87 else "",
        )
        for key in range(1, MANY + 1)
    ]
    return people, clustered(MANY, WIDE, seed=5)


@pytest.fixture
def crowded(tmp_path: Path, crowd: tuple) -> Iterator[LocalIndex]:
    people, vectors = crowd
    index = LocalIndex(tmp_path)
    index.add(SPACE, people, vectors)
    index.save()
    return index


def exactly(crowd: tuple, vector: np.ndarray, k: int, *, among: set[int] | None = None) -> set[int]:
    people, vectors = crowd
    scores = vectors @ vector
    if among is not None:
        scores = np.where([person.key in among for person in people], scores, -2)
    return {int(at) + 1 for at in np.argsort(-scores)[:k]}


def recall(index: LocalIndex, crowd: tuple, wanted: PeopleFilter = EVERYONE, among: set[int] | None = None) -> float:
    queries = clustered(40, WIDE, seed=6)
    found = [set(keys(index.search(SPACE, query, 10, wanted))) for query in queries]
    return float(
        np.mean([len(f & exactly(crowd, q, 10, among=among)) / 10 for f, q in zip(found, queries, strict=True)])
    )


def settled(index: LocalIndex) -> LocalIndex:
    while index.tend():
        pass
    return index


def test_the_inverted_file_finds_what_an_exact_search_finds_with_a_filter_too(
    crowded: LocalIndex, crowd: tuple
) -> None:
    assert recall(crowded, crowd) >= 0.99, "without an inverted file: exact, but for float16"
    settled(crowded)
    assert recall(crowded, crowd) >= 0.95
    many = {key for key in range(1, MANY + 1) if key % 100 >= 10}
    assert len(many) >= space_index.EXACT_BELOW
    assert recall(crowded, crowd, PeopleFilter(answers=(AnswerWanted("hat", "yes", 0.1),)), many) >= 0.95
    few = {key for key in range(1, MANY + 1) if key % 20 == 7 and key % 4 == 3 and key % 100 == 87}
    assert len(few) == MANY // 100
    wanted = PeopleFilter(
        cameras=frozenset({"camera 7"}), since=NOON + 3 * DAY, answers=(AnswerWanted("hat", "yes", 0.87),)
    )
    assert recall(crowded, crowd, wanted, few) >= 0.99


def test_whoever_asks_for_very_many_gets_them_and_the_right_ones(
    crowded: LocalIndex, crowd: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(crowded)
    vector = clustered(1, WIDE, seed=6)[0]
    many = keys(crowded.search(SPACE, vector, 6000))
    assert len(many) == 6000
    assert len(exactly(crowd, vector, 6000) & set(many)) >= 0.95 * 6000
    assert sorted(keys(crowded.search(SPACE, vector, MANY + 1))) == list(range(1, MANY + 1))
    monkeypatch.setattr(space_index, "EXACT_BELOW", 10)
    half = {key for key in range(1, MANY + 1) if key % 100 >= 50}
    wanted = PeopleFilter(answers=(AnswerWanted("hat", "yes", 0.5),))
    assert set(keys(crowded.search(SPACE, vector, MANY, wanted))) == half


@pytest.mark.parametrize("exact_below", [20_000, 10], ids=["each is scored", "by the inverted file"])
def test_a_filter_that_leaves_one_in_a_thousand_finds_the_right_nearest(
    crowded: LocalIndex, crowd: tuple, exact_below: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of some tens of thousands each is scored; the inverted file has to do so too among some tens of millions."""
    settled(crowded)
    monkeypatch.setattr(space_index, "EXACT_BELOW", exact_below)
    few = {key for key in range(1, MANY + 1) if key % 1000 == 87}
    assert len(few) == MANY // 1000
    assert recall(crowded, crowd, PeopleFilter(described=("rarely",)), few) >= 0.95


def test_people_who_come_after_the_inverted_file_was_built_are_found_before_and_after_they_are_in_it(
    crowded: LocalIndex, tmp_path: Path
) -> None:
    settled(crowded)
    towards = np.full(WIDE, -1 / np.sqrt(WIDE), dtype=np.float32)
    crowded.add(SPACE, [a_person(MANY + 1)], towards[None])
    assert keys(crowded.search(SPACE, towards, 1)) == [MANY + 1]
    late = [a_person(MANY + key, first_seen_at=NOON + key % 5 * DAY) for key in range(2, 5000)]
    crowded.add(SPACE, late, clustered(len(late), WIDE, seed=9))
    assert crowded.tend(), "so many are not left beside it"
    settled(crowded)
    assert keys(crowded.search(SPACE, towards, 1)) == [MANY + 1]
    assert len(set(keys(crowded.search(SPACE, towards, 50)))) == 50


def test_the_inverted_file_is_taken_up_after_a_restart_and_lacks_whoever_was_removed(
    crowded: LocalIndex, crowd: tuple, tmp_path: Path
) -> None:
    settled(crowded)
    assert list(tmp_path.glob("*/ivf.faiss"))
    vector = crowd[1][122]
    assert keys(crowded.search(SPACE, vector, 1)) == [123]
    crowded.remove([123])
    assert not list(tmp_path.glob("*/ivf.*")), "it holds their vector"
    assert 123 not in keys(crowded.search(SPACE, vector, 10))
    settled(crowded)
    again = LocalIndex(tmp_path)
    assert not again.tend(), "nothing is left to build"
    assert keys(again.search(SPACE, vector, 10)) == keys(crowded.search(SPACE, vector, 10))


def test_days_that_were_dropped_are_not_found_in_the_inverted_file(crowded: LocalIndex, tmp_path: Path) -> None:
    settled(crowded)
    assert crowded.drop_before(NOON + DAY) == MANY // 4
    found = {key for query in clustered(20, WIDE, seed=6) for key in keys(crowded.search(SPACE, query, 20))}
    assert not [key for key in found if key % 4 == 0]
    assert len(found) > 50


def test_an_inverted_file_that_knows_more_than_was_saved_forgets_it(
    crowded: LocalIndex, crowd: tuple, tmp_path: Path
) -> None:
    unsaved = np.full(WIDE, -1 / np.sqrt(WIDE), dtype=np.float32)
    crowded.add(SPACE, [a_person(MANY + 1)], unsaved[None])
    settled(crowded)
    again = LocalIndex(tmp_path)
    again.add(SPACE, [a_person(MANY + 2)], -unsaved[None])  # comes where the lost one was
    assert MANY + 2 not in keys(again.search(SPACE, unsaved, 10))
    assert keys(again.search(SPACE, -unsaved, 1)) == [MANY + 2]
    assert recall(again, crowd) >= 0.95
