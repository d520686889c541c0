"""The streamer with cameras against a real broker: cameras come and go, analysis falls behind, secrets stay secret."""

import gc
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from streamer.bus.broker import EmbeddedBroker
from streamer.bus.camera_report import CameraReport, Connection, Pressure
from streamer.bus.cameras import open_database
from streamer.bus.client import Bus, Received
from streamer.bus.messages import SegmentAnalyzed, SegmentReady
from streamer.bus.topics import DEAD_LETTERS, PEOPLE, SEGMENTS
from streamer.ledger import FILE_NAME
from streamer.live.camera import LiveCamera
from streamer.live.ledger import LiveLedger
from streamer.settings import Backlog
from tests.builders_bus import wait_until
from tests.builders_cameras import FPS, LiveHousehold, ReportReader
from tests.builders_rtsp import RtspServer, numbered_frames, rtsp_server, rtsp_server_or_skip, write_stream
from tests.builders_video import make_video

ROOT = Path(__file__).parents[2]
NAMES = ("gate", "yard", "hall", "dock")
SECRET = "s3cr%40t-Pa55"  # as written in an address; the camera is told s3cr@t-Pa55


@pytest.fixture(autouse=True)
def _server() -> None:
    rtsp_server_or_skip()


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "h264"
    return write_stream(path, numbered_frames(10 * FPS), fps=FPS, keyframe_every=FPS)


@pytest.fixture
def server(stream: Path) -> Iterator[RtspServer]:
    with rtsp_server(dict.fromkeys(NAMES, stream)) as running:
        yield running


@pytest.fixture
def bus(broker: EmbeddedBroker) -> Iterator[Bus]:
    made = Bus(broker.address, partitions=3)
    yield made
    made.close()


@pytest.fixture
def reports(bus: Bus) -> Iterator[ReportReader]:
    bus.ensure_topics()
    reader = ReportReader(bus)
    yield reader
    reader.close()


def names_of(reports: ReportReader, connection: Connection) -> set[str]:
    report = reports.newest()
    return {camera.camera_id for camera in report.cameras if camera.connection is connection} if report else set()


def test_cameras_come_and_go_while_it_runs_and_leave_nothing_behind(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, reports: ReportReader
) -> None:
    household = LiveHousehold(tmp_path, broker.address)

    def held() -> list[str]:
        """Files of this household and connections to the server; of a database's files a pool may keep one more."""
        process, port = psutil.Process(), urlsplit(server.url("gate")).port
        files = [file.path for file in process.open_files() if FILE_NAME not in file.path]
        connections = [each for each in process.net_connections() if each.raddr and each.raddr.port == port]
        return [path for path in files if path.startswith(str(tmp_path))] + [str(each.raddr) for each in connections]

    def come_and_go(*names: str) -> None:
        for name in names:
            household.add(name, server.url(name))
        wait_until(lambda: all((camera := reports.camera(name)) and camera.counts.segments for name in names))
        assert held(), "the connections are seen while they last"
        for name in names:
            assert household.file.remove(name)
        wait_until(lambda: not (report := reports.newest()) or not report.cameras)
        wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("camera-")])

    with household.running():
        come_and_go("gate")
        come_and_go(*NAMES)
        come_and_go("yard")
        wait_until(lambda: not held())
        gc.collect()
        # Not isinstance, which asks every object that stands in for another what it is.
        wait_until(lambda: not [each for each in gc.get_objects() if type(each) is LiveCamera])
        assert not list((tmp_path / "watching").iterdir())


def test_a_camera_that_is_changed_is_watched_at_its_new_address(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, reports: ReportReader
) -> None:
    household = LiveHousehold(tmp_path, broker.address)
    household.add("gate", server.url("gate"))
    with household.running():
        wait_until(lambda: names_of(reports, Connection.LIVE) == {"gate"})
        household.add("gate", server.url("yard"))
        wait_until(lambda: (camera := reports.camera("gate")) is not None and camera.url == server.url("yard"))
        wait_until(lambda: (camera := reports.camera("gate")) is not None and len(camera.last_gaps) == 1)


def test_a_cameras_file_that_makes_no_sense_changes_nothing_and_is_said(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, reports: ReportReader
) -> None:
    household = LiveHousehold(tmp_path, broker.address)
    household.add("gate", server.url("gate"))
    with household.running():
        wait_until(lambda: names_of(reports, Connection.LIVE) == {"gate"})
        household.file.path.write_text("cameras: [{camera: gate, url: 'gopher://x:s3cret@y'}]")
        wait_until(lambda: (report := reports.newest()) is not None and report.fault is not None)
        newest = reports.newest()
        assert newest is not None
        assert "cameras.0.url" in (newest.fault or "")
        assert names_of(reports, Connection.LIVE) == {"gate"}
        household.file.path.unlink()
        wait_until(lambda: (report := reports.newest()) is not None and not report.cameras and report.fault is None)
    assert not any("s3cret" in report.model_dump_json() for report in reports.all)


