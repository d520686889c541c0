import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import decord
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.bus.messages import TimeOrigin
from streamer.demo import DURATION_S, FPS
from streamer.errors import VideoReadError, WorkFolderError
from streamer.segmenting import (
    FAST,
    LIVE,
    Cadence,
    CutSegment,
    content_sha256,
    cut,
    cut_file,
    hashing,
    plan_cuts,
    planning,
)
from tests.builders_video import make_frameless_video, make_video, number_of, numbers_in, remuxed, turned

B_FRAMES = {"preset": "ultrafast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=10:min-keyint=10"}
OPEN_GOPS = {"preset": "ultrafast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=10:min-keyint=10:open-gop=1"}
ONE_GOP = {"preset": "ultrafast", "x264-params": "scenecut=0:keyint=1000"}
IN_ORDER = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0"}
TS_PACKET = 188  # bytes

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


@pytest.mark.parametrize("pause_s", [16, 60])
@pytest.mark.parametrize("cadence", [FAST, LIVE])
def test_a_recorder_that_paused_for_long_loses_nothing(tmp_path: Path, pause_s: int, cadence: Cadence) -> None:
    times = [*range(200), *range(200 + 10 * pause_s, 400 + 10 * pause_s)]
    source = make_video(tmp_path / "a.mp4", frame_count=400, options=B_FRAMES, times=times)
    segments = list(cut_file(source, camera_id="gate", folder=tmp_path / "out", cadence=cadence))
    assert [number for segment in segments for number in numbers_in(segment.path)] == list(range(400))
    ready = [segment.ready("gate", datetime.now(UTC), TimeOrigin.FILE) for segment in segments]
    assert all(message.fps == pytest.approx(10, rel=0.01) for message in ready)
    after = next(segment for segment in segments if segment.start_s > 20)
    assert (after.start_s, numbers_in(after.path)[0]) == (pytest.approx(20 + pause_s), 200)


def test_a_time_that_repeats_loses_no_frame_and_moves_no_other(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mp4", frame_count=300, options=IN_ORDER)
    source = remuxed(whole, tmp_path / "a.mkv", ms_of=lambda ms: ms - 100 if ms == 14900 else ms)
    segments = list(cut_file(source, camera_id="gate", folder=tmp_path / "out"))
    assert [number for segment in segments for number in numbers_in(segment.path)] == list(range(300))
    assert [round(segment.start_s, 3) for segment in segments] == [0.0, 10.0, 20.0]
    assert [round(segment.duration_s, 3) for segment in segments] == [10.0, 10.0, 10.0]


def test_recordings_joined_by_copying_follow_one_another(tmp_path: Path) -> None:
    source = tmp_path / "joined.ts"
    for name, frame_count in (("a", 250), ("b", 130)):
        whole = make_video(tmp_path / f"{name}.mp4", frame_count=frame_count, options=B_FRAMES)
        part = remuxed(whole, tmp_path / f"{name}.ts", mpegts_flags="initial_discontinuity")
        with source.open("ab") as joined:
            joined.write(part.read_bytes())
    plan = plan_cuts(source, sha256=content_sha256(source))
    segments = list(cut(plan, camera_id="gate", folder=tmp_path / "out"))
    numbers = [number for segment in segments for number in numbers_in(segment.path)]
    assert numbers == [*range(250), *range(130)]
    assert [round(segment.start_s) for segment in segments] == [0, 10, 20, 30]
    _assert_they_follow_one_another(segments)
    rest = list(cut(plan, camera_id="gate", folder=tmp_path / "rest", from_index=2))
    assert [segment.path.read_bytes() for segment in rest] == [segment.path.read_bytes() for segment in segments[2:]]


def test_a_hole_in_a_transport_stream_costs_the_frames_in_it_alone(tmp_path: Path) -> None:
    content = make_video(tmp_path / "whole.ts", frame_count=400, options=B_FRAMES, keyframe_every=10).read_bytes()
    packets = [content[at : at + TS_PACKET] for at in range(0, len(content), TS_PACKET)]
    hole = next(at for at in range(len(packets) // 3, len(packets)) if _carries_on(packets[at]))
    source = tmp_path / "hole.ts"
    source.write_bytes(b"".join(packets[:hole] + packets[hole + 1 :]))
    plan = plan_cuts(source, sha256=content_sha256(source))
    assert plan.scan.break_reason is None
    segments = list(cut(plan, camera_id="gate", folder=tmp_path / "out"))
    numbers = [number for segment in segments for number in numbers_in(segment.path)]
    assert set(numbers[:100]) | set(numbers[-200:]) == {*range(100), *range(200, 400)}
    assert len(numbers) >= 390
    assert sum(segment.duration_s for segment in segments if not segment.is_copy) < 5
    assert all(len(decord.VideoReader(str(segment.path))) == segment.frame_count for segment in segments)


def _carries_on(packet: bytes) -> bool:
    """Whether a packet of a transport stream is of the first video stream, and in the middle of a frame."""
    return packet[1] & 0x40 == 0 and (packet[1] & 0x1F) << 8 | packet[2] == 0x100


def test_a_recording_that_begins_between_keyframes_shows_every_frame_at_its_own_time(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.ts", frame_count=300, options={"preset": "ultrafast"}, keyframe_every=40)
    source, content = tmp_path / "middle.ts", whole.read_bytes()
    source.write_bytes(content[len(content) // TS_PACKET // 6 * TS_PACKET :])
    segments = list(cut_file(source, camera_id="gate", folder=tmp_path / "out"))
    numbers = [number for segment in segments for number in numbers_in(segment.path)]
    assert numbers == list(range(numbers[0], 300))
    assert numbers[0] % 40 == 0
    for segment in segments:
        reader = decord.VideoReader(str(segment.path))
        assert [number_of(reader[at].asnumpy()) for at in range(len(reader))] == numbers_in(segment.path)


def test_a_file_that_is_another_by_the_time_it_is_cut_is_refused(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mp4", frame_count=60, options=IN_ORDER)
    source = remuxed(whole, tmp_path / "a.mkv")
    plan = plan_cuts(source, sha256=content_sha256(source))
    remuxed(whole, source, ms_of=lambda ms: ms - 100 if ms == 3900 else ms)
    with pytest.raises(VideoReadError, match="cutting broke off: invalid argument"):
        list(cut(plan, camera_id="gate", folder=tmp_path / "out"))


@pytest.mark.parametrize("options", [B_FRAMES, ONE_GOP], ids=["copied", "encoded"])
def test_a_full_disk_is_not_the_files_fault(tmp_path: Path, options: dict[str, str]) -> None:
    source = make_video(tmp_path / "a.mp4", frame_count=300, options=options, keyframe_every=1000)
    plan = plan_cuts(source, sha256=content_sha256(source))
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{plan.segment_id('gate', 1)}.mp4").symlink_to("/dev/full")
    with pytest.raises(WorkFolderError, match="no space left on device"):
        list(cut(plan, camera_id="gate", folder=out))
    with pytest.raises(WorkFolderError, match="not a directory"):
        list(cut(plan, camera_id="gate", folder=source / "out"))


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


def test_a_long_file_is_hashed_and_planned_in_many_steps(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", frame_count=1000, options=IN_ORDER)
    assert sum(1 for _ in planning(source, sha256="sha", cadence=FAST)) >= 10
    with source.open("ab") as file:
        file.truncate(20 << 20)
    assert sum(1 for _ in hashing(source)) >= 20


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
