import pytest

from streamer.bus.camera_report import Pressure
from streamer.live.backlog import CameraBacklog, Limits, over_quota_bytes, pressure_of, room_on_bus

LIMITS = Limits(in_flight=8, thin_after_s=30, skip_after_s=600, quota_bytes=1000)


@pytest.mark.parametrize(
    ("waiting", "in_flight", "oldest_s", "before", "step"),
    [
        (0, 0, 0, Pressure.NONE, Pressure.NONE),
        (0, 8, 5, Pressure.NONE, Pressure.NONE),
        (3, 5, 5, Pressure.NONE, Pressure.NONE),  # they are about to be published
        (1, 8, 5, Pressure.NONE, Pressure.WAITING),
        (1, 8, 31, Pressure.NONE, Pressure.THINNED),
        (0, 2, 31, Pressure.NONE, Pressure.THINNED),
        (1, 8, 20, Pressure.THINNED, Pressure.THINNED),  # there is no relief yet
        (1, 8, 14, Pressure.THINNED, Pressure.WAITING),
        (0, 0, 0, Pressure.THINNED, Pressure.NONE),
        (9, 8, 600, Pressure.THINNED, Pressure.SKIPPING),
        (0, 8, 600, Pressure.THINNED, Pressure.THINNED),  # nothing that can be skipped
        (9, 8, 400, Pressure.SKIPPING, Pressure.SKIPPING),
        (9, 8, 299, Pressure.SKIPPING, Pressure.THINNED),
    ],
)
def test_each_step_follows_from_what_waits(
    waiting: int, in_flight: int, oldest_s: float, before: Pressure, step: Pressure
) -> None:
    backlog = CameraBacklog(waiting=waiting, in_flight=in_flight, oldest_s=oldest_s)
    assert pressure_of(backlog, LIMITS, before) is step


def test_the_bus_holds_a_few_of_each_camera() -> None:
    assert room_on_bus(CameraBacklog(waiting=20, in_flight=5), LIMITS) == 3
    assert room_on_bus(CameraBacklog(waiting=20, in_flight=12), LIMITS) == 0


def test_the_quota_is_for_all_cameras_together() -> None:
    backlogs = {"gate": CameraBacklog(size_bytes=700), "yard": CameraBacklog(size_bytes=500)}
    assert over_quota_bytes(backlogs, LIMITS) == 200
    assert over_quota_bytes({}, LIMITS) == 0
