"""From the cameras file, the streamers' reports and the person table to what the API says of a camera. Pure."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from consumers.indexer.rows import CameraSegment
from consumers.web.cameras.hearing import Heard
from consumers.web.cameras.shapes import BacklogShape, GapShape, StreamShape, WatchedCameraShape
from consumers.web.cameras.states import stand
from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_report import CameraReport, CamerasReport


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of one camera."""

    camera_id: str
    spec: CameraSpec | None
    reported: tuple[CameraReport, Heard] | None
    newest: CamerasReport | None  # the last report of any streamer
    segment: CameraSegment | None  # the newest one that was indexed
    people: int


def shape_camera(known: Known, now: datetime) -> WatchedCameraShape:
    """What the API says of it."""
    spec, (report, heard) = known.spec, known.reported or (None, None)
    standing = stand(spec, report, heard.last if heard else known.newest, now)
    shown = spec.shown_url if spec else report.url if report else None
    segment_at = report.last_segment_at if report else None
    if segment_at is None and known.segment is not None:
        segment_at = known.segment.started_at
    return WatchedCameraShape(
        camera_id=known.camera_id,
        state=standing.state,
        level=standing.level,
        words=standing.words,
        to_do=standing.to_do,
        url=shown,
        username=(spec.username or None) if spec else None,
        has_password=spec is not None and spec.has_password,
        tls_verify=spec is None or spec.tls_verify,
        is_in_file=spec is not None,
        since=report.since if report else None,
        last_frame_at=report.last_frame_at if report else None,
        last_segment_at=segment_at,
        frame_url=frame_address(known.camera_id, segment_at) if segment_at and _has_frame(known) else None,
        stream=_stream(report, heard) if report and heard else None,
        backlog=_backlog(report) if report else None,
        last_gaps=tuple(
            GapShape(since=gap.since, until=gap.until, reason=gap.reason)
            for gap in (report.last_gaps if report else ())
        ),
        people=known.people,
    )


def _has_frame(known: Known) -> bool:
    """Whether a segment of it is known to be stored."""
    is_reported = known.reported is not None and known.reported[0].last_segment_uri is not None
    return is_reported or known.segment is not None


def frame_address(camera_id: str, segment_at: datetime) -> str:
    """Where the page serves a camera's newest frame; named after its segment, so that a browser may keep it.

    >>> frame_address("gate", datetime.fromisoformat("2026-03-01T12:00:00+00:00"))
    '/api/v1/cameras/gate/frame.jpg?of=1772366400000'
    """
    return f"/api/v1/cameras/{quote(camera_id, safe='')}/frame.jpg?of={int(segment_at.timestamp() * 1000)}"


def _stream(report: CameraReport, heard: Heard) -> StreamShape:
    return StreamShape(
        codec=report.codec,
        width_px=report.width_px,
        height_px=report.height_px,
        fps=report.fps,
        mbit_s=_mbit_s(report, heard),
        encoded_because=report.encoded_because,
        clock_off_s=report.clock_off_s,
    )


def _mbit_s(report: CameraReport, heard: Heard) -> float | None:
    """What came of it in the last minute, by the length of the footage: segments come in pieces of two seconds."""
    before = next((each for each in heard.earlier.cameras if each.camera_id == report.camera_id), None)
    if before is None:
        return None
    seconds = report.counts.segments_s - before.counts.segments_s
    size_bytes = report.counts.segments_bytes - before.counts.segments_bytes
    return round(size_bytes * 8e-6 / seconds, 3) if seconds > 0 else None


def _backlog(report: CameraReport) -> BacklogShape:
    counts = report.counts
    return BacklogShape(
        waiting_segments=report.waiting_segments,
        waiting_s=report.waiting_s,
        oldest_waiting_s=report.oldest_waiting_s,
        segments=counts.segments,
        analysed_segments=counts.analysed_segments,
        thinned_segments=counts.thinned_segments,
        skipped_segments=counts.skipped_segments,
        skipped_s=counts.skipped_s,
        gaps=counts.gaps,
        gaps_s=counts.gaps_s,
    )
