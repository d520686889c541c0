"""Whoever opens the media store opens the one that the settings name, with its keys."""

import re
from pathlib import Path

import pytest

from streamer.bus.errors import MediaStoreError
from streamer.bus.media_opening import open_media
from streamer.bus.object_store import ObjectAccess, storage_options
from streamer.bus.settings import Media, ProcessSettings

ROOT = Path(__file__).parents[3]


def test_nobody_opens_the_store_past_its_settings() -> None:
    sources = [
        path
        for package in ("consumers", "household", "operations", "streamer")
        for path in (ROOT / package).rglob("*.py")
    ]
    past = [path for path in sources if re.search(r"MediaStore\([^)]*media_url", path.read_text())]
    assert sources
    assert [path.name for path in past if path.name != "media_opening.py"] == []


def test_a_folder_needs_nothing_and_a_server_gets_its_address_and_key() -> None:
    access = ObjectAccess("http://minio:9000", "eu-central-1", "key", "secret")
    assert storage_options("/var/media", access) == {}
    options = storage_options("s3://bucket/prefix", access)
    assert (options["endpoint_url"], options["key"], options["secret"]) == ("http://minio:9000", "key", "secret")
    assert options["client_kwargs"] == {"region_name": "eu-central-1"}
    assert options["config_kwargs"]["s3"] == {"addressing_style": "path"}
    assert "s3" not in storage_options("s3://bucket", ObjectAccess())["config_kwargs"]


def test_an_address_of_no_known_kind_is_one_line() -> None:
    with pytest.raises(MediaStoreError, match=r"media\.url is no folder") as refused:
        open_media(ProcessSettings(media=Media(url="tape://attic")))
    assert "\n" not in str(refused.value)
