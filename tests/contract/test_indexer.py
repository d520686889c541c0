"""The indexer on its topics, over a real broker: rows, vectors, chains and searches, whatever is lost or repeated."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from consumers.analyzer.manifests import announcement
from consumers.indexer.build import indexing_service
from consumers.indexer.erasures import Erasures, Wish
from consumers.indexer.people import PeopleReader, PeopleTable
from consumers.search.client import SearchClient
from consumers.search.query import SearchQuery
from consumers.settings import IndexerSettings, Search, Vlm
from model.humanvlm import HumanVLM
from streamer.bus.client import Bus
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import Rejected
from streamer.bus.settings import State
from streamer.bus.topics import DEAD_LETTERS, PEOPLE
from tests.builders_bus import embedded_broker, kill, wait_until
from tests.builders_consumers import NOON, a_manifest, a_segment, running, walking
from tests.builders_model import tiny_humanvlm
from tests.builders_search import PeopleSearch
from tests.ports import free_port

MakeBus = Callable[[], Bus]
BOX = (100.0, 100.0, 150.0, 250.0)


class Installed:
    """A state folder, a media store with results, and the settings of an indexer over them."""

    def __init__(self, folder: Path, *, segments: int = 4) -> None:
        vlm = tiny_humanvlm(folder / "vlm")
        self.settings = IndexerSettings(
            state=State(folder=folder / "state"), search=Search(port=free_port()), vlm=Vlm(name=str(vlm))
        )
        self.tower = HumanVLM.load_text(vlm)
        self.store = MediaStore(self.settings.media_url)
        self.manifests = [self._put(number) for number in range(segments)]

    def _put(self, number: int) -> Manifest:
        previous = f"s{number - 1}" if number else None
        segment = a_segment(f"s{number}", started_at=NOON + timedelta(seconds=10 * number), previous=previous)
        person = walking(segment, 1, [(0.0, BOX), (9.8, BOX)])
        person = person.model_copy(update={"embedding_base64": _encoded(self.tower.embed_text("a hard hat").vector)})
        manifest = a_manifest(segment, [person])
        space = manifest.revisions.model_copy(update={"embedding_space": self.tower.embedding_space})
        manifest = manifest.model_copy(update={"revisions": space})
        self.store.write(manifest_uri("gate", segment.segment_id, "r1"), manifest.model_dump_json().encode())
        return manifest

    def announce(self, bus: Bus, *numbers: int) -> None:
        publisher = bus.publisher()
        for number in numbers:
            publisher.publish(PEOPLE, announcement(self.manifests[number]), partition=number % 2)
        publisher.flush()
        publisher.close()

    @contextmanager
    def indexing(self, bus: Bus) -> Iterator[SearchClient]:
        client = SearchClient(self.settings.search.url)
        with indexing_service(self.settings, bus) as runner, running(runner):
            yield client
        client.close()

    def chains(self) -> list[tuple[str, str]]:
        reader = PeopleReader(self.settings.database_url)
        found = [(person.person_id, person.chain_id) for person in reader.newest(100)]
        reader.close()
        return sorted(found)


def _encoded(vector: Any) -> str:
    import base64

    return base64.b64encode(vector.astype("<f2").tobytes()).decode()


def people(client: SearchClient, count: int) -> Callable[[], bool]:
    return lambda: client.status().people == count


def test_what_is_announced_is_found_by_words_once_each_and_in_one_chain(make_bus: MakeBus, tmp_path: Path) -> None:
    bus, installed = make_bus(), Installed(tmp_path)
    bus.ensure_topics()
    installed.announce(bus, 3, 1, 0, 2, 1, 3)
    with installed.indexing(bus) as client:
        wait_until(people(client, 4))
        reader = PeopleReader(installed.settings.database_url)
        answer = PeopleSearch(client, reader).search(SearchQuery("a hard hat", k=10))
        reader.close()
    assert {hit.person.segment_id for hit in answer.hits} == {"s0", "s1", "s2", "s3"}
    assert len(answer.hits) == 4
    assert set(answer.hits[0].why.matched_words) == {"hard", "hat"}
    first = installed.manifests[0].people[0].person_id
    assert {chain for _, chain in installed.chains()} == {first}


def test_refusals_of_every_origin_are_counted_and_bring_nothing_down(make_bus: MakeBus, tmp_path: Path) -> None:
    bus, installed = make_bus(), Installed(tmp_path, segments=2)
    bus.ensure_topics()
    publisher = bus.publisher()
    publisher.publish(DEAD_LETTERS, Rejected(rejected_id="r1", reason="no video", origin="x.mp4"), partition=0)
    publisher.publish(DEAD_LETTERS, Rejected(rejected_id="r1", reason="no video", origin="x.mp4"), partition=0)
    gone = announcement(installed.manifests[1]).model_copy(update={"manifest_uri": "media:///results/gone.json"})
    publisher.publish(PEOPLE, gone, partition=1)
    publisher.flush()
    publisher.close()
    installed.announce(bus, 0)
    with installed.indexing(bus) as client:
        wait_until(lambda: client.status().rejections == 2)
        wait_until(people(client, 1))


def test_after_a_restart_nothing_is_entered_twice_and_the_rest_goes_on(make_bus: MakeBus, tmp_path: Path) -> None:
    bus, installed = make_bus(), Installed(tmp_path)
    bus.ensure_topics()
    installed.announce(bus, 0, 1)
    with installed.indexing(bus) as client:
        wait_until(people(client, 2))
    before = installed.chains()
    installed.announce(bus, 2, 3)
    with installed.indexing(make_bus()) as client:
        wait_until(people(client, 4))
        assert client.status().keys == 4
    assert set(before) <= set(installed.chains())


def test_a_lost_database_is_filled_again_from_the_topic(make_bus: MakeBus, tmp_path: Path) -> None:
    bus, installed = make_bus(), Installed(tmp_path)
    bus.ensure_topics()
    installed.announce(bus, 0, 1, 2, 3)
    with installed.indexing(bus) as client:
        wait_until(people(client, 4))
    entered = installed.chains()
    for path in installed.settings.state.folder.glob("people.sqlite3*"):
        path.unlink()
    shutil.rmtree(installed.settings.index_folder)
    with installed.indexing(make_bus()) as client:
        wait_until(people(client, 4))
    assert installed.chains() == entered


def test_a_broker_without_memory_costs_nothing_that_was_entered(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    with embedded_broker(tmp_path) as before:
        bus = Bus(before.address, partitions=2, timeout_s=4)
        bus.ensure_topics()
        installed.announce(bus, 0, 1)
        with installed.indexing(bus) as client:
            wait_until(people(client, 2))
            kill(before)
            with embedded_broker(tmp_path, before.address):
                other = Bus(before.address, partitions=2)
                other.ensure_topics(is_newborn=True)
                installed.announce(other, 0, 1, 2, 3)
                wait_until(people(client, 4), within_s=30)
                assert client.status().keys == 4
                other.close()
        bus.close()


def test_whoever_is_erased_stays_away_when_the_topic_is_read_from_its_start_into_a_new_index(
    make_bus: MakeBus, tmp_path: Path
) -> None:
    bus, installed = make_bus(), Installed(tmp_path)
    bus.ensure_topics()
    installed.announce(bus, 0, 1, 2)
    gone = installed.manifests[1].people[0]
    with installed.indexing(bus) as client:
        wait_until(people(client, 3))
        table = PeopleTable(installed.settings.database_url)
        Erasures(table).request(Wish(person_ids=(gone.person_id,)), at=NOON)
        table.close()
        wait_until(people(client, 2))
        wait_until(lambda: client.status().keys == 2)
    assert gone.person_id.encode() not in installed.store.read(manifest_uri("gate", "s1", "r1"))
    shutil.rmtree(installed.settings.index_folder)
    installed.announce(bus, 3)
    with installed.indexing(make_bus()) as client:
        wait_until(people(client, 3))
        assert client.status().keys == 3
    assert gone.person_id not in {person for person, _ in installed.chains()}
