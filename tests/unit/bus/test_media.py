import threading
from pathlib import Path

import pytest

from streamer.bus.errors import MediaStoreError
from streamer.bus.media import SCHEME, MediaStore, crop_uri, manifest_uri, segment_uri


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    return MediaStore(str(tmp_path / "media") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_an_empty_store_lists_nothing_and_holds_nothing(store: MediaStore) -> None:
    assert store.list(f"{SCHEME}results/gate") == []
    assert not store.exists(manifest_uri("gate", "s1", "r1"))


def test_what_is_written_is_read_back_whole_and_in_part(store: MediaStore) -> None:
    uri = crop_uri("gate", "s1", "r1", 3, 1200)
    store.write(uri, b"0123456789")
    assert (store.read(uri), store.read(uri, 2, 5), store.size_bytes(uri)) == (b"0123456789", b"234", 10)
    with store.as_file(uri) as path:
        assert path.read_bytes() == b"0123456789"


def test_a_manifest_is_written_once_and_the_loser_changes_nothing(store: MediaStore) -> None:
    uri = manifest_uri("gate", "s1", "r1")
    assert store.write_once(uri, b"first")
    assert not store.write_once(uri, b"second")
    assert store.read(uri) == b"first"


def test_of_many_writers_at_once_exactly_one_wins(tmp_path: Path) -> None:
    store, uri = MediaStore(str(tmp_path)), manifest_uri("gate", "s1", "r1")
    start, wins = threading.Barrier(8), []

    def write(text: bytes) -> None:
        start.wait()
        if store.write_once(uri, text):
            wins.append(text)

    threads = [threading.Thread(target=write, args=(str(n).encode() * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read(uri)] == wins


def test_a_finished_file_is_moved_in_and_nothing_temporary_remains(store: MediaStore, tmp_path: Path) -> None:
    finished = tmp_path / "cut.mp4"
    finished.write_bytes(b"video")
    uri = segment_uri("gate", "2026-11-23", "s1")
    store.adopt(uri, finished)
    assert not finished.exists()
    assert store.list(f"{SCHEME}media/gate/2026-11-23") == [uri]


@pytest.mark.parametrize("uri", ["media:///../secret", "media:///a/../../b", "/etc/passwd", "media:////etc/passwd"])
def test_a_uri_cannot_leave_the_store(store: MediaStore, uri: str) -> None:
    with pytest.raises(MediaStoreError):
        store.read(uri)


def test_an_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    with pytest.raises(MediaStoreError) as refused:
        MediaStore(str(tmp_path / "media")).check_writable()
    assert "media store" in str(refused.value)
    assert "\n" not in str(refused.value)
