"""The search service with a real, tiny model, over a real socket."""

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from consumers.errors import AddressError, NotSeenError, SearchQueryError, SearchUnavailableError
from consumers.indexer.service import create_service, served
from consumers.listening import listen, listen_for_searches
from consumers.search.client import SearchClient
from consumers.search.filters import PeopleFilter
from consumers.search.query import By, SearchQuery
from tests.builders_search import PeopleSearch, Searched, Seen
from tests.ports import free_port


@pytest.fixture
def searched(tmp_path: Path) -> Iterator[Searched]:
    """Two people of two cameras, the one at the gate where “hard hat” points to."""
    searched = Searched(tmp_path)
    searched.enter(Seen("a hard hat"), Seen("vest", camera="yard"))
    yield searched
    searched.table.close()


@pytest.fixture
def search(searched: Searched) -> Iterator[PeopleSearch]:
    with searched.served() as (_, search):
        yield search


def picture(mode: str = "RGB", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((120, 50, 3), 90, np.uint8)).convert(mode).save(file, kind)
    return file.getvalue()


def test_the_nearest_person_comes_first_with_everything_known_of_them(searched: Searched, search: PeopleSearch) -> None:
    answer = search.search(SearchQuery("a hard hat", by=By.PICTURE, k=5))
    assert [hit.person.camera_id for hit in answer.hits] == ["gate", "yard"]
    assert answer.hits[0].score == answer.hits[0].why.similarity == pytest.approx(1, abs=1e-2)
    assert answer.hits[0].why.embedding_space == searched.tower.embedding_space
    assert answer.hits[0].person == searched.table.person(answer.hits[0].person_id)


def test_words_that_were_never_learnt_are_named(search: PeopleSearch) -> None:
    assert search.search(SearchQuery("a zebra in a hard hat")).unknown_words == ("zebra",)
    assert search.search(SearchQuery("hard hat")).unknown_words == ()


def test_one_camera_and_a_number_limit_the_answer(search: PeopleSearch) -> None:
    def cameras(camera: str, k: int = 5) -> list[str]:
        query = SearchQuery("hard hat", by=By.PICTURE, filter=PeopleFilter(cameras=frozenset({camera})), k=k)
        return [hit.person.camera_id for hit in search.search(query).hits]

    assert cameras("yard") == ["yard"]
    assert cameras("nowhere") == []
    assert len(search.search(SearchQuery("hard hat", k=1)).hits) == 1


def test_somebody_is_most_like_themselves(searched: Searched, search: PeopleSearch) -> None:
    (first, _) = search.search(SearchQuery(by=By.PICTURE)).hits
    answer = search.search(SearchQuery(like=first.person_id))
    assert answer.hits[0].person_id == first.person_id
    assert answer.hits[0].why.similarity == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "JPEG"), ("L", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG")]
)
def test_a_picture_is_placed_by_the_model_that_sees(search: PeopleSearch, mode: str, kind: str) -> None:
    answer = search.search(SearchQuery(picture=picture(mode, kind), k=5))
    assert len(answer.hits) == 2
    assert all(-1 <= (hit.why.similarity or -2) <= 1 for hit in answer.hits)


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xd8\xff\xe0 not a picture", picture()[:60], picture("RGB", "GIF")])
def test_what_is_no_picture_is_an_error_of_the_asker(search: PeopleSearch, rubbish: bytes) -> None:
    with pytest.raises(SearchQueryError, match="picture"):
        search.search(SearchQuery(picture=rubbish))


def test_nobody_can_be_like_somebody_unknown(search: PeopleSearch) -> None:
    with pytest.raises(NotSeenError, match="nobody-there"):
        search.search(SearchQuery(like="nobody-there"))
    with pytest.raises(NotSeenError, match="nobody-there"):
        search.elsewhere("nobody-there", 5)


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "W10", "WzEsMiwiMDAiXQ", "WzEsLTIsIjAwIl0", "é"])
def test_what_is_no_cursor_of_this_search_is_an_error_of_the_asker(search: PeopleSearch, cursor: str) -> None:
    with pytest.raises(SearchQueryError, match="cursor"):
        search.search(SearchQuery("hat", after=cursor))


def test_the_status_counts_what_is_indexed(searched: Searched) -> None:
    with searched.served() as (client, _):
        status = client.status()
    assert (status.people, status.segments, status.keys, status.rejections) == (2, 2, 2, 0)


def test_where_nobody_listens_the_error_names_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    client = SearchClient(url)
    with pytest.raises(SearchUnavailableError, match=url):
        client.find(SearchQuery("vest"))
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


@pytest.mark.parametrize(("host", "token", "is_served"), [("127.0.0.1", "", True), ("0.0.0.0", "", False)])
def test_beyond_the_loopback_searches_are_served_only_with_a_token(host: str, token: str, is_served: bool) -> None:
    if is_served:
        listen_for_searches(host, 0, token=token).close()
        return
    with pytest.raises(AddressError, match=r"set search\.token"):
        listen_for_searches(host, 0, token=token)


def test_whoever_shows_another_token_is_told_nothing(searched: Searched) -> None:
    listening = listen_for_searches("127.0.0.1", 0, token="of ours")
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with served(create_service(searched.finder, searched.table, searched.index, token="of ours"), listening):
        for shown in ("", "of others"):
            with pytest.raises(SearchUnavailableError, match=r"another search\.token"):
                SearchClient(url, token=shown).status()
        assert SearchClient(url, token="of ours").status().people == 2
