"""Where a scanned video is cut: pieces without gap or overlap, copied where that is possible. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from streamer.scanning import Gop, Scan

SHORT_REMAINDER = 0.3  # of the target: a last piece shorter than this joins the one before it


@dataclass(frozen=True, slots=True)
class Cadence:
    """How long segments are: about `target_s`; what has no keyframe for more than `longest_gap_s` is encoded anew."""

    target_s: float
    longest_gap_s: float


FAST = Cadence(target_s=10.0, longest_gap_s=15.0)
LIVE = Cadence(target_s=2.0, longest_gap_s=2.0)


@dataclass(frozen=True, slots=True)
class Piece:
    """One planned segment: what is shown from `start_pts` up to and without `end_pts`."""

    index: int
    start_pts: int
    end_pts: int
    packet_count: int | None  # packets to copy; None: encode anew


@dataclass(frozen=True, slots=True)
class _Atom:
    """What cannot be cut further without encoding: from one clean keyframe to the next."""

    start_pts: int
    end_pts: int
    packet_count: int
    is_sound: bool  # it begins with a keyframe and nothing of it is missing: a reader of a copy finds every frame

    @property
    def length(self) -> int:
        return self.end_pts - self.start_pts


def plan_pieces(found: Scan, cadence: Cadence) -> tuple[Piece, ...]:
    """The pieces of a scanned file, in order."""
    ticks_per_s = float(1 / found.time_base)
    target, gap = cadence.target_s * ticks_per_s, cadence.longest_gap_s * ticks_per_s
    spans: list[tuple[int, int, int | None]] = []
    if found.must_encode is not None:
        spans += _grid(found.start_pts, found.end_pts, target)
    else:
        for is_encoded, run in groupby(_atoms(found), key=lambda atom: atom.length > gap or not atom.is_sound):
            atoms = list(run)
            if is_encoded:
                spans += _grid(atoms[0].start_pts, atoms[-1].end_pts, target)
            else:
                spans += _grouped(atoms, target, longest=max(gap, 1.5 * target))
    return tuple(Piece(index, *span) for index, span in enumerate(spans))


def _atoms(found: Scan) -> Iterator[_Atom]:
    bundles: list[list[Gop]] = []
    for gop in found.gops:
        if gop.is_clean or not bundles:
            bundles.append([])
        bundles[-1].append(gop)
    ends = [bundle[0].start_pts for bundle in bundles[1:]] + [found.end_pts]
    for bundle, end in zip(bundles, ends, strict=True):
        is_sound = bundle[0].is_clean and not any(gop.is_damaged for gop in bundle)
        yield _Atom(bundle[0].start_pts, end, sum(gop.packet_count for gop in bundle), is_sound)


def _grouped(atoms: list[_Atom], target: float, *, longest: float) -> Iterator[tuple[int, int, int | None]]:
    """Whole atoms joined to about `target`, never over `longest` unless one atom is."""
    stretch_end = atoms[-1].end_pts
    taken: list[_Atom] = []
    for atom in atoms:
        if taken and stretch_end - taken[0].start_pts > longest and not _is_nearer(taken, atom, target):
            yield _joined(taken)
            taken = []
        taken.append(atom)
    yield _joined(taken)


def _is_nearer(taken: list[_Atom], atom: _Atom, target: float) -> bool:
    length = atom.start_pts - taken[0].start_pts
    return abs(length + atom.length - target) < abs(length - target)


def _joined(atoms: list[_Atom]) -> tuple[int, int, int | None]:
    return atoms[0].start_pts, atoms[-1].end_pts, sum(atom.packet_count for atom in atoms)


def _grid(start_pts: int, end_pts: int, target: float) -> Iterator[tuple[int, int, int | None]]:
    """Equal spans to be encoded, the last one shorter or a little longer."""
    length = end_pts - start_pts
    count = max(1, int(length / target + (1 - SHORT_REMAINDER)))
    borders = [start_pts + round(step * target) for step in range(count)] + [end_pts]
    for start, end in pairwise(borders):
        yield start, end, None
