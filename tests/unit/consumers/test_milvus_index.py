"""What is Milvus's own: what stays in its file, and what it says when it does not answer."""

from pathlib import Path

import pytest

from consumers.errors import VectorIndexError
from consumers.indexer.build import build_index
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.milvus_index import MilvusIndex
from consumers.search.filters import AnswerWanted, PeopleFilter
from consumers.settings import IndexerSettings, Search
from streamer.bus.settings import State
from tests.builders_consumers import SPACE, unit_vector
from tests.builders_index import a_person, vectors_towards


def settings(folder: Path, **search: str) -> IndexerSettings:
    return IndexerSettings(state=State(folder=folder), search=Search(**search))


def test_one_setting_chooses_the_index_and_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    chosen = settings(tmp_path, index_url=str(tmp_path / "index.db"))
    index = build_index(chosen)
    assert isinstance(index, MilvusIndex)
    far = 5_000_000
    index.add(SPACE, [a_person(1), a_person(far)], vectors_towards(1, 2))
    index.save()
    index.close()
    again = build_index(chosen)
    assert again.spaces() == {SPACE: 2}
    assert again.newest(5) == [far, 1]
    assert again.keys(SPACE).tolist() == [1, far]
    assert [near.key for near in again.search(SPACE, unit_vector(2), 1)] == [far]
    again.close()
    assert isinstance(build_index(settings(tmp_path)), LocalIndex)


def test_names_with_quotes_are_names_and_nothing_else(tmp_path: Path) -> None:
    index = MilvusIndex(str(tmp_path / "index.db"))
    odd = 'gate "1" or true\\'
    index.add(SPACE, [a_person(1, camera_id=odd, answers={'q"]': {"it's": 0.9}}), a_person(2)], vectors_towards(1, 2))
    assert index.newest(9, PeopleFilter(cameras=frozenset({odd}))) == [1]
    assert index.newest(9, PeopleFilter(answers=(AnswerWanted('q"]', "it's"),))) == [1]
    assert index.newest(9, PeopleFilter(cameras=frozenset({'" or true or "'}))) == []
    index.close()


def test_many_keys_come_in_order_whatever_a_query_gives_at_once(tmp_path: Path) -> None:
    index = MilvusIndex(str(tmp_path / "index.db"))
    index.add(SPACE, [a_person(key) for key in range(1, 20_001)], vectors_towards(*range(20_000)))
    assert index.keys(SPACE).tolist() == list(range(1, 20_001))
    assert index.newest(3, before_key=17_000) == [16_999, 16_998, 16_997]
    index.close()


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(VectorIndexError, match=r"127\.0\.0\.1:9"):
        MilvusIndex("http://127.0.0.1:9")
