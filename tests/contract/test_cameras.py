"""Cameras against real servers on the loopback: what they send, and every way in which they stop sending it."""

import functools
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from pydantic import SecretStr

from consumers.analyzer.decode import sample_frames
from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_report import Connection
from streamer.bus.errors import MediaStoreError
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.bus.settings import Live
from tests.builders_bus import wait_until
from tests.builders_cameras import FPS, QUICK, are_successive, watched
from tests.builders_rtsp import numbered_frames, rtsp_server, rtsp_server_or_skip, write_stream
from tests.builders_video import make_video

LOOP = 10 * FPS


@pytest.fixture(autouse=True)
def _server() -> None:
    rtsp_server_or_skip()


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten seconds of numbered frames in each codec, a keyframe a second."""
    folder = tmp_path_factory.mktemp("streams")
    for codec in ("h264", "h265"):
        write_stream(folder / codec, numbered_frames(LOOP), fps=FPS, keyframe_every=FPS, codec=codec)
    return folder


def codec_of(path: Path) -> str:
    with av.open(str(path)) as container:
        return str(container.streams.video[0].codec_context.name)


def is_one_chain(segments: list[SegmentReady]) -> bool:
    return all(after.previous_segment_id == before.segment_id for before, after in pairwise(segments))


@pytest.mark.parametrize(("codec", "name"), [("h264", "h264"), ("h265", "hevc")])
def test_a_stream_is_copied_into_chained_segments_without_losing_a_frame(
    tmp_path: Path, streams: Path, codec: str, name: str
) -> None:
    with (
        rtsp_server({"gate": streams / codec}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera,
    ):
        camera.wait_for(4)
        segments = camera.wait_for(5)  # what was unfinished when it was stopped is a segment too
    assert are_successive(camera.numbers(segments), loop=LOOP)
    assert is_one_chain(segments)
    assert segments[0].previous_segment_id is None
    assert {codec_of(camera.path(segment)) for segment in segments} == {name}
    assert all(0.9 <= segment.duration_s <= 1.1 for segment in segments[:-1])
    assert all(abs(segment.fps - FPS) < 0.5 for segment in segments[:-1])
    assert {(segment.width_px, segment.height_px) for segment in segments} == {(192, 108)}
    assert {segment.gap_before_s for segment in segments} == {None}
    assert not (tmp_path / "work").exists()
    assert len(sample_frames(camera.path(segments[1]), target_fps=5).frames) == 5  # as the analyzer reads it


def test_frames_that_need_later_ones_are_copied_in_their_order(tmp_path: Path) -> None:
    write_stream(tmp_path / "b", numbered_frames(LOOP), fps=FPS, keyframe_every=FPS, b_frames=2)
    with rtsp_server({"gate": tmp_path / "b"}) as server:
        with watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera:
            camera.wait_for(3)
        segments = camera.wait_for(3)
    numbers = camera.numbers(segments[:3])
    assert are_successive(numbers, loop=LOOP)
    assert numbers[0] == 0
    assert is_one_chain(segments)


def around_the_leap(
    folder: Path, never: range, *, keyframe_every: int, **live: float
) -> tuple[SegmentReady, list[int], list[int]]:
    """Of a stream without some frames: the segment behind the gap, the frames before it, and that segment's own."""
    write_stream(folder / "holes", numbered_frames(LOOP), fps=FPS, keyframe_every=keyframe_every, missing=never)
    patient = QUICK.model_copy(update={"stall_s": 8.0, **live})
    with (
        rtsp_server({"gate": folder / "holes"}) as server,
        watched(folder, CameraSpec(camera="gate", url=server.url("gate")), patient) as camera,
    ):
        wait_until(lambda: any(segment.gap_reason for segment in camera.wait_for(1)))
        segments = list(camera.wait_for(len(camera.segments) + 1))
        assert camera.camera.state.connects == 1
    (position,) = [index for index, segment in enumerate(segments) if segment.gap_reason]
    assert segments[position].gap_reason == "its stream time leapt"
    behind = segments[position]
    return behind, camera.numbers(segments[:position]), camera.numbers([behind])


