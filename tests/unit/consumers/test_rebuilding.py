"""A change of model: everyone is embedded anew from their crops, while both spaces are searched."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import consumers.cli
from consumers.analyzer.manifests import announcement
from consumers.indexer.catching_up import FurtherVectors
from consumers.indexer.embeddings import Embeddings
from consumers.indexer.erasing import Erasing, EvidenceErasing
from consumers.indexer.erasures import Erasures, Wish
from consumers.indexer.indexing import Indexing
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import PeopleTable
from consumers.indexer.rebuilding import Rebuilt, rebuild
from consumers.indexer.snapshots import SnapshotFolder
from model.crops import Crop
from model.humanvlm import HumanVLM
from streamer.bus.client import Received
from streamer.bus.media import MediaStore, manifest_uri
from tests.builders_consumers import NOON, SPACE, a_manifest, a_segment, unit_vector, walking
from tests.builders_model import tiny_humanvlm

BOX = (100.0, 100.0, 150.0, 250.0)
COUNT = 70


class Installed:
    """Seventy people of an earlier model's space, each with a crop of a grey of their own, and an index of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, MediaStore(str(folder / "media"))
        self.table = PeopleTable(f"sqlite:///{folder}/people.sqlite3")
        self.index = LocalIndex(folder / "index")
        self.indexing = Indexing(self.table, self.store, self.index, SnapshotFolder(folder / "index"))
        segment = a_segment("s0")
        people = [walking(segment, n, [(0.0, BOX)], towards=n % 8) for n in range(COUNT)]
        for n, person in enumerate(people):
            _, encoded = cv2.imencode(".png", np.full((64, 32, 3), n, dtype=np.uint8))
            self.store.write(person.looks[0].crop_uri, encoded.tobytes())
        self.manifest = a_manifest(segment, people)
        self.store.write(manifest_uri("gate", "s0", "r1"), self.manifest.model_dump_json().encode())
        self.indexing.work([Received("people", 0, 0, "i1", announcement(self.manifest), b"")], lambda: False)
        self.further = FurtherVectors(self.index, self.table, self.indexing.entering, after_row=0)

    def crop_uri(self, n: int) -> str:
        return self.manifest.people[n].looks[0].crop_uri


class ByBrightness:
    """A model of which it can be said what it should answer; fails at the batch that it is told to."""

    embedding_space = "new space"

    def __init__(self, *, fail_at: int = 99) -> None:
        self.fail_at, self.embedded = fail_at, 0

    def embed(self, crops: Sequence[Crop]) -> Any:
        self.fail_at -= 1
        if self.fail_at < 0:
            raise RuntimeError("the machine goes down")
        self.embedded += len(crops)
        angle = np.asarray([crop.pixels[0, 0, 0] / 20 for crop in crops])
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    installed = Installed(tmp_path)
    yield installed
    installed.table.close()


def test_everyone_is_found_in_both_spaces_while_and_after_they_are_embedded_anew(installed: Installed) -> None:
    seen: list[dict[str, int]] = []

    def tell(_: Rebuilt) -> None:
        installed.further.step()
        seen.append(dict(installed.index.spaces()))

    assert rebuild(installed.table, installed.store, ByBrightness(), tell) == Rebuilt(COUNT, 0)
    assert seen == [{SPACE: COUNT, "new space": done} for done in (32, 64, COUNT)]
    towards = np.asarray([np.cos(2.5), np.sin(2.5)], dtype=np.float32)
    (near,) = installed.index.search("new space", towards, 1)
    person = installed.table.by_key([near.key])[near.key]
    assert person.crop_uri == installed.crop_uri(50)
    assert len(installed.index.search(SPACE, unit_vector(0), 99)) == COUNT
    again = LocalIndex(installed.folder / "nothing yet")
    indexing = Indexing(installed.table, installed.store, again, SnapshotFolder(installed.folder / "nothing yet"))
    assert indexing.index.spaces() == {SPACE: COUNT, "new space": COUNT}


