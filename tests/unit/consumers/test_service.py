"""The search service with a real, tiny text tower, over a real socket."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from consumers.errors import AddressError, SearchUnavailableError
from consumers.indexer.people import Links, PeopleTable
from consumers.indexer.service import Searching, create_service, served
from consumers.indexer.vectors import VectorShard
from consumers.listening import listen
from consumers.search.client import SearchClient
from model.humanvlm import HumanVLM
from tests.builders_consumers import a_manifest, a_segment, walking
from tests.builders_model import tiny_humanvlm

BOX = (10.0, 20.0, 60.0, 170.0)


@dataclass
class Indexed:
    client: SearchClient
    table: PeopleTable


@pytest.fixture
def indexed(tmp_path: Path) -> Iterator[Indexed]:
    """Two people of two cameras, the one at the gate where “hard hat” points to."""
    tower = HumanVLM.load_text(tiny_humanvlm(tmp_path / "vlm"))
    towards_hat = tower.embed_text("a hard hat").vector
    table = PeopleTable(f"sqlite:///{tmp_path}/people.sqlite3")
    shard = VectorShard.empty(tower.embedding_space, len(towards_hat))
    for camera, vector in (("gate", towards_hat), ("yard", -towards_hat)):
        segment = a_segment(f"s-{camera}", camera_id=camera)
        manifest = a_manifest(segment, [walking(segment, 1, [(0.0, BOX)])])
        embedding = {manifest.people[0].person_id: vector.astype("<f2").tobytes()}
        for key in table.record(manifest, "media:///m", Links({}, {}), embedding).values():
            shard.add([key], np.asarray(vector)[None])
    listening = listen("127.0.0.1", 0, setting="search")
    client = SearchClient(f"http://127.0.0.1:{listening.getsockname()[1]}")
    with served(create_service(Searching(tower, shard, table), table, shard), listening):
        yield Indexed(client, table)
    client.close()
    table.close()


def test_the_nearest_person_comes_first_with_everything_known_of_them(indexed: Indexed) -> None:
    answer = indexed.client.search("a hard hat", 5)
    assert [hit.person.camera_id for hit in answer.hits] == ["gate", "yard"]
    assert answer.hits[0].score == pytest.approx(1, abs=1e-2)
    assert answer.hits[0].person == indexed.table.person(answer.hits[0].person_id)


def test_words_that_were_never_learnt_are_named(indexed: Indexed) -> None:
    assert indexed.client.search("a zebra in a hard hat").unknown_words == ("zebra",)
    assert indexed.client.search("hard hat").unknown_words == ()


def test_one_camera_and_a_number_limit_the_answer(indexed: Indexed) -> None:
    assert [hit.person.camera_id for hit in indexed.client.search("hard hat", camera="yard").hits] == ["yard"]
    assert len(indexed.client.search("hard hat", 1).hits) == 1
    assert indexed.client.search("hard hat", camera="nowhere").hits == ()


def test_the_status_counts_what_is_indexed(indexed: Indexed) -> None:
    status = indexed.client.status()
    assert (status.people, status.segments, status.keys, status.rejections) == (2, 2, 2, 0)


def test_an_empty_query_is_an_error_of_the_asker(indexed: Indexed) -> None:
    with pytest.raises(SearchUnavailableError, match="422"):
        indexed.client.search("")


def test_where_nobody_listens_the_error_names_the_address(tmp_path: Path) -> None:
    free = listen("127.0.0.1", 0, setting="search")
    url = f"http://127.0.0.1:{free.getsockname()[1]}"
    free.close()
    client = SearchClient(url)
    with pytest.raises(SearchUnavailableError, match=url):
        client.search("vest")
    client.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com"])
def test_only_the_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(AddressError, match=r"search\.host"):
        listen(host, 0, setting="search")


def test_a_busy_port_is_one_line_that_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressError, match=r"search\.port") as refused:
            listen("127.0.0.1", taken.getsockname()[1], setting="search")
    assert "\n" not in str(refused.value)
