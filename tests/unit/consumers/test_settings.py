"""What the settings make of each other."""

import re

import pytest

from consumers.settings import DeskSettings, PageSettings
from streamer.bus.errors import SettingsError

POSTGRES = "postgresql+psycopg://crewsight@postgres:5432/crewsight"


@pytest.mark.parametrize(
    ("url", "password", "opened"),
    [
        (POSTGRES, None, POSTGRES),
        (POSTGRES, "p@ss/word", "postgresql+psycopg://crewsight:p%40ss%2Fword@postgres:5432/crewsight"),
        ("postgresql+psycopg://me:own@postgres/crewsight", "other", "postgresql+psycopg://me:own@postgres/crewsight"),
    ],
)
def test_the_password_of_the_database_may_stand_apart_from_its_address(
    monkeypatch: pytest.MonkeyPatch, url: str, password: str | None, opened: str
) -> None:
    monkeypatch.setenv("CREWSIGHT_DATABASE__URL", url)
    if password is not None:
        monkeypatch.setenv("CREWSIGHT_DATABASE__PASSWORD", password)
    settings = DeskSettings.read()
    assert (settings.database_url, settings.desk_url) == (opened, opened)
    assert password is None or password not in repr(settings)


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("PAGE__PUBLIC_URL", "javascript:alert(1)", "page.public_url: must begin with http:// or https://"),
        ("DATABASE__URL", "people.sqlite3", "database.url: must be an SQLAlchemy URL"),
        ("ALERTS__DATABASE_URL", "postgresql://host:port/desk", "alerts.database_url: must be an SQLAlchemy URL"),
        ("PAGE__PROCESSES", '["analyzer"]', "page.processes.0: must be written as JOB=HOST:PORT"),
        ("PAGE__PROXIES", '["10.42.0.1/16"]', "page.proxies.0: must be an address or a network"),
    ],
)
def test_addresses_that_are_none_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, written: str, said: str
) -> None:
    monkeypatch.setenv(f"CREWSIGHT_{name}", written)
    with pytest.raises(SettingsError, match=re.escape(said)):
        PageSettings.read()
