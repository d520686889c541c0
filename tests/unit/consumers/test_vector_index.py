"""What every vector index does, whichever it is."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from consumers.errors import VectorIndexError
from consumers.indexer.kept_index import KeptIndex
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.milvus_index import MilvusIndex
from consumers.search.filters import EVERYONE, AnswerWanted, PeopleFilter
from tests.builders_consumers import NOON, SPACE, WIDTH, unit_vector
from tests.builders_index import a_person, clustered, vectors_towards

DAY = timedelta(days=1)


@pytest.fixture(params=["local", "milvus"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeptIndex]:
    index: KeptIndex = LocalIndex(tmp_path) if request.param == "local" else MilvusIndex(str(tmp_path / "milvus.db"))
    yield index
    index.close()


def keys(found: object) -> list[int]:
    return [near.key for near in found]  # type: ignore[attr-defined]


def test_an_empty_index_has_nobody(index: KeptIndex) -> None:
    assert (len(index), index.spaces(), index.keys(SPACE).tolist()) == (0, {}, [])
    assert index.search(SPACE, unit_vector(0), 5) == []
    assert index.newest(5) == []
    assert index.wanted_of([1], EVERYONE) == []
    assert index.vectors_of(SPACE, [1]) == {}
    assert (index.remove([1]), index.drop_before(NOON), index.add(SPACE, [], np.zeros((0, WIDTH), np.float32))) == (
        0,
        0,
        0,
    )


def test_the_nearest_comes_first_and_short_answers_are_not_padded(index: KeptIndex) -> None:
    index.add(SPACE, [a_person(key) for key in (1, 2, 3)], vectors_towards(1, 2, 3))
    found = index.search(SPACE, (unit_vector(2) * 0.9 + unit_vector(3) * 0.4).astype(np.float32), 10)
    assert keys(found) == [2, 3, 1]
    assert [near.similarity for near in found] == pytest.approx([0.9, 0.4, 0.0], abs=2e-3)


def test_a_key_is_taken_once_in_each_space(index: KeptIndex) -> None:
    assert index.add(SPACE, [a_person(5), a_person(5)], vectors_towards(5, 6)) == 1
    assert index.add(SPACE, [a_person(5), a_person(6)], vectors_towards(0, 6)) == 1
    assert index.add("other", [a_person(5)], vectors_towards(1)) == 1
    assert index.spaces() == {SPACE: 2, "other": 1}
    assert len(index) == 3
    assert keys(index.search(SPACE, unit_vector(5), 1)) == [5]
    assert keys(index.search("other", unit_vector(5), 9)) == [5]
    assert index.newest(9) == [6, 5]


def test_vectors_of_another_width_are_refused(index: KeptIndex) -> None:
    index.add(SPACE, [a_person(1)], vectors_towards(1))
    with pytest.raises(VectorIndexError, match=r"\(1, 8\)"):
        index.add(SPACE, [a_person(2)], np.zeros((1, 3), np.float32))
    with pytest.raises(VectorIndexError, match=r"\(8,\)"):
        index.search(SPACE, np.zeros(3, np.float32), 1)


SEEN = {
    1: a_person(1, answers={"hat": {"yes": 0.9, "no": 0.1}}, detection_score=0.9),
    2: a_person(2, camera_id="yard", answers={"hat": {"yes": 0.2, "no": 0.8}}, caption="Someone in an ORANGE vest."),
    3: a_person(3, camera_id="yard", first_seen_at=NOON + DAY, partition=1, detection_score=0.3),
    4: a_person(4, camera_id="dock", first_seen_at=NOON + DAY, answers={"hat": {"yes": 0.5}, "mask": {"no": 1.0}}),
    5: a_person(5, first_seen_at=NOON + 2 * DAY, caption=""),
}
FILTERS = [
    (EVERYONE, [1, 2, 3, 4, 5]),
    (PeopleFilter(cameras=frozenset({"yard"})), [2, 3]),
    (PeopleFilter(cameras=frozenset({"gate", "dock"})), [1, 4, 5]),
    (PeopleFilter(cameras=frozenset({"gate", "nowhere"})), [1, 5]),
    (PeopleFilter(cameras=frozenset({"nowhere"})), []),
    (PeopleFilter(since=NOON + DAY), [3, 4, 5]),
    (PeopleFilter(until=NOON + DAY), [1, 2]),
    (PeopleFilter(since=NOON, until=NOON + timedelta(microseconds=1)), [1, 2]),
    (PeopleFilter(since=(NOON + DAY).astimezone(timezone(timedelta(hours=9))), until=NOON + 2 * DAY), [3, 4]),
    (PeopleFilter(answers=(AnswerWanted("hat", "yes"),)), [1, 4]),
    (PeopleFilter(answers=(AnswerWanted("hat", "yes", 0.9),)), [1]),
    (PeopleFilter(answers=(AnswerWanted("hat", "yes", 0.0),)), [1, 2, 4]),
    (PeopleFilter(answers=(AnswerWanted("hat", "yes"), AnswerWanted("mask", "no"))), [4]),
    (PeopleFilter(answers=(AnswerWanted("never asked", "yes", 0.0),)), []),
    (PeopleFilter(described=("orange",)), [2]),
    (PeopleFilter(described=("Yellow hat", "worker")), [1, 3, 4]),
    (PeopleFilter(described=("zebra",)), []),
    (PeopleFilter(detected_at_least=0.8), [1, 2, 4, 5]),
    (PeopleFilter(detected_at_least=0.9, cameras=frozenset({"gate"}), until=NOON + DAY), [1]),
]


@pytest.mark.parametrize(("wanted", "expected"), FILTERS)
def test_a_filter_holds_inside_every_way_of_asking(index: KeptIndex, wanted: PeopleFilter, expected: list[int]) -> None:
    for key, person in SEEN.items():  # one by one, so that questions and words turn up as they do in life
        index.add(SPACE, [person], vectors_towards(key))
    assert sorted(keys(index.search(SPACE, unit_vector(0), 10, wanted))) == expected
    assert index.newest(10, wanted) == expected[::-1]
    assert index.wanted_of([5, 99, 4, 3, 2, 1], wanted) == expected[::-1]


def test_what_is_newest_is_paged_by_key_whatever_day_it_was_seen(index: KeptIndex) -> None:
    days = [2, 0, 1, 0, 2, 1]
    people = [a_person(key, first_seen_at=NOON + day * DAY, partition=key % 2) for key, day in enumerate(days, 1)]
    index.add(SPACE, people, vectors_towards(*range(6)))
    assert index.newest(2) == [6, 5]
    assert index.newest(3, before_key=5) == [4, 3, 2]
    assert index.newest(3, PeopleFilter(since=NOON + 2 * DAY), before_key=5) == [1]
    assert index.newest(3, before_key=1) == []


def test_vectors_come_back_as_they_were_given(index: KeptIndex) -> None:
    vectors = clustered(3, WIDTH, seed=1)
    index.add(SPACE, [a_person(key) for key in (1, 2, 3)], vectors)
    found = index.vectors_of(SPACE, [3, 1, 99])
    assert set(found) == {1, 3}
    np.testing.assert_allclose(found[3], vectors[2], atol=1e-3)
    assert found[3].dtype == np.float32


def test_whoever_is_removed_is_gone_from_every_space_and_may_come_again(index: KeptIndex) -> None:
    index.add(SPACE, list(SEEN.values()), vectors_towards(*SEEN))
    index.add("other", [SEEN[2]], vectors_towards(2))
    assert index.remove([2, 3, 99, 2]) == 2
    assert index.spaces() == {SPACE: 3}
    assert keys(index.search(SPACE, unit_vector(2), 9)) == [1, 4, 5]
    assert index.newest(9) == [5, 4, 1]
    assert index.wanted_of([1, 2, 3], EVERYONE) == [1]
    assert index.newest(9, PeopleFilter(described=("orange",))) == []
    assert index.vectors_of(SPACE, [2]) == {}
    assert index.keys(SPACE).tolist() == [1, 4, 5]
    assert index.add(SPACE, [SEEN[2]], vectors_towards(2)) == 1
    assert keys(index.search(SPACE, unit_vector(2), 1)) == [2]


def test_whole_days_are_dropped_and_never_half_of_one(index: KeptIndex) -> None:
    index.add(SPACE, list(SEEN.values()), vectors_towards(*SEEN))
    index.add("other", [SEEN[1]], vectors_towards(1))
    assert index.drop_before(NOON + timedelta(hours=11)) == 0
    assert index.drop_before(datetime(2026, 3, 2, tzinfo=UTC)) == 2
    assert index.newest(9) == [5, 4, 3]
    assert index.drop_before(NOON + 2 * DAY) == 2
    assert index.spaces() == {SPACE: 1}
    assert index.add(SPACE, [SEEN[1]], vectors_towards(1)) == 1


def test_searches_go_on_while_people_arrive_and_leave(index: KeptIndex) -> None:
    index.add(SPACE, [a_person(1)], vectors_towards(0))
    failures: list[str] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            found = index.search(SPACE, unit_vector(0), 3)
            if keys(found)[:1] != [1]:
                failures.append(f"{found}")

    searching = [threading.Thread(target=search) for _ in range(2)]
    for thread in searching:
        thread.start()
    for key in range(2, 60):
        index.add(SPACE, [a_person(key, partition=key % 3)], vectors_towards(1 + key % 7))
        if key % 10 == 0:
            index.remove([key - 1])
    done.set()
    for thread in searching:
        thread.join()
    assert failures == []
    assert len(index) == 54