def test_frames_that_the_camera_never_sent_are_a_gap(tmp_path: Path) -> None:
    behind, before, own = around_the_leap(tmp_path, range(3 * FPS + 5, 6 * FPS - 5), keyframe_every=FPS)
    assert behind.gap_before_s == pytest.approx(3 * FPS / FPS - 5 / FPS, abs=0.1)
    assert before == list(range(3 * FPS + 5))
    assert own[0] == 6 * FPS


def test_frames_that_the_camera_never_sent_are_a_gap_of_a_stream_that_is_encoded_anew_too(tmp_path: Path) -> None:
    _, before, own = around_the_leap(tmp_path, range(4 * FPS, 6 * FPS), keyframe_every=2 * FPS, longest_gop_s=1.5)
    assert before == list(range(4 * FPS))
    assert own[0] == 6 * FPS


def test_a_frame_has_come_before_the_segment_is_whole_that_it_is_in(tmp_path: Path, streams: Path) -> None:
    long = QUICK.model_copy(update={"segment_s": 60.0})
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate")), long) as camera,
    ):
        began = datetime.now(UTC)
        wait_until(lambda: (camera.camera.state.last_frame_at or began) > began + timedelta(seconds=2))
        assert camera.wait_for(0) == []


def test_times_are_the_cameras_own_and_follow_one_another(tmp_path: Path, streams: Path) -> None:
    with rtsp_server({"gate": streams / "h264"}) as server:
        began = datetime.now(UTC)
        with watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera:
            segments = list(camera.wait_for(3))
    assert {segment.time_origin for segment in segments} == {TimeOrigin.RTCP}
    assert -1 < (segments[0].started_at - began).total_seconds() < 5
    for before, after in pairwise(segments):
        ended_at = before.started_at + timedelta(seconds=before.duration_s)
        assert abs((after.started_at - ended_at).total_seconds()) < 0.05


def test_a_clock_that_is_far_off_is_not_believed_and_that_is_said(
    tmp_path: Path, streams: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strict = QUICK.model_copy(update={"clock_off_at_most_s": 1e-6})
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate")), strict) as camera,
    ):
        segments = list(camera.wait_for(2))
        assert camera.camera.state.clock_off_s is not None
    assert {segment.time_origin for segment in segments} == {TimeOrigin.CLOCK}
    assert [record.message for record in caplog.records].count("camera's clock is not believed, set it by NTP") == 1


