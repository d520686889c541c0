from pathlib import Path

import pytest

from streamer.bus.errors import MediaStoreError
from streamer.bus.settings import Media, State
from streamer.process import checked_media
from streamer.settings import StreamerSettings


def settings(tmp_path: Path, media_url: str) -> StreamerSettings:
    return StreamerSettings(state=State(folder=tmp_path / "state"), media=Media(url=media_url))


def no_folder(tmp_path: Path) -> str:
    """A media store that takes nothing."""
    (tmp_path / "file").write_text("no folder")
    return str(tmp_path / "file" / "media")


def test_a_media_store_that_takes_nothing_is_refused_where_there_are_no_cameras(tmp_path: Path) -> None:
    with pytest.raises(MediaStoreError, match="cannot be written"):
        checked_media(settings(tmp_path, no_folder(tmp_path)), once=False, has_cameras=False, is_stopping=lambda: False)


def test_cameras_wait_for_no_media_store(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = no_folder(tmp_path)
    media = checked_media(settings(tmp_path, url), once=False, has_cameras=True, is_stopping=lambda: False)
    assert media.url == url
    assert [record.message for record in caplog.records] == ["media store takes nothing, cameras are watched meanwhile"]


def test_a_media_store_of_no_known_kind_is_refused_whatever_there_is(tmp_path: Path) -> None:
    with pytest.raises(MediaStoreError, match="no URL that is known"):
        checked_media(settings(tmp_path, "gopher://x"), once=False, has_cameras=True, is_stopping=lambda: False)