class SlowAnalyzer:
    """Takes every segment off the topic, and answers when told to."""

    def __init__(self, bus: Bus) -> None:
        self._consumer, self._publisher = bus.consumer([SEGMENTS], "slow"), bus.publisher()
        self.seen: list[SegmentReady] = []
        self._answered = 0

    @property
    def thinned(self) -> list[SegmentReady]:
        return [ready for ready in self.seen if ready.sampling_fps_at_most is not None]

    def look(self, *, answer: bool) -> None:
        self.seen += [each.message for each in self._consumer.poll(50) if isinstance(each, Received)]
        for ready in self.seen[self._answered :] if answer else ():
            uri = f"media:///results/{ready.camera_id}/{ready.segment_id}.r1.json"
            analyzed = SegmentAnalyzed(
                segment_id=ready.segment_id,
                camera_id=ready.camera_id,
                analysis_revision="r1",
                manifest_uri=uri,
                person_count=0,
            )
            self._publisher.publish(PEOPLE, analyzed, partition=0)
            self._answered += 1
        self._publisher.flush()

    def close(self) -> None:
        self._publisher.close()
        self._consumer.close()


def test_behind_segments_wait_then_are_thinned_then_skipped_and_all_of_it_is_counted(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, bus: Bus, reports: ReportReader
) -> None:
    backlog = Backlog(in_flight=2, thin_after_s=4.0, thinned_fps=1.5, skip_after_s=8.0)
    household = LiveHousehold(tmp_path, broker.address, backlog=backlog)
    household.add("gate", server.url("gate"))
    analyzer = SlowAnalyzer(bus)

    def gate(*, answer: bool) -> CameraReport:
        analyzer.look(answer=answer)
        return reports.camera("gate") or CameraReport(
            camera_id="gate", url="", connection=Connection.CONNECTING, since="2026-01-01T00:00:00Z"
        )

    with household.running():
        wait_until(lambda: gate(answer=False).pressure is Pressure.SKIPPING)
        steps = list(dict.fromkeys(camera.pressure for report in reports.all for camera in report.cameras))
        assert steps == [Pressure.NONE, Pressure.WAITING, Pressure.THINNED, Pressure.SKIPPING]
        assert len(analyzer.seen) == 2  # the bus holds no more than it was given room for
        wait_until(lambda: gate(answer=False).counts.skipped_segments >= 3)
        wait_until(lambda: gate(answer=True).pressure is Pressure.NONE)
        wait_until(lambda: gate(answer=True) and analyzer.seen[-1].sampling_fps_at_most is None)
        wait_until(lambda: gate(answer=True).counts.thinned_segments == len(analyzer.thinned))
        counts = gate(answer=True).counts
    engine = open_database(tmp_path / FILE_NAME)
    ledger = LiveLedger(engine)
    # What was cut in the streamer's last moment.
    untold = [line.message for line in ledger.waiting("gate", 100)] + ledger.unstored(100)
    entered = sum(ledger.states().values())
    wait_until(lambda: gate(answer=True) and len(analyzer.seen) + len(untold) + counts.skipped_segments == entered)
    engine.dispose()
    analyzer.close()
    assert {ready.sampling_fps_at_most for ready in analyzer.thinned} == {1.5}
    assert analyzer.seen[0].sampling_fps_at_most is None
    after_skip = [ready for ready in analyzer.seen if ready.gap_reason == "analysis was behind"]
    assert after_skip
    assert sum(ready.gap_before_s or 0 for ready in after_skip) == pytest.approx(counts.skipped_s, abs=0.5)
    assert all(ready.previous_segment_id is None for ready in after_skip)
    folders = tmp_path / "media" / "media" / "gate", tmp_path / "spool"
    left = {path.stem for folder in folders for path in folder.rglob("*.mp4")}
    assert left == {ready.segment_id for ready in [*analyzer.seen, *untold]}  # what was skipped takes no room


def test_a_quota_of_disk_is_kept_whatever_waits(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, reports: ReportReader
) -> None:
    household = LiveHousehold(tmp_path, broker.address, backlog=Backlog(in_flight=1, quota_bytes=60_000))
    for name in NAMES:
        household.add(name, server.url(name))
    with household.running():
        wait_until(
            lambda: (
                (report := reports.newest()) is not None
                and sum(camera.counts.skipped_segments for camera in report.cameras) >= 6
            ),
            within_s=40,
        )
        waiting = [sum(camera.waiting_bytes for camera in report.cameras) for report in reports.all]
    assert max(waiting) <= 60_000
    assert any(camera.pressure is Pressure.SKIPPING for report in reports.all for camera in report.cameras)


def _settings_file(folder: Path, address: str, *, sources: Sequence[dict[str, str]] = ()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "crewsight.yaml"
    live = {"segment_s": 1, "stall_s": 2, "connect_s": 5, "retry_at_most_s": 1}
    settings = {
        "state": {"folder": str(folder / "state")},
        "bus": {"bootstrap_servers": address, "partitions": 3},
        "live": live,
        "sources": sources,
        "folders": {"rest_s": 0.2},
    }
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


def _start(config: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "crewsight", "streamer", "--config", str(config)]
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)


