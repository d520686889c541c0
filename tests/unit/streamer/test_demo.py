import hashlib
import subprocess
import sys
from pathlib import Path

import av
import pytest

from streamer.demo import DURATION_S, FPS, SHOTS, demo_footage
from streamer.errors import DemoFootageError

ROOT = Path(__file__).parents[3]


def test_the_clip_is_half_a_minute_of_h264_that_a_browser_plays(demo_clip: Path) -> None:
    with av.open(str(demo_clip)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, float(stream.average_rate or 0)) == (960, 540, FPS)
        assert 30 <= DURATION_S <= 40
        assert sum(1 for _ in container.decode(stream)) == DURATION_S * FPS


def test_people_are_in_view_when_segments_end_and_somebody_walks_behind_a_pillar() -> None:
    borders_s = [10.0, 20.0, 30.0]
    starts = [sum(shot.seconds for shot in SHOTS[:index]) for index in range(len(SHOTS))]
    for border_s in borders_s:
        assert not any(abs(border_s - start_s) < 1 for start_s in starts)
    assert sum(shot.pillar_s is not None for shot in SHOTS) == 1


def test_a_clip_that_is_there_is_used_again_and_a_new_one_is_the_same(demo_clip: Path, tmp_path: Path) -> None:
    made = demo_clip.stat().st_mtime_ns
    assert demo_footage(demo_clip.parent) == demo_clip
    assert demo_clip.stat().st_mtime_ns == made
    again = demo_footage(tmp_path)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(demo_clip.read_bytes()).digest()
    assert [path.name for path in tmp_path.iterdir()] == [demo_clip.name]


def test_making_footage_loads_no_model_library() -> None:
    script = "import sys, streamer.demo; streamer.demo._canvases(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DemoFootageError, match="cannot make demo footage"):
        demo_footage(tmp_path / "file" / "folder")