def test_what_is_embedded_between_the_catching_up_and_the_first_step_is_taken_in_too(installed: Installed) -> None:
    with pytest.raises(RuntimeError):
        rebuild(installed.table, installed.store, ByBrightness(fail_at=1), lambda _: None)
    last_row = Embeddings(installed.table).last_row()
    folder = installed.folder / "started again"
    indexing = Indexing(installed.table, installed.store, LocalIndex(folder), SnapshotFolder(folder))
    assert indexing.index.spaces() == {SPACE: COUNT, "new space": 32}
    rebuild(installed.table, installed.store, ByBrightness(), lambda _: None)
    further = FurtherVectors(indexing.index, installed.table, indexing.entering, after_row=last_row)
    assert further.step()
    assert not further.step()
    assert indexing.index.spaces() == {SPACE: COUNT, "new space": COUNT}


def test_whoever_breaks_off_goes_on_with_those_who_are_missing(installed: Installed) -> None:
    with pytest.raises(RuntimeError):
        rebuild(installed.table, installed.store, ByBrightness(fail_at=1), lambda _: None)
    assert Embeddings(installed.table).missing_count("new space") == COUNT - 32
    later = ByBrightness()
    assert rebuild(installed.table, installed.store, later, lambda _: None) == Rebuilt(COUNT - 32, 0)
    assert later.embedded == COUNT - 32
    assert rebuild(installed.table, installed.store, ByBrightness(fail_at=0), lambda _: None) == Rebuilt()


def test_crops_that_are_gone_or_broken_are_counted_and_hold_nothing_up(installed: Installed) -> None:
    installed.store.remove(installed.crop_uri(3))
    installed.store.write(installed.crop_uri(40), b"no picture")
    installed.store.write(installed.crop_uri(41), b"")
    assert rebuild(installed.table, installed.store, ByBrightness(), lambda _: None) == Rebuilt(COUNT - 3, 3)
    installed.further.step()
    assert installed.index.spaces() == {SPACE: COUNT, "new space": COUNT - 3}


def test_whoever_is_erased_is_gone_from_the_new_space_too(installed: Installed) -> None:
    rebuild(installed.table, installed.store, ByBrightness(), lambda _: None)
    installed.further.step()
    gone = installed.manifest.people[5].person_id
    Erasures(installed.table).request(Wish(person_ids=(gone,)), at=NOON)
    evidence = EvidenceErasing(f"sqlite:///{installed.folder}/desk.sqlite3", installed.store, around_s=5)
    Erasing(installed.table, installed.index, installed.store, evidence, installed.indexing.entering).step()
    assert installed.index.spaces() == {SPACE: COUNT - 1, "new space": COUNT - 1}
    assert len(Embeddings(installed.table).keys("new space")) == COUNT - 1


def test_the_command_embeds_with_the_model_of_the_settings_and_says_who_has_no_crop(
    installed: Installed, tmp_path: Path
) -> None:
    model = tiny_humanvlm(tmp_path / "vlm")
    config = tmp_path / "crewsight.yaml"
    config.write_text(f"state: {{folder: {tmp_path}}}\nvlm: {{name: {model}}}\nmedia: {{url: {tmp_path}/media}}\n")
    installed.store.remove(installed.crop_uri(0))
    result = CliRunner().invoke(consumers.cli.app, ["index", "rebuild", "--config", str(config)])
    space = HumanVLM.load_text(model).embedding_space
    assert result.exception is None
    assert f"{COUNT - 1} people embedded anew in {space}" in result.output
    assert "1 person has no crop any more" in result.output
    told = CliRunner().invoke(consumers.cli.app, ["index", "spaces", "--config", str(config)])
    assert f"{COUNT - 1}  {space}" in told.output
    assert f"{COUNT}  {SPACE}" in told.output


def test_without_anybody_the_list_of_spaces_says_so(tmp_path: Path) -> None:
    config = tmp_path / "crewsight.yaml"
    config.write_text(f"state: {{folder: {tmp_path}}}\n")
    told = CliRunner().invoke(consumers.cli.app, ["index", "spaces", "--config", str(config)])
    assert told.output.startswith("Nobody has a vector yet")
