"""`crewsight cameras …` against a real camera and a real file."""

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.bus.camera_file import CameraFile
from tests.builders_cameras import FPS
from tests.builders_rtsp import numbered_frames, rtsp_server, rtsp_server_or_skip, write_stream

ROOT = Path(__file__).parents[2]


def crewsight(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    config = folder / "crewsight.yaml"
    live = "live: {connect_s: 5, stall_s: 2}\nmetrics: {port: 0}\n"
    config.write_text(f"state: {{folder: {folder / 'state'}}}\n{live}")
    command = [sys.executable, "-m", "crewsight", *words, "--config", str(config)]
    return subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, text=True, check=False, timeout=60)


def test_a_camera_is_checked_added_listed_and_removed(tmp_path: Path) -> None:
    rtsp_server_or_skip()
    stream = write_stream(tmp_path / "h264", numbered_frames(10 * FPS), fps=FPS, keyframe_every=2 * FPS)
    with rtsp_server({"gate": stream}, user="viewer", password="s3cret") as server:
        refused = crewsight(tmp_path, "cameras", "add", "gate", server.url("gate", "viewer:wr0ng"))
        assert refused.returncode == 1
        assert refused.stderr == (
            f"crewsight: camera gate at {server.url('gate')}: it refuses the user name or the password (401)\n"
        )
        words = ("cameras", "add", "gate", server.url("gate"), "--username", "viewer")
        added = crewsight(tmp_path, *words, typed="s3cret\n")
        assert added.returncode == 0, added.stderr
        assert "h264, 192x108, 25 frames/s" in added.stdout
        assert "a keyframe every 2.0 s; its clock is" in added.stdout
        checked = crewsight(tmp_path, "cameras", "check", "gate")
        assert "h264, 192x108" in checked.stdout
    listed = crewsight(tmp_path, "cameras", "list")
    assert listed.stdout == f"gate\t{server.url('gate')}\n"
    for run in (refused, added, checked, listed):
        assert "s3cret" not in run.stdout + run.stderr
        assert "wr0ng" not in run.stdout + run.stderr
    assert CameraFile(tmp_path / "state" / "cameras.yaml").of("gate").opening_url() == server.url(
        "gate", "viewer:s3cret"
    )
    assert crewsight(tmp_path, "cameras", "remove", "gate").returncode == 0
    again = crewsight(tmp_path, "cameras", "remove", "gate")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "names no camera gate" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cameras", "add", "a b", "rtsp://cam/1", "--no-check"), "camera: must be letters, digits, - and _"),
        (("cameras", "add", "gate", "ftp://u:s3cret@cam/1"), "url: must begin with rtsp://"),
        (
            ("cameras", "add", "gate", "rtsp://u:s3cret@cam:99999/1", "--no-check"),
            "url: its host or port cannot be read",
        ),
        (("cameras", "check", "gate"), "names no camera gate"),
        (("cameras", "add", "gate", "rtsp://u:s3cret@127.0.0.1:1/1"), "at rtsp://127.0.0.1:1/1: connection refused"),
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    run = crewsight(tmp_path, *words)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert said in run.stderr
    assert "s3cret" not in run.stderr


def test_a_list_without_cameras_says_how_to_add_one(tmp_path: Path) -> None:
    listed = crewsight(tmp_path, "cameras", "list")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "crewsight cameras add" in listed.stderr


def test_cameras_never_end_so_once_refuses_them(tmp_path: Path) -> None:
    assert crewsight(tmp_path, "cameras", "add", "gate", "rtsp://127.0.0.1:1/1", "--no-check").returncode == 0
    for words in (("streamer", "--once"), ("up", "--once")):
        run = crewsight(tmp_path, *words)
        assert (run.returncode, run.stderr.count("\n")) == (1, 1)
        assert "names cameras, which never end; leave out --once" in run.stderr
