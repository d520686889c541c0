"""Puts the indexer together from its settings."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import torch

from consumers.errors import ConsumerError
from consumers.indexer.catching_up import FurtherVectors
from consumers.indexer.embeddings import Embeddings
from consumers.indexer.erasing import Erasing, EvidenceErasing
from consumers.indexer.faiss_library import load_faiss
from consumers.indexer.indexing import Indexing
from consumers.indexer.kept_index import KeptIndex
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.retention import Retention
from consumers.indexer.service import create_service, served
from consumers.indexer.snapshots import SnapshotFolder
from consumers.indexer.tending import tended
from consumers.listening import listen_for_searches
from consumers.runner import Runner
from consumers.search.described import Descriptions
from consumers.search.finding import Finder
from consumers.search.towers import open_towers
from consumers.settings import IndexerSettings
from operations.seeing.health import Health
from operations.seeing.meters import ask
from streamer.bus.client import Bus
from streamer.bus.media_opening import open_media
from streamer.bus.topics import DEAD_LETTERS, PEOPLE, Topic

GROUP = "indexer"
TOPICS: list[Topic[Any]] = [PEOPLE, DEAD_LETTERS]
BATCH_SIZE = 32


def build_index(settings: IndexerSettings) -> KeptIndex:
    """The index that the settings name.

    Raises:
        FaissMissingError: FAISS is not installed, and the index is to be on this machine.
        VectorIndexError: The index folder cannot be used, or a Milvus server does not answer.
    """
    search = settings.search
    if not search.index_url:
        load_faiss()  # now, and not when people have become many
        return LocalIndex(settings.index_folder, memory_bytes=search.memory_mb * 2**20)
    from consumers.indexer.milvus_index import MilvusIndex

    return MilvusIndex(search.index_url, token=search.index_token.get_secret_value() if search.index_token else "")


@contextmanager
def indexing_service(settings: IndexerSettings, bus: Bus, health: Health | None = None) -> Iterator[Runner[Any]]:
    """The indexer, answering searches as long as the block runs; a snapshot is written at its end.

    Raises:
        AddressError: The search address is taken, or not this machine's own.
        PeopleTableError: The database does not open.
        ModelFolderError: The model folder holds no model.
        FaissMissingError: FAISS is not installed.
        VectorIndexError: A snapshot cannot be written.
    """
    # A query is one text of some twenty words: two threads would wait for each other longer than they work, and the
    # other core is the next query's.
    torch.set_num_threads(1)
    search = settings.search
    listening = listen_for_searches(search.bound_host, search.port, token=search.shown_token)
    table = PeopleTable(settings.database_url)
    towers = open_towers(settings.vlm.tower_name, settings.search.models, device=settings.vlm.device)
    table.fill_text()
    store = open_media(settings)
    index = build_index(settings)
    notes = SnapshotFolder(settings.index_folder)
    last_row = Embeddings(table).last_row()  # before the index catches up: a rebuild may be writing meanwhile
    indexing = Indexing(table, store, index, notes, snapshot_every_s=settings.search.snapshot_every_s)
    evidence = EvidenceErasing(settings.desk_url, store, around_s=settings.evidence.around_s)
    erasing = Erasing(table, index, store, evidence, indexing.entering)
    erasing.step()  # what was begun before a crash, before anybody can search
    finder = Finder(index, towers, Descriptions(table.text, index), table)
    service = create_service(finder, table, index, token=settings.search.shown_token)
    further = FurtherVectors(index, table, indexing.entering, after_row=last_row)
    steps = {"tending": index.tend, "erasing": erasing.step, "further vectors": further.step}
    if settings.search.keep_days is not None:
        keep = timedelta(days=settings.search.keep_days)
        steps["retention"] = Retention(table, index, store, keep, indexing.entering).step
    ask("crewsight_index_vectors", "Vectors in the index.", lambda: len(index), ConsumerError)
    if health is not None:
        health.has("models")
        health.has("database")
    with ExitStack() as running:
        running.enter_context(served(service, listening))
        for name, step in steps.items():
            running.enter_context(tended(name, step))
        yield Runner(bus, TOPICS, GROUP, indexing, batch_size=BATCH_SIZE, leg="index", health=health)
    indexing.save()
    index.close()
    table.close()
