"""`make soak`: one analyzer works through the same clip again and again, and its memory is watched.

A short form of the same loop runs in the tests; the figures of the long one are in docs/performance.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from tests.bench import SAMPLING_FPS, cut_clip
from tests.conftest import DATA

MOST_BYTES = 2.5e9
SETTLED_AFTER_PASSES = 3
MOST_GROWTH = 1.05  # of what is resident after the third pass: an allocator's noise, not a leak


def resident_bytes(clip: Path, *, passes: int, segments_at_most: int | None = None) -> Iterator[int]:
    """What this process holds in memory after each pass over the clip."""
    from consumers.analyzer.analyze import analyze_batch
    from consumers.analyzer.eyes import Eyes

    with tempfile.TemporaryDirectory() as folder:
        eyes = Eyes.open(cache_dir=Path(folder) / "cache", sampling_fps=SAMPLING_FPS)
        segments = cut_clip(clip, Path(folder))[:segments_at_most]
        for _ in range(passes):
            for segment in segments:
                analyze_batch([segment], eyes)
            yield psutil.Process().memory_info().rss


def verdict(resident: Sequence[int]) -> str | None:
    """What is wrong with the memory held after each pass, or None."""
    if max(resident) > MOST_BYTES:
        return f"{max(resident) / 1e9:.2f} GB resident, more than {MOST_BYTES / 1e9:g}"
    settled = resident[SETTLED_AFTER_PASSES - 1]
    if max(resident[SETTLED_AFTER_PASSES:]) > MOST_GROWTH * settled:
        return f"grew from {settled / 1e6:.0f} MB to {max(resident) / 1e6:.0f} MB after pass {SETTLED_AFTER_PASSES}"
    return None


def main(arguments: Sequence[str]) -> int:
    """Print what is resident after each pass; exit status 1 when it is too much or grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, default=DATA / "videos" / "one-by-one.mp4")
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--segments", type=int, help="of the clip, at most; all by default")
    chosen = parser.parse_args(arguments)
    resident = []
    for number, size in enumerate(
        resident_bytes(chosen.clip, passes=chosen.passes, segments_at_most=chosen.segments), 1
    ):
        resident.append(size)
        sys.stdout.write(f"pass {number:>2}: {size / 1e6:.0f} MB resident\n")
        sys.stdout.flush()
    wrong = verdict(resident)
    sys.stdout.write(f"{'FAILED: ' + wrong if wrong else 'holds'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
