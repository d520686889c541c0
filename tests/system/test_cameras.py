"""The short form of the cameras' soak: what the streamer alone holds while it watches twenty of them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamer.bus.camera_report import CameraReport, CamerasReport, Connection
from tests.builders_rtsp import rtsp_server_or_skip
from tests.soak_cameras import Held, Soaked, camera_streams, soak, verdict


def test_twenty_cameras_are_watched_and_nothing_grows(tmp_path: Path, demo_clip: Path) -> None:
    rtsp_server_or_skip()
    soaked = soak(camera_streams(tmp_path, [demo_clip]), cameras=20, duration_s=15, every_s=1)
    assert verdict(soaked) is None
    assert soaked.answered >= 20 * 5


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
