import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import decord
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.demo import DURATION_S, FPS
from streamer.errors import VideoReadError
from streamer.segmenting import FAST, LIVE, Cadence, CutSegment, content_sha256, cut, cut_file, plan_cuts
from tests.builders_video import make_frameless_video, make_video, numbers_in, turned

B_FRAMES = {"preset": "ultrafast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=10:min-keyint=10"}
OPEN_GOPS = {"preset": "ultrafast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=10:min-keyint=10:open-gop=1"}
ONE_GOP = {"preset": "ultrafast", "x264-params": "scenecut=0:keyint=1000"}

KINDS: dict[str, dict[str, Any]] = {
    "b-frames.mp4": {"options": B_FRAMES},
    "b-frames.mkv": {"options": B_FRAMES},
    "b-frames.ts": {"options": B_FRAMES},
    "open-gops.mp4": {"options": OPEN_GOPS},
    "one-gop.mp4": {"options": ONE_GOP, "keyframe_every": 1000},
    "one-gop.ts": {"options": ONE_GOP, "keyframe_every": 1000},
    "bare.h264": {"options": B_FRAMES, "container": "h264"},
    "ten-bit.mp4": {"options": B_FRAMES, "pix_fmt": "yuv420p10le"},
    "odd-sides.avi": {"codec": "mpeg4", "size_wh": (193, 109)},
    "motion.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "uneven-pace.mp4": {"options": B_FRAMES, "times": [*range(0, 300, 3), *range(300, 430)]},
}


