from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamer.live.cutter import GopCutter, PacketRun


@dataclass(frozen=True)
class Packet:
    pts: int
    is_keyframe: bool = False


def cut(packets: list[Packet], *, target: int = 20, longest: int = 50) -> tuple[list[PacketRun], PacketRun | None]:
    cutter = GopCutter(target_ticks=target, longest_gop_ticks=longest, frame_ticks=1)
    runs = [run for packet in packets if (run := cutter.add(packet)) is not None]
    return runs, cutter.finish()


def stream(length: int, keyframe_every: int) -> list[Packet]:
    return [Packet(pts, pts % keyframe_every == 0) for pts in range(length)]


def test_nothing_is_nothing() -> None:
    assert cut([]) == ([], None)
    assert cut([Packet(0), Packet(1)]) == ([], None)


def test_segments_begin_with_keyframes_about_the_target_apart() -> None:
    runs, rest = cut(stream(65, 10))
    assert [(run.start_pts, run.end_pts) for run in runs] == [(0, 20), (20, 40), (40, 60)]
    assert rest is not None
    assert (rest.start_pts, rest.end_pts) == (60, 65)


def test_a_keyframe_that_later_frames_are_shown_before_is_no_border() -> None:
    packets = [Packet(0, True), *map(Packet, range(1, 20)), Packet(22, True), Packet(20), Packet(21), Packet(23)]
    runs, rest = cut([*packets, Packet(24, True), Packet(25)])
    assert [(run.start_pts, run.end_pts) for run in runs] == [(0, 24)]
    assert rest is not None
    assert rest.start_pts == 24


def test_what_comes_before_the_first_keyframe_is_left_out() -> None:
    _, rest = cut([Packet(3), Packet(4), Packet(5, True), Packet(6)])
    assert rest is not None
    assert [packet.pts for packet in rest.packets] == [5, 6]


def test_rare_keyframes_are_noticed_as_soon_as_one_is_overdue() -> None:
    cutter = GopCutter(target_ticks=20, longest_gop_ticks=50, frame_ticks=1)
    noticed = []
    for packet in stream(60, 1000):
        cutter.add(packet)
        noticed.append(cutter.has_long_gop)
    assert noticed.index(True) == 51


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 8)), max_size=200))
def test_no_packet_is_lost_or_doubled_wherever_keyframes_are(steps: list[tuple[bool, int]]) -> None:
    packets, pts = [Packet(0, True)], 0
    for is_keyframe, length in steps:
        pts += length
        packets.append(Packet(pts, is_keyframe))
    runs, rest = cut(packets)
    assert rest is not None
    assert [packet for run in [*runs, rest] for packet in run.packets] == packets
    assert all(run.packets[0].is_keyframe for run in [*runs, rest])
    assert all(run.end_pts == after.start_pts for run, after in pairwise([*runs, rest]))
