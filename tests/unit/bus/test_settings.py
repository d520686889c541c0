from pathlib import Path

import pytest

from streamer.bus.errors import SettingsError
from streamer.bus.settings import ProcessSettings, refuse_unknown_groups


@pytest.fixture
def config(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "crewsight.yaml"
        path.write_text(text)
        return path

    return write


def test_defaults_hold_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ProcessSettings.read()
    assert settings.bus.partitions == 4
    assert settings.media_url == ".crewsight/media"


def test_flag_wins_over_environment_over_file_over_default(config, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config("bus: {partitions: 2, replication_factor: 3}\nmedia: {url: /srv/media}\n")
    monkeypatch.setenv("CREWSIGHT_BUS__PARTITIONS", "8")
    settings = ProcessSettings.read(path, media={"url": "/flag"})
    assert (settings.bus.partitions, settings.bus.replication_factor, settings.media_url) == (8, 3, "/flag")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bus: {partition: 3}", "bus.partition: unknown key"),
        ("bus: {partitions: many}", "bus.partitions: "),
        ("[1", "is no YAML"),
        ("- a list", "must hold groups"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_naming_file_and_key(config, text: str, says: str) -> None:
    path = config(text)
    with pytest.raises(SettingsError) as refused:
        ProcessSettings.read(path)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        ProcessSettings.read(Path("nowhere.yaml"))


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, config) -> None:
    monkeypatch.setenv("CREWSIGHT_BUS__PARTITION", "8")
    with pytest.raises(SettingsError, match=r"bus\.partition"):
        ProcessSettings.read(config(""))


def test_an_unknown_group_is_refused_by_whoever_knows_all(config) -> None:
    with pytest.raises(SettingsError, match="samplign: unknown key"):
        refuse_unknown_groups(config("samplign: {target_fps: 5}"), [ProcessSettings])


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("CREWSIGHT_SECRETS_FOLDER", str(folder))
    return folder


def test_a_secret_file_wins_over_the_settings_file_and_loses_to_the_variable(
    config, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config("media: {key_id: of the file, secret_key: of the file}\n")
    (secrets / "crewsight_media__secret_key").write_text("of the secret\n")
    (secrets / "crewsight_media__key_id").write_text("of the secret\n")
    (secrets / "camera_password").write_text("somebody else's")
    monkeypatch.setenv("CREWSIGHT_MEDIA__KEY_ID", "of the variable")
    media = ProcessSettings.read(path).media
    assert media.secret_key is not None
    assert (media.key_id, media.secret_key.get_secret_value()) == ("of the variable", "of the secret")
    assert "of the secret" not in repr(media)


def test_a_misspelt_secret_file_is_refused(config, secrets: Path) -> None:
    (secrets / "crewsight_media__secret").write_text("swordfish")
    with pytest.raises(SettingsError, match=r"media\.secret: unknown key") as refused:
        ProcessSettings.read(config(""))
    assert "swordfish" not in str(refused.value)


def test_a_secret_file_that_is_no_text_is_one_line(config, secrets: Path) -> None:
    (secrets / "crewsight_media__secret_key").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="secret files: cannot be read"):
        ProcessSettings.read(config(""))
