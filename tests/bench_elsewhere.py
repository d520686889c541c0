"""How alike the embedding finds one person to themselves, and how alike to others: what *likely* is worth.

    python -m tests.bench_elsewhere

Every track of the clips is cut in two; the halves are one person, seconds apart, before one camera. Two tracks of one
clip that are seen in the same frame are two people for certain; so, as good as certain, are tracks of two clips.

What is called *likely* is set on some clips and measured on the others, which had no say in it.
"""

import argparse
import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from consumers.analyzer.decode import sample_frames
from consumers.analyzer.eyes import Eyes
from consumers.search.likeness import LIKELY
from model.crops import best_looks
from model.tracker import Track, track_people

SET_ON = ("one-by-one.mp4", "store-aisle.mp4", "worker-zone.mp4")
MEASURED_ON = ("pedestrians.avi", "classroom.mp4", "installer.mp4")
MOST_WRONG = 0.05  # of pairs of others, side by side or of two clips, whichever are more: as many may be called likely
GRID = np.arange(0.8, 0.9976, 0.0025)
FPS, LEAST_LOOKS = 5.0, 4
THRESHOLDS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975)


@dataclass(frozen=True)
class Halves:
    """One track of one clip, as two unit vectors (d,)."""

    clip: str
    track: Track
    first: Any
    last: Any

    def is_seen_with(self, other: "Halves") -> bool:
        return self.clip == other.clip and bool(set(self.track.frame_positions) & set(other.track.frame_positions))


def unit(vectors: Any) -> Any:
    middle = vectors.mean(axis=0)
    return middle / np.linalg.norm(middle)


def halves(folder: Path, clip: str, eyes: Eyes) -> list[Halves]:
    """Every track of a clip that is seen long enough."""
    sampled = sample_frames(folder / clip, target_fps=FPS)
    tracks = track_people(eyes.detector.detect(sampled.frames), sampling_fps=sampled.fps, frame_size_wh=sampled.size_wh)
    found = []
    for track in tracks:
        looks = best_looks(track, sampled.frames, sampled.at_s, at_most=8, others=tracks)
        if len(looks) >= LEAST_LOOKS:
            vectors = eyes.vlm.read(eyes.vlm.see([look.crop for look in looks]), ()).vectors
            cut = len(looks) // 2
            found.append(Halves(clip, track, unit(vectors[:cut]), unit(vectors[cut:])))
    return found


@dataclass(frozen=True)
class Cosines:
    """Of one person with themselves, of two side by side, and of two of different clips."""

    same: Any
    beside: Any
    apart: Any

    def likely_from(self) -> float:
        """The least cosine that no more than so many others reach."""

        def wrong(threshold: float) -> float:
            return max(float(np.mean(values >= threshold)) for values in (self.beside, self.apart) if len(values))

        return float(next((each for each in GRID if wrong(each) <= MOST_WRONG), GRID[-1]))


def cosines(people: Sequence[Halves]) -> Cosines:
    """Of all pairs."""
    pairs = list(itertools.permutations(people, 2))
    return Cosines(
        np.asarray([float(each.first @ each.last) for each in people]),
        np.asarray([float(a.first @ b.last) for a, b in pairs if a.is_seen_with(b)]),
        np.asarray([float(a.first @ b.last) for a, b in pairs if a.clip != b.clip]),
    )


def show(console: Console, title: str, clips: Sequence[str], people: Sequence[Halves], found: Cosines) -> None:
    """The table of some clips."""
    console.print(f"{title}: {len(people)} tracks of {', '.join(clips)}")
    table = Table("cosine from", "same person", "another beside", "another elsewhere")
    for threshold in sorted({*THRESHOLDS, LIKELY}):
        row = (f"{np.mean(values >= threshold):.3f}" for values in (found.same, found.beside, found.apart))
        table.add_row(f"{threshold:g}", *row)
    console.print(table)
    first = sum(max(people, key=lambda other: float(each.first @ other.last)) is each for each in people)
    console.print(
        f"pairs: {len(found.same)} same, {len(found.beside)} beside, {len(found.apart)} elsewhere; "
        f"nearest is the same: {first}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded", help="`embedded`, or a folder with a HumanVLM.")
    model = parser.parse_args().model
    folder, console = Path(os.environ["CREWSIGHT_TEST_DATA"]) / "videos", Console(width=100)
    with tempfile.TemporaryDirectory() as cache:
        eyes = Eyes.open(cache_dir=Path(cache), sampling_fps=FPS, vlm=model)
        for title, clips in (("set on", SET_ON), ("measured on", MEASURED_ON)):
            people = [each for clip in clips for each in halves(folder, clip, eyes)]
            found = cosines(people)
            show(console, title, clips, people, found)
            if clips == SET_ON:
                console.print(f"at most {MOST_WRONG:.0%} of others from {found.likely_from():g}; in force: {LIKELY:g}")


if __name__ == "__main__":
    main()