def test_no_secret_is_anywhere_but_in_the_cameras_file(
    tmp_path: Path, stream: Path, broker: EmbeddedBroker, bus: Bus, reports: ReportReader
) -> None:
    config, log = _settings_file(tmp_path, broker.address), tmp_path / "log.txt"
    household = LiveHousehold(tmp_path / "state", broker.address)
    with rtsp_server({"gate": stream}, user="viewer", password="s3cr@t-Pa55") as server:
        household.add("gate", server.url("gate", f"viewer:{SECRET}"))
        household.add("refused", server.url("gate", f"viewer:{SECRET}x"))
        household.add("nowhere", f"rtsp://viewer:{SECRET}@127.0.0.1:1/{'x' * 20}?token={SECRET}")
        household.add("page", f"http://viewer:{SECRET}@127.0.0.1:{server.port}/live?password={SECRET}")
        process = _start(config, log)
        try:
            wait_until(lambda: names_of(reports, Connection.LIVE) == {"gate"})
            wait_until(lambda: (camera := reports.camera("gate")) is not None and camera.counts.segments >= 2)
            wait_until(lambda: names_of(reports, Connection.REFUSED) == {"refused"})
            wait_until(lambda: (camera := reports.camera("nowhere")) is not None and camera.counts.failures >= 2)
            wait_until(lambda: (camera := reports.camera("page")) is not None and camera.counts.failures >= 1)
            household.file.path.write_text(f"cameras: [{{camera: '{SECRET}', url: 'rtsp://u:{SECRET}@h/1'}}]")
            wait_until(lambda: (report := reports.newest()) is not None and report.fault is not None)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != household.file.path]
    said = log.read_text()
    assert said.count("it refuses the user name or the password (401)") == 1
    consumer = bus.consumer([SEGMENTS, DEAD_LETTERS], "look")
    originals: list[bytes] = []
    wait_until(lambda: len(originals.__iadd__([each.original for each in consumer.poll(100)])) >= 2)
    consumer.close()
    told = "".join(report.model_dump_json() for report in reports.all)
    for form in ("s3cr@t", "s3cr%40t", "Pa55"):
        assert form not in said
        assert form not in told
        assert not any(form.encode() in original for original in originals)
        assert not [path for path in written if form.encode() in path.read_bytes()]


def test_a_media_store_that_takes_nothing_stops_no_camera_whatever_waits_beside_it(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, bus: Bus, reports: ReportReader
) -> None:
    footage, refuses = tmp_path / "footage", tmp_path / "state" / "media"
    for folder in (footage, refuses.parent):
        folder.mkdir()
    refuses.write_text("no folder")  # from the start
    make_video(footage / "a.mp4", frame_count=30)
    sources = [{"camera": "files", "folder": str(footage)}]
    config, log = _settings_file(tmp_path, broker.address, sources=sources), tmp_path / "log.txt"
    LiveHousehold(tmp_path / "state", broker.address).add("gate", server.url("gate"))
    consumer = bus.consumer([SEGMENTS], "look")
    seen: list[str] = []

    def told_of() -> set[str]:
        seen.extend(each.message.camera_id for each in consumer.poll(100) if isinstance(each, Received))
        return set(seen)

    process = _start(config, log)
    try:
        wait_until(lambda: "media store takes nothing, files wait for it" in log.read_text())
        wait_until(lambda: (camera := reports.camera("gate")) is not None and camera.unstored_segments >= 3)
        assert not told_of()
        refuses.unlink()
        wait_until(lambda: told_of() == {"gate", "files"})
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    consumer.close()
    assert "media store takes nothing, cameras are watched meanwhile" in log.read_text()


def test_kill_9_is_a_gap_and_loses_no_segment(
    tmp_path: Path, server: RtspServer, broker: EmbeddedBroker, bus: Bus, reports: ReportReader
) -> None:
    config, log = _settings_file(tmp_path, broker.address), tmp_path / "log.txt"
    LiveHousehold(tmp_path / "state", broker.address).add("gate", server.url("gate"))
    consumer = bus.consumer([SEGMENTS], "look")
    seen: dict[str, SegmentReady] = {}

    def count() -> int:
        seen.update(
            (each.message.segment_id, each.message) for each in consumer.poll(100) if isinstance(each, Received)
        )
        return len(seen)

    process = _start(config, log)
    try:
        wait_until(lambda: count() >= 2)
        process.kill()
        process.wait()
        before = count()
        process = _start(config, log)
        wait_until(lambda: count() >= before + 3)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    consumer.close()
    segments = sorted(seen.values(), key=lambda ready: ready.started_at)
    assert [ready.gap_reason for ready in segments if ready.previous_segment_id is None] == [None, "it was not watched"]
    media = {path.stem for path in (tmp_path / "state" / "media" / "media").rglob("*.mp4")}
    assert media >= set(seen)
    assert not list((tmp_path / "state" / "watching").iterdir())
