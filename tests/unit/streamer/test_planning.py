import itertools
from fractions import Fraction
from pathlib import Path

import pytest

from streamer.planning import FAST, LIVE, Piece, plan_pieces
from streamer.scanning import Gop, Scan


def scan_of(
    *gop_lengths_s: float,
    must_encode: str | None = None,
    unclean: tuple[int, ...] = (),
    damaged: tuple[int, ...] = (),
) -> Scan:
    """A file at 10 fps with GOPs of these lengths; ticks are milliseconds."""
    gops, start = [], 0
    for index, length_s in enumerate(gop_lengths_s):
        length = round(length_s * 1000)
        last_pts = start + length - 100
        gops.append(Gop(start, length // 100, last_pts, is_clean=index not in unclean, is_damaged=index in damaged))
        start += length
    return Scan(Path("x.mp4"), tuple(gops), Fraction(1, 1000), 100, 640, 360, must_encode, None, None)


def lengths_s(pieces: tuple[Piece, ...]) -> list[float]:
    return [(piece.end_pts - piece.start_pts) / 1000 for piece in pieces]


@pytest.mark.parametrize(
    ("gops_s", "expected_s"),
    [
        ([1.0], [1.0]),
        ([15.0], [15.0]),
        ([1.0] * 15, [15.0]),
        ([1.0] * 16, [10.0, 6.0]),
        ([1.0] * 36, [10.0, 10.0, 10.0, 6.0]),
        ([4.0] * 6, [8.0, 8.0, 8.0]),
        ([3.0] * 7, [9.0, 12.0]),
        ([12.0, 12.0, 12.0], [12.0, 12.0, 12.0]),
    ],
)
def test_copied_pieces_are_about_ten_seconds_and_end_at_keyframes(gops_s: list[float], expected_s: list[float]) -> None:
    pieces = plan_pieces(scan_of(*gops_s), FAST)
    assert lengths_s(pieces) == expected_s
    assert all(piece.packet_count is not None for piece in pieces)


def test_only_the_stretch_whose_keyframes_lie_too_far_apart_is_encoded() -> None:
    pieces = plan_pieces(scan_of(*[5.0] * 4, 40.0, *[5.0] * 2), FAST)
    assert lengths_s(pieces) == [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]
    assert [piece.packet_count is None for piece in pieces] == [False, False, True, True, True, True, False]


def test_a_gop_that_shows_earlier_frames_is_no_border() -> None:
    pieces = plan_pieces(scan_of(*[2.0] * 10, unclean=(5,)), FAST)
    assert lengths_s(pieces) == [8.0, 12.0]


def test_a_file_that_begins_between_keyframes_is_encoded_up_to_the_first_clean_one() -> None:
    pieces = plan_pieces(scan_of(3.0, *[5.0] * 4, unclean=(0, 1)), FAST)
    assert [(piece.end_pts, piece.packet_count) for piece in pieces] == [(8000, None), (23000, 150)]


def test_only_the_stretch_with_a_hole_in_it_is_encoded() -> None:
    pieces = plan_pieces(scan_of(*[5.0] * 6, unclean=(3,), damaged=(3,)), FAST)
    assert [(piece.end_pts, piece.packet_count) for piece in pieces] == [(10000, 100), (20000, None), (30000, 100)]


def test_as_if_live_every_two_seconds_is_a_segment() -> None:
    assert lengths_s(plan_pieces(scan_of(9.0), LIVE)) == [2.0, 2.0, 2.0, 2.0, 1.0]
    assert lengths_s(plan_pieces(scan_of(*[1.0] * 7), LIVE)) == [2.0, 2.0, 3.0]


@pytest.mark.parametrize("gops_s", [[0.1], [7.3], [25.0, 25.0, 25.0, 4.5], [0.5] * 301])
@pytest.mark.parametrize("must_encode", [None, "codec hevc"])
@pytest.mark.parametrize("cadence", [FAST, LIVE])
def test_pieces_leave_no_gap_and_never_overlap(gops_s: list[float], must_encode: str | None, cadence: object) -> None:
    found = scan_of(*gops_s, must_encode=must_encode)
    pieces = plan_pieces(found, FAST if cadence is FAST else LIVE)
    assert [piece.index for piece in pieces] == list(range(len(pieces)))
    assert (pieces[0].start_pts, pieces[-1].end_pts) == (found.start_pts, found.end_pts)
    assert all(before.end_pts == after.start_pts for before, after in itertools.pairwise(pieces))
    copied = [piece.packet_count for piece in pieces]
    assert (None in copied) or sum(filter(None, copied)) == sum(gop.packet_count for gop in found.gops)
