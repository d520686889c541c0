"""An indexer that is killed while it saves, by a real SIGKILL: nothing is lost and nothing is there twice."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from consumers.indexer.catching_up import catch_up
from consumers.indexer.embeddings import Embeddings
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import Links, PeopleTable
from tests.builders_consumers import SPACE, a_manifest, a_segment, walking

KILLS = 10
BOX = (100.0, 100.0, 150.0, 250.0)


def enter_and_save(folder: Path) -> None:
    """What the killed process does: catch up, then add a little and save, again and again."""
    table, index = PeopleTable(f"sqlite:///{folder}/people.sqlite3"), LocalIndex(folder / "index")
    catch_up(index, table)
    number = table.counts().segments
    while True:
        segment = a_segment(f"s{number}", camera_id=f"camera-{number % 3}", uri="media:///s")
        people = [walking(segment, n, [(0.0, BOX)], towards=(number + n) % 8) for n in range(3)]
        manifest = a_manifest(segment, people)
        embeddings = {
            person.person_id: np.full(8, number + n / 8, dtype="<f2").tobytes() for n, person in enumerate(people)
        }
        keys = table.record(manifest, "media:///m", Links({}, {}), embeddings)
        found, vectors = Embeddings(table).indexed(SPACE, [*keys.values()])
        index.add(SPACE, found, vectors)
        if number % 5 == 4:
            index.remove([min(keys.values())])
            index.add(SPACE, found, vectors)  # whoever the table has comes back
        index.save()
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def test_ten_kills_while_saving_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    moments = random.Random(7)
    for _ in range(KILLS):
        command = [sys.executable, "-c", f"from {__name__} import *; enter_and_save(Path({str(tmp_path)!r}))"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline(), "it has saved at least once"
        time.sleep(moments.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    table, index = PeopleTable(f"sqlite:///{tmp_path}/people.sqlite3"), LocalIndex(tmp_path / "index")
    saved = len(index)
    wanted = Embeddings(table).keys(SPACE)
    assert saved >= 2 * KILLS, "snapshots count, not only the table"
    catch_up(index, table)
    assert index.keys(SPACE).tolist() == wanted.tolist()
    assert index.newest(10**6) == wanted.tolist()[::-1]
    _, vectors = Embeddings(table).indexed(SPACE, wanted[-900:].tolist())
    found = index.vectors_of(SPACE, wanted[-900:].tolist())
    np.testing.assert_array_equal(np.stack([found[key] for key in wanted[-900:].tolist()]), vectors)
    assert index.spaces() == {SPACE: len(wanted)}
    index.save()
    assert len(LocalIndex(tmp_path / "index")) == len(wanted)
    table.close()
