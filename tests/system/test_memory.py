"""The short form of `make soak`: an analyzer that works through the same footage again and again does not grow."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import real_data
from tests.soak import verdict


@pytest.mark.parametrize("footage", ["corridor", "demo"])
def test_memory_stays_what_it_is_after_three_passes(footage: str, request: pytest.FixtureRequest) -> None:
    clip: Path = real_data("videos/one-by-one.mp4") if footage == "corridor" else request.getfixturevalue("demo_clip")
    soak = [sys.executable, "-m", "tests.soak", "--clip", str(clip), "--passes", "6", "--segments", "2"]
    run = subprocess.run(soak, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr[-2000:]}"
    assert run.stdout.count("MB resident") == 6


@pytest.mark.parametrize(
    ("resident_mb", "is_well"),
    [
        ([900, 1000, 1000, 1000, 1010], True),
        ([900, 1000, 1000, 1100, 1200], False),
        ([2600, 2600, 2600, 2600], False),
    ],
)
def test_the_verdict_knows_growth_and_excess(resident_mb: list[int], is_well: bool) -> None:
    assert (verdict([size * 10**6 for size in resident_mb]) is None) == is_well
