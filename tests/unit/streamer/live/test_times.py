from dataclasses import dataclass
from itertools import pairwise

from streamer.live.times import HELD_AT_MOST, PacketTimes

Times = list[tuple[int | None, int | None]]


@dataclass
class Packet:
    pts: int | None
    dts: int | None


def timed(times: Times) -> list[tuple[int | None, int | None]]:
    found = PacketTimes(frame_ticks=10, tremor_ticks=50)
    return [(packet.pts, packet.dts) for each in times for packet in found.add(Packet(*each))]


def test_a_first_packet_without_times_comes_a_frame_before_the_second() -> None:
    assert timed([(None, None), (10, 10), (20, 20)]) == [(0, 0), (10, 10), (20, 20)]


def test_frames_that_are_reordered_keep_their_order_from_the_first_on() -> None:
    came: Times = [(None, None), (30, None), (10, None), (20, 10), (60, 20), (40, 30)]
    assert timed(came) == [(0, -20), (30, -10), (10, 0), (20, 10), (60, 20), (40, 30)]


def test_times_that_are_all_there_stay_as_they_are() -> None:
    assert timed([(100, 80), (120, 90), (110, 100)]) == [(100, 80), (120, 90), (110, 100)]


def test_a_careless_cameras_times_are_made_to_grow() -> None:
    assert timed([(0, 0), (10, 10), (10, 10), (5, 5), (20, 20)]) == [(0, 0), (10, 10), (11, 11), (12, 12), (20, 20)]


def test_a_leap_back_is_left_for_those_who_look_for_leaps() -> None:
    assert timed([(1000, 1000), (10, 10)]) == [(1000, 1000), (10, 10)]


def test_packets_without_any_times_are_dated_after_some_patience() -> None:
    found = timed([(None, None)] * (HELD_AT_MOST + 2))
    assert len(found) == HELD_AT_MOST + 2
    dts = [each for _, each in found if each is not None]
    assert all(after > before for before, after in pairwise(dts))
    assert all(pts is not None and each is not None and pts >= each for pts, each in found)
