"""What the rules are fed with: the looks at each person of a segment, in the footage's time. Pure.

A look stands for the sampled frames around it, up to a second away: so a person's looks add up to the time for which
they were seen, whatever second each look was taken in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from streamer.bus.manifest import LookSeen, Manifest, PathPoint, PersonSeen

NOWHERE = -1.0  # a foot point that is in no zone
LONGEST_NAME, LONGEST_CAMERA = 64, 200  # what the desk has room for
FARTHEST_S = 1.0  # a frame further from every look is vouched for by none
YEAR_3000_S = 32503680000.0
LONGEST_S = 1e6  # of a segment; what claims more is no segment of ours
LONGEST_SIDE_PX = 1_000_000

Answers = Mapping[str, Mapping[str, float]]


class OddManifestError(ValueError):
    """A manifest that is one by its form, and makes no sense."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where some looks come from: one track of one segment."""

    person_id: str
    track_id: str
    camera_id: str
    segment_id: str
    segment_uri: str
    started_at_s: float  # of the segment, seconds since 1970 (UTC)
    manifest_uri: str
    frame_size_wh: tuple[int, int]
    answer_revision: str


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one person: instants in seconds since 1970 (UTC), the foot point in fractions of the frame."""

    at_s: float
    from_s: float
    until_s: float
    seconds: float  # of sampled frames that it stands for
    x: float
    y: float
    position: int  # in the manifest's looks of this person
    box_xyxy: tuple[float, float, float, float]
    crop_uri: str
    answers: Answers
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """The looks at one person in one segment, in order of time."""

    source: Source
    looks: tuple[Look, ...]

    @property
    def began_at_s(self) -> float:
        """When the first look was taken."""
        return self.looks[0].at_s


def pieces_of(manifest: Manifest, manifest_uri: str, *, questions: frozenset[str] | None = None) -> list[Piece]:
    """The looks at everyone in a segment.

    Args:
        manifest: The segment's result.
        manifest_uri: Where it lies.
        questions: Ids of the questions whose answers are wanted; None for all.

    Raises:
        OddManifestError: Its numbers make no sense.
    """
    started_at_s = manifest.started_at.timestamp()
    if not 0 <= started_at_s < YEAR_3000_S:
        raise OddManifestError(f"it starts in the year {manifest.started_at.year}")
    names = [manifest.segment_id, *(name for p in manifest.people for name in (p.person_id, p.track_id))]
    if max(map(len, names)) > LONGEST_NAME or len(manifest.camera_id) > LONGEST_CAMERA:
        raise OddManifestError(f"a name in it is longer than {LONGEST_NAME} characters")
    if max(manifest.width_px, manifest.height_px) > LONGEST_SIDE_PX or manifest.sampling_fps < 1 / LONGEST_S:
        raise OddManifestError("no video has such a size, or so few frames")
    pieces = [
        _piece(person, manifest, manifest_uri, started_at_s, questions) for person in manifest.people if person.looks
    ]
    if len({piece.source.person_id for piece in pieces}) < len(pieces):
        raise OddManifestError("it names a person twice")
    return pieces


def instant(at_s: float) -> datetime:
    """An instant from seconds since 1970 (UTC)."""
    return datetime.fromtimestamp(at_s, UTC)


def _piece(
    person: PersonSeen, manifest: Manifest, manifest_uri: str, started_at_s: float, questions: frozenset[str] | None
) -> Piece:
    source = Source(
        person.person_id,
        person.track_id,
        manifest.camera_id,
        manifest.segment_id,
        manifest.segment_uri,
        started_at_s,
        manifest_uri,
        (manifest.width_px, manifest.height_px),
        manifest.revisions.answer,
    )
    looks = sorted(enumerate(person.looks), key=lambda numbered: numbered[1].at_s)
    if not looks[-1][1].at_s <= LONGEST_S:  # written so that it also refuses what is not a number
        raise OddManifestError(f"it holds a look at second {looks[-1][1].at_s:g}")
    stretches = _stretches([look.at_s for _, look in looks], person.path, 1 / manifest.sampling_fps)
    return Piece(
        source,
        tuple(
            _look(position, look, stretch, started_at_s, questions)
            for (position, look), stretch in zip(looks, stretches, strict=True)
        ),
    )


@dataclass(slots=True)
class _Stretch:
    """The sampled frames that a look stands for: from the first, through the last, and the point nearest to it."""

    from_s: float
    until_s: float
    seconds: float = 0.0
    nearest: PathPoint | None = None


def _stretches(looks_at_s: Sequence[float], path: Sequence[PathPoint], period_s: float) -> list[_Stretch]:
    """One a look. Each point of the path counts for the look nearest in time, the earlier one where two are."""
    stretches = [_Stretch(at_s, at_s + period_s) for at_s in looks_at_s]
    look = 0
    for point in path:
        while look + 1 < len(looks_at_s) and looks_at_s[look + 1] - point.at_s < point.at_s - looks_at_s[look]:
            look += 1
        distance_s = abs(point.at_s - looks_at_s[look])
        if not distance_s <= FARTHEST_S:
            continue
        stretch = stretches[look]
        stretch.from_s, stretch.until_s = min(stretch.from_s, point.at_s), max(stretch.until_s, point.at_s + period_s)
        stretch.seconds += period_s
        if stretch.nearest is None or distance_s < abs(stretch.nearest.at_s - looks_at_s[look]):
            stretch.nearest = point
    for stretch in stretches:
        stretch.seconds = max(stretch.seconds, period_s)  # the look itself is of a frame
    return stretches


def _look(
    position: int, look: LookSeen, stretch: _Stretch, started_at_s: float, questions: frozenset[str] | None
) -> Look:
    point = stretch.nearest
    x, y = (point.x, point.y) if point is not None else (NOWHERE, NOWHERE)
    if not math.isfinite(sum(look.box_xyxy) + x + y):
        raise OddManifestError(f"a place at second {look.at_s:g} is no number")
    asked = look.answers if questions is None else {q: p for q, p in look.answers.items() if q in questions}
    if not all(math.isfinite(sum(probabilities.values())) for probabilities in asked.values()):
        raise OddManifestError(f"a probability at second {look.at_s:g} is no number")
    return Look(
        at_s=started_at_s + look.at_s,
        from_s=started_at_s + stretch.from_s,
        until_s=started_at_s + stretch.until_s,
        seconds=stretch.seconds,
        x=x,
        y=y,
        position=position,
        box_xyxy=look.box_xyxy,
        crop_uri=look.crop_uri,
        answers=asked,
        reasons=look.reasons,
    )
