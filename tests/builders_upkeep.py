"""Reports of streamers as they would make them, for tests of the rooms in which cameras and the system are kept."""

from datetime import UTC, datetime, timedelta

from streamer.bus.camera_report import (
    CameraCounts,
    CameraReport,
    CamerasReport,
    Connection,
    GapSeen,
    Pressure,
)
from streamer.bus.client import Bus
from streamer.bus.messages import TimeOrigin
from streamer.bus.topics import CAMERAS


def a_camera(name: str, connection: Connection = Connection.LIVE, *, now: datetime, **more: object) -> CameraReport:
    """One camera that is well, but for what is said otherwise."""
    said = {
        "camera_id": name,
        "url": f"rtsp://10.0.0.7/{name}",
        "connection": connection,
        "since": now - timedelta(minutes=3),
        "last_frame_at": now,
        "last_segment_at": now - timedelta(seconds=3),
        "codec": "h264",
        "fps": 25.0,
        "width_px": 1280,
        "height_px": 720,
        "time_origin": TimeOrigin.CLOCK,
        "counts": CameraCounts(segments=90, segments_s=180.0, segments_bytes=45_000_000, analysed_segments=88),
    }
    return CameraReport.model_validate({**said, **more})


def a_report(*cameras: CameraReport, now: datetime, **more: object) -> CamerasReport:
    """All cameras of one streamer."""
    said = {"streamer_id": "s1", "at": now, "since": now - timedelta(hours=1), "cameras": cameras}
    return CamerasReport.model_validate({**said, **more})


def one_of_each(now: datetime | None = None) -> CamerasReport:
    """Cameras of which each is in another state, as an operator may meet them on a bad day."""
    now = now or datetime.now(UTC)
    gap = GapSeen(since=now - timedelta(minutes=9), until=now - timedelta(minutes=7), reason="it ended the stream")
    behind = {"waiting_segments": 31, "waiting_s": 62.0, "oldest_waiting_s": 64.0}
    skipped = CameraCounts(segments=400, segments_s=800, segments_bytes=10**8, skipped_segments=12, skipped_s=24.0)
    return a_report(
        a_camera("gate", now=now, last_gaps=(gap,)),
        a_camera("ramp", Connection.LOST, now=now, reason="nothing came for 10 s", last_gaps=(gap,)),
        a_camera("door", Connection.REFUSED, now=now, reason="user name or password is wrong", last_frame_at=None),
        a_camera("yard", now=now, pressure=Pressure.THINNED, codec="hevc", **behind),
        a_camera("hall", now=now, pressure=Pressure.SKIPPING, counts=skipped, **behind),
        a_camera("roof", now=now, last_frame_at=now - timedelta(seconds=8)),
        now=now,
    )


def tell(bus: Bus, report: CamerasReport) -> None:
    """Report, as a streamer does."""
    publisher = bus.publisher()
    publisher.publish(CAMERAS, report, partition=0)
    publisher.flush()
    publisher.close()
