"""What the API stands over in these tests: a person table, a desk, and media in a folder or in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.people import PeopleTable
from streamer.bus.media import MediaStore
from tests.builders_web import panned_clip


@pytest.fixture(scope="session")
def grey_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panned_clip(np.full((480, 640, 3), 90, np.uint8), tmp_path_factory.mktemp("clip") / "grey.mp4", seconds=2)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    return MediaStore(str(tmp_path / "media") if request.param == "folder" else f"memory://{tmp_path.name}")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[PeopleTable]:
    table = PeopleTable(f"sqlite:///{tmp_path / 'people.sqlite3'}")
    yield table
    table.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskDatabase]:
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    yield desk
    desk.close()
