"""Puts the indexer together from its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from consumers.indexer.indexing import Indexing
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.service import create_service, served
from consumers.indexer.snapshots import SnapshotFolder
from consumers.indexer.tending import tended
from consumers.listening import listen
from consumers.runner import Runner
from consumers.search.described import Descriptions
from consumers.search.finding import Finder
from consumers.search.towers import ModelTowers
from consumers.settings import IndexerSettings
from model.humanvlm import HumanVLM
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore
from streamer.bus.topics import DEAD_LETTERS, PEOPLE, Topic

GROUP = "indexer"
TOPICS: list[Topic[Any]] = [PEOPLE, DEAD_LETTERS]
BATCH_SIZE = 32


@contextmanager
def indexing_service(settings: IndexerSettings, bus: Bus) -> Iterator[Runner[Any]]:
    """The indexer, answering searches as long as the block runs; a snapshot is written at its end.

    Raises:
        AddressError: The search address is taken, or not this machine's own.
        PeopleTableError: The database does not open.
        ModelFolderError: The model folder holds no model.
        FaissMissingError: FAISS is not installed.
        VectorIndexError: A snapshot cannot be written.
    """
    listening = listen(settings.search.host, settings.search.port, setting="search")
    table = PeopleTable(settings.database_url)
    model_name = settings.vlm.tower_name
    towers = ModelTowers(HumanVLM.load_text(model_name), model_name, device=settings.vlm.device)
    table.fill_text()
    indexing = Indexing(
        table,
        MediaStore(settings.media_url),
        LocalIndex(settings.index_folder, memory_bytes=settings.search.memory_mb * 2**20),
        SnapshotFolder(settings.index_folder),
        snapshot_every_s=settings.search.snapshot_every_s,
    )
    descriptions = Descriptions(table.text, indexing.index)
    finder = Finder(indexing.index, towers, descriptions, table)
    service = create_service(finder, table, indexing.index)
    with served(service, listening), tended(indexing.index):
        yield Runner(bus, TOPICS, GROUP, indexing, batch_size=BATCH_SIZE)
    indexing.save()
    indexing.index.close()
    table.close()
