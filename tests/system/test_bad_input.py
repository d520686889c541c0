"""What cannot work is said in one line that names it, before anything runs."""

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installation import Installation


def refusal(installation: Installation, *arguments: str) -> str:
    """The one line that a command ends with."""
    run = installation.run(*arguments, timeout_s=60)
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    (line,) = run.stderr.strip().splitlines()
    assert line.startswith("crewsight: ")
    return line


@pytest.fixture
def good(installed: Any, demo_clip: Path) -> Installation:
    made: Installation = installed([{"camera": "gate", "file": str(demo_clip)}])
    return made


def rewrite(installation: Installation, **groups: Any) -> Installation:
    content = yaml.safe_load(installation.config.read_text())
    content.update(groups)
    installation.config.write_text(yaml.safe_dump(content))
    return installation


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({"samplign": {"target_fps": 5}}, "samplign: unknown key"),
        ({"sampling": {"target_fsp": 5}}, "sampling.target_fsp: unknown key"),
        ({"sampling": {"target_fps": "often"}}, "sampling.target_fps"),
        ({"sources": [{"camera": "gate", "file": "/nowhere/film.mp4"}]}, "/nowhere/film.mp4"),
        ({"sources": []}, "names no footage"),
        ({"media": {"url": "/dev/null/media"}}, "/dev/null/media"),
        ({"vlm": {"name": "/nowhere/model"}}, "/nowhere/model"),
        ({"detector": {"name": "/nowhere/detector"}}, "/nowhere/detector"),
        ({"page": {"host": "0.0.0.0"}}, "0.0.0.0"),
        ({"bus": {"bootstrap_servers": "0.0.0.0:19092"}}, "0.0.0.0:19092"),
        ({"database": {"url": "postgresql+psycopg://127.0.0.1:1/none"}}, "Connection refused"),
    ],
)
def test_settings_that_cannot_work_are_one_line(good: Installation, groups: dict[str, Any], says: str) -> None:
    assert says in refusal(rewrite(good, **groups), "up", "--config", str(good.config))


def test_a_settings_file_that_is_missing_is_named(good: Installation) -> None:
    assert "nowhere.yaml" in refusal(good, "up", "--config", "nowhere.yaml")


def test_a_model_folder_without_weights_is_named_with_what_is_missing(good: Installation, tmp_path: Path) -> None:
    empty = tmp_path / "my-model"
    empty.mkdir()
    line = refusal(rewrite(good, vlm={"name": str(empty)}), "up", "--config", str(good.config))
    assert str(empty) in line


@pytest.mark.parametrize("setting", ["page", "search", "bus"])
def test_a_busy_port_is_named(good: Installation, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        group = {"bootstrap_servers": f"127.0.0.1:{port}"} if setting == "bus" else {"port": port}
        line = refusal(rewrite(good, **{setting: group}), "up", "--config", str(good.config))
    assert f"127.0.0.1:{port}" in line


def test_a_file_that_is_no_video_is_one_line_and_the_other_videos_are_analysed(
    good: Installation, demo_clip: Path
) -> None:
    text = good.folder / "minutes.mp4"
    text.write_text("no video")
    run = good.run("analyze", str(text), str(demo_clip), "--out", "out")
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("crewsight: ")]
    assert "minutes.mp4" in line
    assert "Traceback" not in run.stderr
    assert run.stdout.count("\n") >= 4


def test_a_run_that_had_nothing_but_rubbish_to_see_fails(good: Installation) -> None:
    text = good.folder / "minutes.mp4"
    text.write_text("no video")
    rewrite(good, sources=[{"camera": "gate", "file": str(text)}])
    run = good.run("up", "--once", "--config", str(good.config), timeout_s=120)
    assert run.returncode == 1
    assert "minutes.mp4" in run.stdout
    assert "0 segments" in run.stdout
    assert "1 refused" in run.stdout