def shown_by(path: Path) -> tuple[int, float, str, str, set[str]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
        kinds = {each.type for each in container.streams}
        return next(container.decode(stream)).pts, float(stream.average_rate or 0), codec, str(pixels), kinds


def frames_av(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(container.streams.video[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_in_one_segment_only_whatever_the_container(kind: str, tmp_path: Path) -> None:
    source = make_video(tmp_path / kind, frame_count=230, **KINDS[kind])
    segments = list(cut_file(source, camera_id="gate", folder=tmp_path / "out"))
    assert len(segments) >= 2
    assert [number for segment in segments for number in numbers_in(segment.path)] == list(range(230))
    assert sum(len(decord.VideoReader(str(segment.path))) for segment in segments) == 230
    assert sum(segment.frame_count for segment in segments) == 230
    for segment in segments:
        first_pts, _, codec, pixels, kinds = shown_by(segment.path)
        assert (first_pts, codec, kinds) == (0, "h264", {"video"})
        assert pixels in {"yuv420p", "yuvj420p"}
        assert segment.duration_s <= 15


@pytest.mark.parametrize("kind", ["b-frames.mp4", "b-frames.ts", "one-gop.mp4", "one-gop.ts", "bare.h264"])
def test_going_on_within_a_file_gives_the_same_bytes_and_ids(kind: str, tmp_path: Path) -> None:
    source = make_video(tmp_path / kind, frame_count=230, **KINDS[kind])
    plan = plan_cuts(source, sha256=content_sha256(source))
    whole = list(cut(plan, camera_id="gate", folder=tmp_path / "whole"))
    rest = list(cut(plan, camera_id="gate", folder=tmp_path / "rest", from_index=1))
    assert [segment.segment_id for segment in rest] == [segment.segment_id for segment in whole[1:]]
    assert [segment.path.read_bytes() for segment in rest] == [segment.path.read_bytes() for segment in whole[1:]]


@pytest.mark.parametrize(
    ("name", "frame_count", "cadence"),
    [
        ("worker-zone.mp4", 71, FAST),
        ("worker-zone.mp4", 71, LIVE),
        ("store-aisle.mp4", 67, FAST),
        ("classroom.mp4", 45, FAST),
        ("one-by-one.mp4", 1394, FAST),
        ("one-by-one.mp4", 1394, LIVE),
        ("pedestrians.avi", 795, FAST),
        ("installer.mp4", 207, FAST),
        ("installer-truncated.mp4", 209, FAST),
        ("installer-truncated.mp4", 209, LIVE),
    ],
)
def test_real_clips_keep_every_frame(
    clip: Callable[[str], Path], tmp_path: Path, name: str, frame_count: int, cadence: Cadence
) -> None:
    segments = list(cut_file(clip(name), camera_id="gate", folder=tmp_path, cadence=cadence))
    assert sum(frames_av(segment.path) for segment in segments) == frame_count
    assert sum(len(decord.VideoReader(str(segment.path))) for segment in segments) == frame_count
    _assert_they_follow_one_another(segments)


def test_the_demo_clip_keeps_every_frame(demo_clip: Path, tmp_path: Path) -> None:
    segments = list(cut_file(demo_clip, camera_id="demo", folder=tmp_path))
    assert [round(segment.duration_s, 3) for segment in segments] == [10.0, 10.0, 10.0, 8.0]
    assert all(segment.is_copy for segment in segments)
    assert sum(frames_av(segment.path) for segment in segments) == DURATION_S * FPS
    _assert_they_follow_one_another(segments)


def _assert_they_follow_one_another(segments: list[CutSegment]) -> None:
    assert segments[0].previous_segment_id is None
    for before, after in itertools.pairwise(segments):
        assert after.previous_segment_id == before.segment_id
        assert after.start_s == pytest.approx(before.start_s + before.duration_s, abs=0.002)
    assert all(segment.fps == pytest.approx(segment.frame_count / segment.duration_s) for segment in segments)


def test_a_file_that_breaks_off_is_cut_up_to_there_and_says_so(clip: Callable[[str], Path]) -> None:
    path = clip("installer-truncated.mp4")
    plan = plan_cuts(path, sha256=content_sha256(path))
    assert plan.scan.break_reason is not None
    assert plan.scan.duration_s == pytest.approx(6.97, abs=0.05)


@pytest.mark.parametrize("lost_bytes", [1, 700, 5000])
def test_a_transport_stream_cut_short_anywhere_yields_what_came_before(tmp_path: Path, lost_bytes: int) -> None:
    source = make_video(tmp_path / "whole.ts", frame_count=60, options=B_FRAMES)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(source.read_bytes()[:-lost_bytes])
    segments = list(cut_file(broken, camera_id="gate", folder=tmp_path / "out"))
    numbers = [number for segment in segments for number in numbers_in(segment.path)]
    assert len(numbers) >= 40
    assert numbers == sorted(set(numbers))


def test_names_do_not_matter_and_cameras_do(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", frame_count=20)
    twin = tmp_path / "b.mp4"
    twin.write_bytes(source.read_bytes())
    ids = {
        (path.name, camera): [s.segment_id for s in cut_file(path, camera_id=camera, folder=tmp_path / "out")]
        for path in (source, twin)
        for camera in ("gate", "hall")
    }
    assert ids["a.mp4", "gate"] == ids["b.mp4", "gate"] != ids["a.mp4", "hall"]


def test_a_name_with_a_colon_is_a_file_and_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(tmp_path / "12:30.mp4", frame_count=20)
    monkeypatch.chdir(tmp_path)
    (segment,) = cut_file(Path("12:30.mp4"), camera_id="gate", folder=tmp_path / "out")
    assert segment.frame_count == 20


def test_as_if_live_and_fast_cuts_of_one_file_have_different_ids(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", frame_count=20)
    fast, live = (
        {s.segment_id for s in cut_file(source, camera_id="gate", folder=tmp_path / "out", cadence=cadence)}
        for cadence in (FAST, LIVE)
    )
    assert not fast & live


@pytest.mark.parametrize(("quarter_turns", "size_wh"), [(1, (108, 192)), (2, (192, 108)), (3, (108, 192))])
def test_pictures_filmed_on_their_side_are_turned_upright(
    tmp_path: Path, quarter_turns: int, size_wh: tuple[int, int]
) -> None:
    source = turned(make_video(tmp_path / "a.mp4", frame_count=12), quarter_turns)
    (segment,) = cut_file(source, camera_id="gate", folder=tmp_path / "out")
    assert (segment.width_px, segment.height_px) == size_wh
    expected = decord.VideoReader(str(source))[5].asnumpy().astype(int)  # decord turns by what the file says
    assert np.abs(decord.VideoReader(str(segment.path))[5].asnumpy() - expected).mean() < 2


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/hostname\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("this is no video\n" * 100),
        lambda path: path.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(2000)),
        make_frameless_video,
        _playlist,
    ],
    ids=["empty", "text", "no-index", "no-frames", "playlist"],
)
def test_what_is_no_video_is_refused_with_a_reason(tmp_path: Path, write: Callable[[Path], object]) -> None:
    path = tmp_path / "clip.mp4"
    write(path)
    with pytest.raises(VideoReadError) as refused:
        list(cut_file(path, camera_id="gate", folder=tmp_path / "out"))
    assert refused.value.path == path
    assert "\n" not in refused.value.reason
    assert not list((tmp_path / "out").glob("*"))


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1_000_000)
    assert content_sha256(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_full_range_video_keeps_its_black_and_white_when_it_is_encoded_anew(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.avi", frame_count=5, codec="mjpeg", pix_fmt="yuvj420p")
    (segment,) = cut_file(video, camera_id="gate", folder=tmp_path / "cut")
    assert not segment.is_copy
    before, after = (first_picture(path).astype(int) for path in (video, segment.path))
    assert before.min() > 8  # so that it shows when black or white is cut off
    np.testing.assert_allclose(after.reshape(-1, 3).min(0), before.reshape(-1, 3).min(0), atol=6)
    np.testing.assert_allclose(after.reshape(-1, 3).max(0), before.reshape(-1, 3).max(0), atol=6)


def first_picture(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")
