"""The short form of the cameras' soak: what the streamer alone holds while it watches twenty of them."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.camera_report import CameraReport, CamerasReport, Connection
from streamer.bus.client import Bus
from tests.builders_cameras import ReportReader
from tests.builders_rtsp import rtsp_server, rtsp_server_or_skip
from tests.installation import Installation, until
from tests.soak_cameras import Held, Soaked, camera_streams, soak, verdict


def test_twenty_cameras_are_watched_and_nothing_grows(tmp_path: Path, demo_clip: Path) -> None:
    rtsp_server_or_skip()
    soaked = soak(camera_streams(tmp_path, [demo_clip]), cameras=20, duration_s=10, every_s=0.5)
    assert verdict(soaked) is None
    assert soaked.answered >= 20 * 4


def test_with_analysis_on_people_are_found_and_what_is_behind_is_thinned_and_told(
    tmp_path: Path, demo_clip: Path
) -> None:
    rtsp_server_or_skip()
    (stream,) = camera_streams(tmp_path, [demo_clip])
    behind = {"in_flight": 2, "thin_after_s": 1.0}  # no analysis of two seconds is done sooner on these machines
    home = Installation(tmp_path / "home", [], {"backlog": behind})
    with rtsp_server({"gate": stream}) as server:
        CameraFile(home.state / "cameras.yaml").put(CameraSpec(camera="gate", url=SecretStr(server.url("gate"))))
        with home.running("up"):
            until(lambda: len(home.manifests()) >= 4, 240, "four analysed segments")
            bus = Bus(home.broker_address, partitions=4)
            reports = ReportReader(bus)
            until(lambda: (c := reports.camera("gate")) and c.counts.analysed_segments >= 4, 60, "a report of them")
            newest = reports.camera("gate")
            reports.close()
            bus.close()
    assert newest is not None
    assert (newest.connection, newest.counts.gaps, newest.counts.skipped_segments) == (Connection.LIVE, 0, 0)
    assert newest.counts.thinned_segments >= 1
    manifests = sorted(home.manifests().values(), key=lambda manifest: str(manifest["started_at"]))
    assert {manifest["sampling_fps"] for manifest in manifests} >= {2.0}
    assert len({manifest["analysis_revision"] for manifest in manifests}) == 1
    assert any(manifest["people"] for manifest in manifests)
    assert all(after["previous_segment_id"] == before["segment_id"] for before, after in pairwise(manifests[:4]))


NOW = datetime(2026, 11, 27, tzinfo=UTC)
WELL = Soaked(
    [Held(at_s, 150_000_000, 49, 27, at_s / 5) for at_s in range(9)],
    CamerasReport(
        streamer_id="s",
        at=NOW,
        since=NOW,
        cameras=(CameraReport(camera_id="gate", url="rtsp://cam/1", connection=Connection.LIVE, since=NOW),),
    ),
    answered=40,
)
LAST = WELL.held[-1]
LOST = WELL.report.cameras[0].model_copy(update={"connection": Connection.LOST})


@pytest.mark.parametrize(
    ("soaked", "said"),
    [
        (replace(WELL, held=[*WELL.held, replace(LAST, resident_bytes=170_000_000)]), "grew from 150 MB to 170 MB"),
        (replace(WELL, held=[*WELL.held, replace(LAST, resident_bytes=2 * 10**9)]), "2000 MB resident"),
        (replace(WELL, held=[*WELL.held, replace(LAST, threads=28)]), "28 threads open, 27 at first"),
        (replace(WELL, held=[*WELL.held, replace(LAST, files=50)]), "50 files open, 49 at first"),
        (replace(WELL, report=WELL.report.model_copy(update={"cameras": (LOST,)})), "gate is lost"),
    ],
)
def test_the_verdict_of_the_soak_knows_what_is_wrong(soaked: Soaked, said: str) -> None:
    assert verdict(WELL) is None
    assert said in (verdict(soaked) or "")