def test_rare_keyframes_are_encoded_anew_without_losing_a_frame_and_said_once(
    tmp_path: Path, streams: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_stream(tmp_path / "rare", numbered_frames(LOOP), fps=FPS, keyframe_every=4 * FPS)
    live = QUICK.model_copy(update={"longest_gop_s": 1.5})
    with (
        rtsp_server({"gate": tmp_path / "rare"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate")), live) as camera,
    ):
        segments = list(camera.wait_for(6))
        assert camera.camera.state.encoded_because == "its keyframes are more than 1.5 s apart"
    assert are_successive(camera.numbers(segments), loop=LOOP)
    assert is_one_chain(segments)
    assert all(0.9 <= segment.duration_s <= 1.1 for segment in segments[:-1])
    said = "camera's stream is encoded anew, which costs much"
    assert [record.message for record in caplog.records].count(said) == 1


def test_a_server_that_is_killed_and_started_again_is_a_gap_and_nothing_links_across_it(
    tmp_path: Path, streams: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera,
    ):
        camera.wait_for(2)
        server.kill()
        wait_until(lambda: camera.camera.state.connection is Connection.LOST)
        wait_until(lambda: camera.camera.state.failures >= 3)
        server.start()
        before = len(camera.wait_for(2))
        segments = list(camera.wait_for(before + 3))
    (position,) = [index for index, since in enumerate(camera.gaps) if since is not None]
    first, last = segments[position], segments[position - 1]
    ended_at = last.started_at + timedelta(seconds=last.duration_s)
    assert first.previous_segment_id is None
    assert first.gap_before_s == pytest.approx((first.started_at - ended_at).total_seconds())
    assert first.gap_before_s > 0
    assert first.gap_reason
    assert is_one_chain(segments[:position])
    assert is_one_chain(segments[position:])
    lost = [record for record in caplog.records if record.message == "camera gives no pictures, trying again"]
    reasons = [vars(record)["reason"] for record in lost]
    assert len(reasons) == len(set(reasons))  # each reason once, however often it was tried


def test_a_network_that_pauses_longer_than_the_patience_is_a_stall_and_heals_by_itself(
    tmp_path: Path, streams: Path
) -> None:
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera,
    ):
        camera.wait_for(2)
        server.hold()
        wait_until(lambda: camera.camera.state.connection is Connection.LOST)
        assert camera.camera.state.reason == "nothing came for 2 s"
        server.go_on()
        wait_until(lambda: camera.camera.state.connection is Connection.LIVE)
        before = len(camera.wait_for(2))
        segments = camera.wait_for(before + 2)
    assert [segment.gap_reason for segment in segments if segment.gap_reason] == ["nothing came for 2 s"]


def test_a_network_that_pauses_for_a_moment_loses_nothing(tmp_path: Path, streams: Path) -> None:
    patient = QUICK.model_copy(update={"stall_s": 8.0})
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate")), patient) as camera,
    ):
        before = len(camera.wait_for(2))
        server.hold()
        threading.Event().wait(1.5)
        server.go_on()
        segments = list(camera.wait_for(before + 3))
    assert are_successive(camera.numbers(segments), loop=LOOP)
    assert is_one_chain(segments)


def test_a_codec_that_changes_on_the_way_is_followed(tmp_path: Path, streams: Path) -> None:
    write_stream(tmp_path / "first", numbered_frames(LOOP), fps=FPS, keyframe_every=FPS)
    write_stream(tmp_path / "second", numbered_frames(LOOP), fps=FPS, keyframe_every=FPS, codec="h265")
    with (
        rtsp_server({"gate": tmp_path / "first"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera,
    ):
        camera.wait_for(2)
        server.kill()
        server.serve({"gate": tmp_path / "second"})
        server.start()
        wait_until(lambda: camera.camera.state.codec == "hevc")
        before = len(camera.wait_for(2))
        segments = camera.wait_for(before + 2)
    assert codec_of(camera.path(segments[0])) == "h264"
    assert codec_of(camera.path(segments[-1])) == "hevc"
    assert [segment.previous_segment_id for segment in segments].count(None) == 2


def test_a_picture_that_changes_its_size_on_the_way_begins_anew(tmp_path: Path) -> None:
    write_stream(tmp_path / "narrow", numbered_frames(3 * FPS), fps=FPS, keyframe_every=FPS)
    write_stream(tmp_path / "wide", numbered_frames(9 * FPS, size_wh=(256, 144)), fps=FPS, keyframe_every=FPS)
    with (tmp_path / "narrow").open("ab") as stream:
        stream.write((tmp_path / "wide").read_bytes())
    with (
        rtsp_server({"gate": tmp_path / "narrow"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera,
    ):
        wait_until(lambda: "the form of its picture changed" in {s.gap_reason for s in camera.wait_for(1)})
    for segment in camera.segments:
        with av.open(str(camera.path(segment))) as container:
            sizes = {(frame.width, frame.height) for frame in container.decode(video=0)}
        assert sizes == {(segment.width_px, segment.height_px)}


def test_a_wrong_password_is_one_clear_line_and_is_not_tried_often(
    tmp_path: Path, streams: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    slow = QUICK.model_copy(update={"retry_at_most_s": 60.0})
    with rtsp_server({"gate": streams / "h264"}, user="viewer", password="right") as server:
        spec = CameraSpec(camera="gate", url=server.url("gate"), username="viewer", password=SecretStr("wr0ng-s3cret"))
        with watched(tmp_path, spec, slow) as camera:
            wait_until(lambda: camera.camera.state.connection is Connection.REFUSED)
            threading.Event().wait(2)
            assert camera.camera.state.failures == 1
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [vars(record)["reason"] for record in warnings] == ["it refuses the user name or the password (401)"]
    assert not any("s3cret" in str(vars(record)) for record in caplog.records)


def test_a_password_that_is_put_right_in_its_file_lets_the_camera_in(tmp_path: Path, streams: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    with rtsp_server({"gate": streams / "h264"}, user="viewer", password="p@ss:w/ord?") as server:
        spec = CameraSpec(camera="gate", url=server.url("gate"), username="viewer", password_file=secret)
        with watched(tmp_path, spec) as camera:
            wait_until(lambda: camera.camera.state.connection is Connection.REFUSED)
            secret.write_text("p@ss:w/ord?\n")
            camera.wait_for(1)


def test_an_address_without_a_stream_is_said(tmp_path: Path, streams: Path) -> None:
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("elsewhere"))) as camera,
    ):
        wait_until(lambda: camera.camera.state.connection is Connection.REFUSED)
        assert camera.camera.state.reason == "it has no such stream (404)"


def test_footage_that_ended_before_the_start_is_a_gap(tmp_path: Path, streams: Path) -> None:
    last_end = datetime.now(UTC) - timedelta(hours=1)
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate")), last_end=last_end) as camera,
    ):
        (first, *_) = camera.wait_for(1)
    assert (camera.gaps[0], first.gap_reason) == (last_end, "it was not watched")
    assert first.gap_before_s == pytest.approx(3600, abs=10)


@pytest.mark.parametrize("blocked", ["spool", "work"])
def test_a_disk_that_takes_nothing_ends_the_watch_with_one_clear_error(
    tmp_path: Path, streams: Path, blocked: str
) -> None:
    (tmp_path / blocked).write_text("a file where a folder is wanted")
    with (
        rtsp_server({"gate": streams / "h264"}) as server,
        watched(tmp_path, CameraSpec(camera="gate", url=server.url("gate"))) as camera,
    ):
        with pytest.raises(MediaStoreError) as failed:
            camera.wait_for(1)
        wait_until(lambda: not camera.camera.is_alive)
    assert "\n" not in str(failed.value)
    assert blocked in str(failed.value)


@pytest.fixture
def web_folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served over HTTP, and its address."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_hls_is_watched_like_a_camera(tmp_path: Path, web_folder: tuple[Path, str]) -> None:
    folder, address = web_folder
    options = {"preset": "ultrafast", "x264-params": "scenecut=0:bframes=0"}
    make_video(folder / "live.m3u8", frame_count=6 * FPS, fps=FPS, keyframe_every=FPS, container="hls", options=options)
    with watched(tmp_path, CameraSpec(camera="gate", url=f"{address}/live.m3u8")) as camera:
        segments = camera.wait_for(6)[:6]
    assert camera.numbers(segments) == list(range(6 * FPS))
    assert {segment.time_origin for segment in segments} == {TimeOrigin.CLOCK}


def test_a_playlist_cannot_name_files_of_this_machine(tmp_path: Path, web_folder: tuple[Path, str]) -> None:
    folder, address = web_folder
    secret = make_video(tmp_path / "secret.ts", frame_count=FPS, fps=FPS, container="mpegts")
    (folder / "live.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with watched(tmp_path, CameraSpec(camera="gate", url=f"{address}/live.m3u8"), Live(connect_s=3)) as camera:
        wait_until(lambda: camera.camera.state.failures >= 1)
        assert camera.camera.state.connects == 0
