"""The media store over a real S3 server on the loopback: what a folder promises, and what only a server can do."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.bus.errors import MediaStoreAwayError, MediaStoreError
from streamer.bus.media import SCHEME, MediaStore, crop_uri, manifest_uri, segment_uri
from tests.builders_bus import wait_until
from tests.builders_s3 import S3Server
from tests.ports import free_port

VIDEO = segment_uri("gate", "2026-11-27", "s1")
MANIFEST = manifest_uri("gate", "s1", "r1")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server().running() as running:
        yield running


@pytest.fixture
def store(server: S3Server, request: pytest.FixtureRequest) -> Iterator[MediaStore]:
    server.is_away = False
    yield server.store(request.node.name, patience_s=30)
    server.is_away = False


def test_an_empty_store_lists_nothing_and_holds_nothing(store: MediaStore) -> None:
    store.check_writable()
    assert store.list(f"{SCHEME}results/gate") == []
    assert not store.exists(MANIFEST)
    store.remove(MANIFEST)


def test_what_is_written_is_read_back_whole_in_part_and_as_a_file(store: MediaStore) -> None:
    store.write(VIDEO, b"0123456789")
    assert (store.read(VIDEO), store.read(VIDEO, 2, 5), store.size_bytes(VIDEO)) == (b"0123456789", b"234", 10)
    assert store.local_path(VIDEO) is None
    with store.as_file(VIDEO) as path:
        assert (path.read_bytes(), path.suffix) == (b"0123456789", ".mp4")
    assert not path.exists()


def test_a_finished_file_is_moved_in_and_what_is_removed_is_gone(
    store: MediaStore, server: S3Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    finished = tmp_path / "cut.mp4"
    finished.write_bytes(b"video")
    store.adopt(VIDEO, finished)
    store.write(crop_uri("gate", "s1", "r1", 0, 400), b"crop")
    assert not finished.exists()
    assert store.list(f"{SCHEME}media/gate/2026-11-27") == [VIDEO]
    assert server.listing(request.node.name) == ["crops/gate/s1.r1/000-000400.jpg", "media/gate/2026-11-27/s1.mp4"]
    store.remove(VIDEO)
    assert not store.exists(VIDEO)
    with pytest.raises(MediaStoreError, match=r"s1.mp4"):
        store.read(VIDEO)


def test_a_folder_lists_only_its_own(store: MediaStore) -> None:
    for camera in ("gate", "gate-2"):
        store.write(manifest_uri(camera, "s1", "r1"), b"{}")
    assert store.list(f"{SCHEME}results/gate") == [MANIFEST]


def test_of_many_writers_at_once_exactly_one_wins(store: MediaStore) -> None:
    start, wins = threading.Barrier(8), []

    def write(text: bytes) -> None:
        start.wait()
        if store.write_once(MANIFEST, text):
            wins.append(text)

    threads = [threading.Thread(target=write, args=(str(n).encode() * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read(MANIFEST)] == wins


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.exists(VIDEO),
        lambda store: store.read(VIDEO, 1, 3),
        lambda store: store.size_bytes(VIDEO),
        lambda store: store.write(VIDEO, b"video"),
        lambda store: store.write_once(MANIFEST, b"{}"),
        lambda store: store.list(f"{SCHEME}media/gate/2026-11-27"),
        lambda store: store.remove(VIDEO),
    ],
    ids=["exists", "read", "size", "write", "write once", "list", "remove"],
)
def test_a_server_that_answers_503_is_waited_for(
    store: MediaStore, server: S3Server, act: Callable[[MediaStore], object], caplog: pytest.LogCaptureFixture
) -> None:
    store.write(VIDEO, b"video")
    with caplog.at_level(logging.INFO, logger="streamer.bus.media"):
        server.is_away, server.refused = True, 0
        waiting = threading.Thread(target=act, args=(store,))
        waiting.start()
        wait_until(lambda: server.refused >= 2, within_s=60)
        assert waiting.is_alive()
        server.is_away = False
        waiting.join(60)
        assert not waiting.is_alive()
    assert [record.message for record in caplog.records] == [
        "media store does not answer, waiting for it",
        "media store answers again",
    ]


def test_whoever_is_to_stop_waits_no_longer(server: S3Server, store: MediaStore) -> None:
    stopping = threading.Event()
    impatient = server.store("stopping", patience_s=600, is_stopping=stopping.is_set)
    server.is_away, server.refused = True, 0
    failures: list[Exception] = []

    def write() -> None:
        try:
            impatient.write(VIDEO, b"video")
        except MediaStoreError as error:
            failures.append(error)

    waiting = threading.Thread(target=write)
    waiting.start()
    wait_until(lambda: server.refused >= 2, within_s=60)
    stopping.set()
    waiting.join(60)
    assert [type(failure) for failure in failures] == [MediaStoreAwayError]


def test_a_server_that_stays_away_is_one_line_after_the_patience(server: S3Server, store: MediaStore) -> None:
    server.is_away = True
    began_s = time.monotonic()
    with pytest.raises(MediaStoreAwayError, match=r"does not answer \(Come later\), waited for \d+ s") as failed:
        server.store("away", patience_s=1).write(VIDEO, b"video")
    assert time.monotonic() - began_s >= 1
    assert "\n" not in str(failed.value)


def test_an_address_where_nothing_listens_says_what_to_correct(server: S3Server) -> None:
    access = replace(server.access, endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(MediaStoreAwayError, match=r"start it, or correct media.endpoint_url") as failed:
        MediaStore("s3://crewsight/site", access, patience_s=1).check_writable()
    assert "\n" not in str(failed.value)


def test_a_wrong_bucket_is_said_at_once(server: S3Server) -> None:
    with pytest.raises(MediaStoreError, match=r"no such bucket; create it, or correct media.url") as failed:
        MediaStore("s3://nowhere/site", server.access).check_writable()
    assert not isinstance(failed.value, MediaStoreAwayError)
    assert "\n" not in str(failed.value)


def test_wrong_credentials_are_said_at_once(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)  # from now on it looks at who asks
    with pytest.raises(MediaStoreError, match=r"cannot be written: .*correct media.key_id and") as failed:
        server.store("refused").check_writable()
    assert not isinstance(failed.value, MediaStoreAwayError)
    assert server.access.secret_key not in str(failed.value)


def test_without_any_credentials_it_is_said_which_settings_hold_them(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    access = replace(server.access, key_id="", secret_key="")
    with pytest.raises(MediaStoreError, match=r"set media.key_id and media.secret_key"):
        MediaStore("s3://crewsight/site", access, patience_s=1).check_writable()
