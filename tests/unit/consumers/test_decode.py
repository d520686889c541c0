from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from consumers.analyzer.decode import sample_frames
from consumers.errors import VideoReadError
from tests.builders_consumers import as_file
from tests.builders_pictures import half_red
from tests.builders_video import make_video, number_of

Clip = Callable[[str], Path]


def test_the_sampled_frames_are_the_ones_that_were_asked_for(tmp_path: Path) -> None:
    sampled = sample_frames(make_video(tmp_path / "v.mp4", frame_count=40, fps=10), target_fps=5)
    assert [number_of(frame) for frame in sampled.frames] == list(range(0, 40, 2))
    np.testing.assert_allclose(sampled.at_s, np.arange(0, 4, 0.2), atol=1e-3)
    assert (sampled.fps, sampled.scale, sampled.truncated_after_s, sampled.size_wh) == (5, 1, None, (192, 108))


def test_a_video_slower_than_the_rate_is_looked_at_whole(tmp_path: Path) -> None:
    sampled = sample_frames(make_video(tmp_path / "v.mp4", frame_count=6, fps=2), target_fps=5)
    assert [number_of(frame) for frame in sampled.frames] == [0, 1, 2, 3, 4, 5]
    assert sampled.fps == 2


def test_large_frames_are_decoded_smaller_and_the_scale_says_by_how_much(tmp_path: Path) -> None:
    video = make_video(tmp_path / "v.mp4", frame_count=4, size_wh=(768, 432))
    sampled = sample_frames(video, target_fps=5, largest_side_px=384)
    assert sampled.frames[0].shape == (216, 384, 3)
    assert (sampled.scale, sampled.size_wh) == (2.0, (384, 216))


def test_a_video_cut_short_is_read_up_to_the_break_the_same_way_every_time(clip: Clip) -> None:
    first, again = (sample_frames(clip("installer-truncated.mp4"), target_fps=5) for _ in range(2))
    assert first.truncated_after_s == pytest.approx(6.87, abs=0.05)  # 207 of 210 promised frames, 29.97 fps
    assert len(first.frames) == 35
    assert all((one == other).all() for one, other in zip(first.frames, again.frames, strict=True))
    whole = sample_frames(clip("installer.mp4"), target_fps=5)
    assert whole.truncated_after_s is None


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 50], ids=["empty", "text"])
def test_a_file_that_is_no_video_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = as_file(tmp_path, "no.mp4", content)
    with pytest.raises(VideoReadError) as refused:
        sample_frames(path, target_fps=5)
    assert refused.value.path == path
    assert "github" not in str(refused.value), "Decord names its build machine"


def test_a_video_of_no_frames_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as output:
        output.add_stream("mpeg4", rate=10)
        output.start_encoding()
    with pytest.raises(VideoReadError):
        sample_frames(path, target_fps=5)


def test_a_video_with_a_hole_in_it_is_read_up_to_the_hole(tmp_path: Path) -> None:
    content = bytearray(make_video(tmp_path / "v.mp4", frame_count=60, size_wh=(384, 216)).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = bytes(1500)
    sampled = sample_frames(as_file(tmp_path, "hole.mp4", bytes(content)), target_fps=5)
    assert sampled.truncated_after_s is not None
    assert [number_of(frame) for frame in sampled.frames] == list(range(0, 2 * len(sampled.frames), 2))
    assert 5 < len(sampled.frames) < 30


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoReadError, match="No such file"):
        sample_frames(tmp_path / "gone.mp4", target_fps=5)


def test_no_reader_stays_open_behind_the_frames(tmp_path: Path) -> None:
    video = make_video(tmp_path / "v.mp4", frame_count=300, size_wh=(768, 432))
    sample_frames(video, target_fps=5)
    threads_before = psutil.Process().num_threads()
    for _ in range(5):
        sample_frames(video, target_fps=5)
    assert psutil.Process().num_threads() <= threads_before, "an open Decord reader decodes ahead in threads"


def test_a_picture_is_one_frame_as_large_as_it_is(tmp_path: Path) -> None:
    picture = half_red((2560, 1000))
    picture.save(tmp_path / "a.jpg", quality=95)
    sampled = sample_frames(tmp_path / "a.jpg", target_fps=5)
    assert [frame.shape for frame in sampled.frames] == [(1000, 2560, 3)]
    assert (sampled.at_s.tolist(), sampled.scale, sampled.size_wh) == ([0.0], 1.0, (2560, 1000))
    np.testing.assert_allclose(sampled.frames[0][500, 100], (200, 20, 20), atol=4)


def test_half_a_picture_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "a.jpg"
    half_red((900, 700)).save(whole)
    whole.write_bytes(whole.read_bytes()[:-4000])
    with pytest.raises(VideoReadError, match="it is no picture"):
        sample_frames(whole, target_fps=5)
