"""What the page serves, and what is erased, where media lie in a real S3 server on the loopback."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.erased_media import erase_from_manifest
from consumers.indexer.people import PeopleTable
from streamer.bus.manifest import Manifest
from streamer.bus.media import SCHEME, MediaStore, manifest_uri
from tests.builders_alerts import api_over
from tests.builders_s3 import S3Server
from tests.builders_web import CaptionSearch, Walk, enter_segment

CROP = np.full((80, 40, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server().running() as running:
        yield running


@pytest.fixture
def store(server: S3Server, request: pytest.FixtureRequest) -> Iterator[MediaStore]:
    yield server.store(request.node.name, patience_s=0.5)
    server.is_away = False


@pytest.fixture
def table(tmp_path: Path) -> Iterator[PeopleTable]:
    table = PeopleTable(f"sqlite:///{tmp_path / 'people.sqlite3'}")
    yield table
    table.close()


@pytest.fixture
def segment(store: MediaStore, table: PeopleTable, demo_clip: Path) -> Manifest:
    walks = [Walk([(0.4, (64.0, 48.0, 128.0, 240.0))], CROP, f"person {n}", {}, best=0) for n in range(2)]
    return enter_segment(store, table, demo_clip, walks, camera="gate")


@pytest.fixture
def client(store: MediaStore, table: PeopleTable, tmp_path: Path) -> Iterator[TestClient]:
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    yield TestClient(api_over(CaptionSearch(table), table, store, desk, tmp_path), raise_server_exceptions=False)
    desk.close()


def test_a_browser_starts_a_video_anywhere(client: TestClient, segment: Manifest, demo_clip: Path) -> None:
    url, video = f"/media/{segment.segment_uri.removeprefix(SCHEME)}", demo_clip.read_bytes()
    whole = client.get(url)
    assert (whole.status_code, whole.content == video, whole.headers["accept-ranges"]) == (200, True, "bytes")
    part = client.get(url, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content == video[1000:2000]) == (206, True)
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(video)}"
    assert client.get(url, headers={"Range": f"bytes={len(video)}-"}).status_code == 416
    assert client.get("/media/media/gate/2026-11-27/nothing.mp4").status_code == 404


def test_while_the_server_is_away_the_page_says_so_and_not_that_it_is_gone(
    client: TestClient, segment: Manifest, server: S3Server
) -> None:
    url = f"/media/{segment.segment_uri.removeprefix(SCHEME)}"
    server.is_away = True
    away = client.get(url)
    assert (away.status_code, away.json()["detail"]) == (503, "The media store does not answer.")
    assert away.headers["retry-after"] == "5"
    server.is_away = False
    assert client.get(url).status_code == 200


def test_whoever_is_erased_leaves_no_object(
    segment: Manifest, store: MediaStore, server: S3Server, request: pytest.FixtureRequest
) -> None:
    erased, stays = segment.people
    uri = manifest_uri(segment.camera_id, segment.segment_id, segment.analysis_revision)
    erase_from_manifest(store, uri, {erased.person_id})
    crops = {key for key in server.listing(request.node.name) if key.startswith("crops/")}
    assert crops == {look.crop_uri.removeprefix(SCHEME) for look in stays.looks}
    assert erased.person_id not in store.read(uri).decode()
