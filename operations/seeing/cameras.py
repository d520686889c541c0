"""The streamer's report of its cameras as metrics. A camera that is removed is gone from them at the next report."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.bus.camera_report import CameraReport, CamerasReport, Connection, Pressure

STEPS = tuple(Pressure)


class CameraMeters(Collector):
    """Tells what the latest report says; `show` may be called from any thread."""

    def __init__(self) -> None:
        """Know no camera yet."""
        self._report: CamerasReport | None = None

    def show(self, report: CamerasReport) -> None:
        """Take the place of the report before."""
        self._report = report

    def describe(self) -> Iterable[Metric]:
        """The names."""
        return _metrics(())

    def collect(self) -> Iterable[Metric]:
        """The values of the latest report."""
        report = self._report
        return _metrics(report.cameras if report is not None else ())


def _metrics(cameras: Iterable[CameraReport]) -> list[Metric]:
    def gauge(name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"crewsight_camera_{name}", text, labels=["camera"])

    def counter(name: str, text: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"crewsight_camera_{name}", text, labels=["camera"])

    up = gauge("up", "1 while the camera's pictures come, else 0.")
    refused = gauge("refused", "1 while the camera says no: user name, password or path are wrong.")
    pressure = gauge("pressure_step", "0 analysis keeps up, 1 segments wait, 2 fewer frames, 3 the oldest are skipped.")
    waiting = gauge("backlog_segments", "Segments not analysed yet, those on the bus included.")
    waiting_bytes = gauge("backlog_bytes", "Bytes of these.")
    unstored = gauge("unstored_segments", "Of these, segments that the media store does not have yet.")
    age = gauge("backlog_age_seconds", "How long the oldest of them has waited.")
    segments = counter("segments", "Segments cut.")
    footage = counter("footage_seconds", "Seconds of footage in them.")
    size = counter("footage_bytes", "Bytes of them.")
    connects = counter("connects", "Connections that showed pictures.")
    failures = counter("failures", "Tries that failed, and connections that were lost.")
    gaps = counter("gaps", "Stretches of time that nobody has.")
    gaps_s = counter("gap_seconds", "Seconds in them.")
    thinned = counter("thinned_segments", "Segments of which fewer frames are looked at.")
    skipped = CounterMetricFamily(
        "crewsight_camera_skipped_segments", "Segments given up unseen.", labels=["camera", "reason"]
    )
    skipped_s = counter("skipped_seconds", "Seconds of footage in them.")
    for camera in cameras:
        name, counts = [camera.camera_id], camera.counts
        up.add_metric(name, float(camera.connection is Connection.LIVE))
        refused.add_metric(name, float(camera.connection is Connection.REFUSED))
        pressure.add_metric(name, float(STEPS.index(camera.pressure)))
        waiting.add_metric(name, camera.waiting_segments)
        waiting_bytes.add_metric(name, camera.waiting_bytes)
        unstored.add_metric(name, camera.unstored_segments)
        age.add_metric(name, camera.oldest_waiting_s)
        segments.add_metric(name, counts.segments)
        footage.add_metric(name, counts.segments_s)
        size.add_metric(name, counts.segments_bytes)
        connects.add_metric(name, counts.connects)
        failures.add_metric(name, counts.failures)
        gaps.add_metric(name, counts.gaps)
        gaps_s.add_metric(name, counts.gaps_s)
        thinned.add_metric(name, counts.thinned_segments)
        skipped_s.add_metric(name, counts.skipped_s)
        over_quota = counts.skipped_over_quota
        skipped.add_metric([*name, "too old"], counts.skipped_segments - over_quota)
        skipped.add_metric([*name, "over quota"], over_quota)
    return [
        up, refused, pressure, waiting, waiting_bytes, unstored, age, segments, footage, size, connects, failures, gaps,
        gaps_s, thinned, skipped, skipped_s,
    ]  # fmt: skip
