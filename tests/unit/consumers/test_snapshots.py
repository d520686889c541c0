from pathlib import Path

import pytest

from consumers.errors import VectorIndexError
from consumers.indexer.rows import LastRows
from consumers.indexer.snapshots import NOTE, SnapshotFolder
from streamer.bus.client import TopicPartition

PLACE = TopicPartition("people", 1)


def test_a_note_brings_back_the_offsets(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "index")
    folder.save(incarnation="i1", offsets={PLACE: 7}, last_rows=LastRows(segment=3))
    note = folder.load()
    assert note is not None
    assert (note.incarnation, note.offset(PLACE), note.last_rows) == ("i1", 7, LastRows(segment=3))
    assert note.offset(TopicPartition("people", 0)) == 0


@pytest.mark.parametrize("broken", ["no folder", "no note", "half a note"])
def test_a_note_that_cannot_be_read_is_no_note(tmp_path: Path, broken: str) -> None:
    folder = SnapshotFolder(tmp_path / "index")
    if broken != "no folder":
        folder.save(incarnation="i", offsets={PLACE: 1}, last_rows=LastRows())
        written = tmp_path / "index" / NOTE
        if broken == "no note":
            written.unlink()
        else:
            written.write_bytes(written.read_bytes()[:20])
    assert folder.load() is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VectorIndexError, match="file"):
        SnapshotFolder(tmp_path / "file" / "index").save(incarnation=None, offsets={}, last_rows=LastRows())
