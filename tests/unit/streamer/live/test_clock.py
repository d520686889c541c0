from datetime import UTC, datetime
from fractions import Fraction

import pytest

from streamer.bus.messages import TimeOrigin
from streamer.live.clock import WINDOW_S, LiveClock

TICKS = Fraction(1, 90_000)
NOW_S = 1_800_000_000.0


def seen_s(clock: LiveClock, at_s: float) -> float:
    seen_at, _ = clock.seen_at(round(at_s * 90_000))
    return seen_at.timestamp() - NOW_S


def note(clock: LiveClock, at_s: float, *, late_s: float = 0.0, camera_off_s: float | None = None) -> None:
    arrived_s = NOW_S + at_s + late_s
    camera_s = None if camera_off_s is None else NOW_S + at_s + camera_off_s
    clock.note(round(at_s * 90_000), arrived_s=arrived_s, camera_s=camera_s)


def test_the_frame_that_came_with_the_least_delay_tells_the_time_of_all() -> None:
    clock = LiveClock(TICKS, off_at_most_s=60)
    for at_s, late_s in ((0, 3.0), (1, 2.0), (2, 0.2), (3, 0.4)):
        note(clock, at_s, late_s=late_s)
    assert seen_s(clock, 0) == pytest.approx(0.2)
    assert clock.seen_at(0)[1] is TimeOrigin.CLOCK


def test_a_stream_whose_time_runs_slower_is_followed() -> None:
    clock = LiveClock(TICKS, off_at_most_s=60)
    for step in range(1000):
        note(clock, step, late_s=step * 0.001)  # a millisecond a second
    assert 1.0 - 0.002 * WINDOW_S - 0.01 <= seen_s(clock, 999) - 999 <= 1.0


def test_the_cameras_clock_wins_once_it_is_known_for_sure() -> None:
    clock = LiveClock(TICKS, off_at_most_s=60)
    note(clock, 0, late_s=0.5)
    note(clock, 1, late_s=0.5, camera_off_s=-0.05)
    assert not clock.knows_camera
    for at_s in (2, 3):
        note(clock, at_s, late_s=0.5, camera_off_s=0.05)
    assert clock.knows_camera
    assert seen_s(clock, 0) == pytest.approx(0.05)
    assert clock.seen_at(0) == (datetime.fromtimestamp(NOW_S + 0.05, UTC), TimeOrigin.RTCP)


@pytest.mark.parametrize("off_s", [-NOW_S, -3600.0, 61.0])
def test_a_clock_that_is_far_off_is_not_believed(off_s: float) -> None:
    clock = LiveClock(TICKS, off_at_most_s=60)
    for at_s in range(5):
        note(clock, at_s, camera_off_s=off_s)
    assert clock.off_s == pytest.approx(off_s)
    assert not clock.knows_camera
    assert seen_s(clock, 2) == pytest.approx(2.0)
