"""Cameras while the media store, a real S3 server, is away: they are watched, and what they show waits on the disk."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from streamer.bus.broker import EmbeddedBroker
from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.camera_report import Pressure
from streamer.bus.cameras import open_database
from streamer.bus.client import Bus, Received
from streamer.bus.messages import SegmentReady
from streamer.bus.topics import SEGMENTS
from streamer.ledger import FILE_NAME
from streamer.live.ledger import LiveLedger
from tests.builders_bus import wait_until
from tests.builders_cameras import FPS, ReportReader, are_successive
from tests.builders_rtsp import RtspServer, numbered_frames, rtsp_server, rtsp_server_or_skip, write_stream
from tests.builders_s3 import S3Server
from tests.builders_video import make_video, numbers_in
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
LOOP = 10 * FPS
AWAY_S = 22.0
WITHIN_S = 120.0


@pytest.fixture(autouse=True)
def _server() -> None:
    rtsp_server_or_skip()


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[RtspServer]:
    path = write_stream(tmp_path / "h264", numbered_frames(LOOP), fps=FPS, keyframe_every=FPS)
    with rtsp_server({"gate": path}) as running:
        yield running


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with S3Server().running() as running:
        yield running


class Site:
    """A streamer as a process, with one camera, over S3; and everything that it ever published."""

    def __init__(
        self,
        folder: Path,
        broker: EmbeddedBroker,
        s3: S3Server,
        camera: RtspServer,
        *,
        quota_bytes: int = 10**9,
        sources: Sequence[dict[str, str]] = (),
    ) -> None:
        self.folder, self.state, self.s3 = folder, folder / "state", s3
        self.state.mkdir()
        self.log, self.config, self.port = folder / "log.txt", folder / "crewsight.yaml", free_port()
        live = {"segment_s": 1, "stall_s": 5, "connect_s": 10, "retry_at_most_s": 1}
        bus = {"bootstrap_servers": broker.address, "partitions": 3}
        backlog = {"in_flight": 1000, "thin_after_s": 600, "quota_bytes": quota_bytes}  # nobody analyses here
        common = {"state": {"folder": str(self.state)}, "bus": bus, "live": live, "backlog": backlog}
        settings = {**common, "metrics": {"port": self.port}, "sources": sources, "folders": {"rest_s": 0.2}}
        self.config.write_text(json.dumps(settings))  # JSON is YAML
        CameraFile(self.state / "cameras.yaml").put(CameraSpec(camera="gate", url=SecretStr(camera.url("gate"))))
        self.bus = Bus(broker.address, partitions=3)
        self.bus.ensure_topics()
        self.reports = ReportReader(self.bus)
        self._consumer = self.bus.consumer([SEGMENTS], "look")
        self._engine = open_database(self.state / FILE_NAME)
        self.ledger = LiveLedger(self._engine)
        self._told: list[SegmentReady] = []

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The streamer runs while the block does, and leaves in order unless the block killed it."""
        command = [sys.executable, "-m", "crewsight", "streamer", "--config", str(self.config)]
        with self.log.open("ab") as output:
            environment = {**self.s3.environment, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(15) == 0
        finally:
            process.kill()
            process.wait()

    def told(self, camera: str = "gate") -> list[SegmentReady]:
        """What was published of a camera so far, in order."""
        self._told += [each.message for each in self._consumer.poll(50) if isinstance(each, Received)]
        return [ready for ready in self._told if ready.camera_id == camera]

    def numbers(self, segments: list[SegmentReady]) -> list[int]:
        """The numbers on the frames, as the store has them."""
        found: list[int] = []
        for ready in segments:
            with self.s3.store().as_file(ready.uri) as path:
                found += numbers_in(path)
        return found

    def missing(self) -> dict[str, str]:
        """What the process says that it lacks."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/ready")
        missing: dict[str, str] = answer.json()["missing"]
        return missing

    def kept(self) -> set[str]:
        return {path.stem for path in (self.state / "spool").glob("*.mp4")}

    def close(self) -> None:
        self._consumer.close()
        self.reports.close()
        self.bus.close()
        self._engine.dispose()


def is_one_chain(segments: list[SegmentReady]) -> bool:
    return all(after.previous_segment_id == before.segment_id for before, after in pairwise(segments))


def test_a_store_that_answers_503_for_long_is_no_gap_and_every_frame_arrives_once(
    tmp_path: Path, broker: EmbeddedBroker, s3: S3Server, camera: RtspServer
) -> None:
    site = Site(tmp_path, broker, s3, camera)
    with site.running():
        wait_until(lambda: len(site.told()) >= 3, within_s=WITHIN_S)
        wait_until(lambda: not site.missing())
        s3.is_away, away_since_s = True, time.monotonic()
        wait_until(lambda: "the media store takes nothing" in site.missing().get("media", ""))
        wait_until(lambda: time.monotonic() - away_since_s > AWAY_S, within_s=2 * AWAY_S)
        told = len(site.told())
        assert len(site.kept()) >= AWAY_S - 4  # a segment a second, still coming
        s3.is_away = False
        wait_until(lambda: len(site.told()) >= told + AWAY_S + 3, within_s=WITHIN_S)
        wait_until(lambda: not site.missing())
        wait_until(lambda: (report := site.reports.newest()) is not None and report.store_fault is None)
        counts = site.reports.camera("gate")
    segments = site.told()
    assert counts is not None
    assert (counts.counts.gaps, counts.counts.skipped_segments, counts.counts.connects) == (0, 0, 1)
    assert any(report.store_fault for report in site.reports.all)
    assert max(report.cameras[0].unstored_segments for report in site.reports.all if report.cameras) >= AWAY_S - 4
    assert is_one_chain(segments)
    assert {ready.gap_before_s for ready in segments} == {None}
    assert set(Counter(ready.segment_id for ready in segments).values()) == {1}
    assert are_successive(site.numbers(segments), loop=LOOP)
    stored = [key.rsplit("/", 1)[-1].removesuffix(".mp4") for key in s3.listing() if key.startswith("media/gate")]
    assert Counter(stored) >= Counter(ready.segment_id for ready in segments)
    said = site.log.read_text()
    assert said.count("media store takes no footage, it waits on this disk") == 1
    assert said.count("media store takes footage again") == 1
    site.close()


def test_kill_9_while_the_store_is_away_loses_no_segment_and_the_camera_is_watched_again_before_it_is_back(
    tmp_path: Path, broker: EmbeddedBroker, s3: S3Server, camera: RtspServer
) -> None:
    footage = tmp_path / "footage"
    footage.mkdir()
    sources = [{"camera": "files", "folder": str(footage)}]
    site = Site(tmp_path, broker, s3, camera, sources=sources)
    make_video(footage / "a.mp4", frame_count=100)
    with site.running() as process:
        wait_until(lambda: len(site.told()) >= 3 and len(site.told("files")) >= 1, within_s=WITHIN_S)
        s3.is_away = True
        make_video(footage / "b.mp4", frame_count=90)
        wait_until(lambda: len(site.kept()) >= 6)
        process.kill()
        process.wait()
    kept = site.kept()
    before = {ready.segment_id for ready in site.told()}
    with site.running():
        wait_until(lambda: len(site.kept()) >= len(kept) + 4, within_s=WITHIN_S)  # S3 is still away
        s3.is_away = False
        wait_until(lambda: kept <= {ready.segment_id for ready in site.told()}, within_s=WITHIN_S)
        known = len(site.told())
        wait_until(lambda: len(site.told()) >= known + 3, within_s=WITHIN_S)
        wait_until(lambda: len({ready.segment_id for ready in site.told("files")}) == 2, within_s=WITHIN_S)
        newest = site.reports.camera("gate")
    assert newest is not None
    assert (newest.counts.gaps, newest.counts.skipped_segments) == (1, 0)
    count = Counter(ready.segment_id for ready in site.told())
    assert {count[segment_id] for segment_id in count if segment_id not in before} == {1}
    segments = list({ready.segment_id: ready for ready in site.told()}.values())
    assert [ready.started_at for ready in segments] == sorted(ready.started_at for ready in segments)
    breaks = [number for number, ready in enumerate(segments) if ready.previous_segment_id is None]
    assert [segments[number].gap_reason for number in breaks] == [None, "it was not watched"]
    for life in (segments[: breaks[1]], segments[breaks[1] :]):
        assert is_one_chain(life)
        assert are_successive(site.numbers(life), loop=LOOP)
    site.close()


def test_what_finds_no_room_while_the_store_is_away_is_skipped_oldest_first_counted_and_told(
    tmp_path: Path, broker: EmbeddedBroker, s3: S3Server, camera: RtspServer
) -> None:
    quota_bytes = 60_000
    site = Site(tmp_path, broker, s3, camera, quota_bytes=quota_bytes)
    s3.is_away = True  # from the start
    with site.running():
        wait_until(
            lambda: (found := site.reports.camera("gate")) is not None and found.counts.skipped_over_quota >= 3,
            within_s=WITHIN_S,
        )
        report = site.reports.camera("gate")
        assert report is not None
        assert any(each.pressure is Pressure.SKIPPING for told in site.reports.all for each in told.cameras)
        assert report.last_gaps[0].reason == "the media store was away"
        spool = sum(path.stat().st_size for path in (site.state / "spool").glob("*.mp4"))
        assert spool <= quota_bytes + report.waiting_bytes // max(1, report.waiting_segments) * 3
        s3.is_away = False
        wait_until(lambda: len(site.told()) >= 3, within_s=WITHIN_S)
        counts = site.reports.camera("gate")
    assert counts is not None
    # Nobody analyses here, so what was published fills the quota too, and skipping may go on.
    first, *breaks = [ready for ready in site.told() if ready.previous_segment_id is None]
    assert first == site.told()[0]
    assert {ready.gap_reason for ready in breaks} <= {"the media store was away", "analysis was behind"}
    assert (first.previous_segment_id, first.gap_reason) == (None, "the media store was away")
    assert first.gap_before_s is not None
    assert first.gap_before_s >= 3
    stored = [key for key in s3.listing() if key.startswith("media/gate")]
    assert len(stored) <= sum(site.ledger.states().values()) - counts.counts.skipped_segments
    site.close()
