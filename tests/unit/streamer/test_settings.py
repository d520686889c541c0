from pathlib import Path

import pytest

from streamer.bus.errors import SettingsError
from streamer.settings import StreamerSettings


def read(tmp_path: Path, text: str) -> StreamerSettings:
    path = tmp_path / "crewsight.yaml"
    path.write_text(text)
    return StreamerSettings.read(path)


def test_sources_are_files_and_folders_each_with_a_camera(tmp_path: Path) -> None:
    settings = read(
        tmp_path, "sources:\n  - {camera: gate-1, file: a.mp4}\n  - {camera: hall, folder: in, pace: live}\n"
    )
    gate, hall = settings.sources
    assert (gate.camera, gate.file, gate.folder, gate.pace) == ("gate-1", Path("a.mp4"), None, "fast")
    assert (hall.camera, hall.file, hall.folder, hall.pace) == ("hall", None, Path("in"), "live")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{camera: ../etc, file: a.mp4}", "sources.0.camera"),
        ("{camera: 'a b', file: a.mp4}", "sources.0.camera"),
        ("{camera: '', file: a.mp4}", "sources.0.camera"),
        ("{camera: gate}", "either `file` or `folder`"),
        ("{camera: gate, file: a.mp4, folder: in}", "either `file` or `folder`"),
        ("{camera: gate, file: a.mp4, speed: 2}", "unknown key"),
        ("{camera: gate, file: a.mp4, pace: slow}", "sources.0.pace"),
    ],
)
def test_a_source_that_makes_no_sense_is_one_clear_error(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, f"sources:\n  - {source}\n")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_sources_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREWSIGHT_SOURCES", '[{"camera": "gate", "file": "a.mp4"}]')
    assert [source.camera for source in StreamerSettings.read().sources] == ["gate"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state: 3", "state: must be a group of keys, got 3"),
        ("sources: gate", "sources: must be a list, such as [a, b], got 'gate'"),
        ("state: {folder: [1]}", "state.folder: must be a path"),
        ("sources: [{camera: 'a b', file: a.mp4}]", "sources.0.camera: must be letters, digits, - and _, at most 64"),
        ("traces: {otlp_url: otel:4318}", "traces.otlp_url: must begin with http:// or https:// and name a host"),
        ("state: {folder: x\nbus: [", "the file: is no YAML at line 2: expected ',' or '}'"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_whoever_wrote_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
