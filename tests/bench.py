"""`make bench`: what the whole analyzer costs beside its parts, and beside the script a user would write.

Every row looks at the same sampled frames of the same clip with the same weights, image size, confidence and class. The
rows take turns, round by round, because a shared machine's speed drifts; the table gives medians, and ratios of runs of
the same round. Nothing is timed in a test: a figure is judged by whoever reads it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from rich.console import Console
from rich.table import Table

from consumers.analyzer.analyze import Analyzed, Segment, analyze_batch
from consumers.analyzer.decode import sample_frames
from consumers.analyzer.eyes import Eyes
from model.ultralytics_loading import ultralytics_tamed
from streamer.bus.messages import TimeOrigin
from streamer.segmenting import cut_file
from tests import bench_decisions
from tests.conftest import DATA

SAMPLING_FPS = 5.0
SEGMENTS_AT_ONCE = 4
WANTED = {"naive script": 1.5, "detect alone": 0.65}  # the whole analyzer's speed over theirs, at least


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one row."""

    elapsed_s: float
    frames: int
    persons: int | None = None
    looks: int | None = None
    vlm_s: float | None = None

    @property
    def frames_per_s(self) -> float:
        """Sampled frames a second."""
        return self.frames / self.elapsed_s


def decode_alone(segments: Sequence[Segment]) -> Turn:
    """Only the sampled frames, through Decord."""
    started_s = time.perf_counter()
    frames = sum(len(sample_frames(segment.path, target_fps=SAMPLING_FPS).frames) for segment in segments)
    return Turn(time.perf_counter() - started_s, frames)


def detect_alone(frames: Sequence[Any], eyes: Eyes) -> Turn:
    """Only the detector, over frames that lie in memory."""
    started_s = time.perf_counter()
    persons = sum(len(found) for found in eyes.detector.detect(frames))
    return Turn(time.perf_counter() - started_s, len(frames), persons)


def whole_analyzer(segments: Sequence[Segment], eyes: Eyes) -> Turn:
    """Decode, detect, track, crop, ask HumanVLM, and the manifest with its JPEGs."""
    started_s = time.perf_counter()
    results = [
        result
        for start in range(0, len(segments), SEGMENTS_AT_ONCE)
        for result in analyze_batch(segments[start : start + SEGMENTS_AT_ONCE], eyes)
    ]
    elapsed_s = time.perf_counter() - started_s
    manifests = [result.manifest for result in results if isinstance(result, Analyzed)]
    people = [person for manifest in manifests for person in manifest.people]
    return Turn(
        elapsed_s,
        sum(manifest.frame_count for manifest in manifests),
        sum(len(person.path) for person in people),
        sum(len(person.looks) for person in people),
        sum(manifest.timings_s["humanvlm"] for manifest in manifests),
    )


def naive_script(clip: Path, model: Any, eyes: Eyes, rows: Path) -> Turn:
    """What most people would write: track every second frame and write a JSON row for each person."""
    started_s = time.perf_counter()
    frames = persons = 0
    with rows.open("w") as file:
        for result in model.track(
            str(clip),
            stream=True,
            vid_stride=2,
            classes=[0],
            conf=eyes.detector.confidence,
            imgsz=eyes.detector.image_size,
            verbose=False,
        ):
            frames += 1
            for box in result.boxes:
                persons += 1
                track = int(box.id) if box.id is not None else None
                row = {"frame": frames, "track": track, "box": box.xyxy[0].tolist(), "score": float(box.conf)}
                file.write(json.dumps(row) + "\n")
    return Turn(time.perf_counter() - started_s, frames, persons)


def naive_model(eyes: Eyes, scratch: Path) -> Any:
    """The shipped detector as the `.pt` file that Ultralytics' own interface opens."""
    import torch

    with ultralytics_tamed():
        from ultralytics import YOLO

    from model.detector_network import DetectorFolder

    path = scratch / "person.pt"
    torch.save({"model": DetectorFolder.open("embedded").network().float(), "train_args": {"task": "detect"}}, path)
    return YOLO(str(path), task="detect")


def cut_clip(clip: Path, scratch: Path) -> list[Segment]:
    """The clip as the streamer would cut it."""
    began_at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Segment(cut.ready("bench", began_at, TimeOrigin.FILE), cut.path)
        for cut in cut_file(clip, camera_id="bench", folder=scratch / "segments")
    ]


def main(arguments: Sequence[str]) -> int:
    """Run the rows in turns and print the table; exit status 1 when a ratio that must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, default=DATA / "videos" / "pedestrians.avi")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rows = prepared(chosen.clip, Path(folder))
        for turn in rows.values():
            turn()  # every engine warm before the first round that counts
        rounds = [{name: turn() for name, turn in rows.items()} for _ in range(chosen.rounds)]
    report = ratios(rounds)
    Console(width=110).print(table(chosen.clip, rounds))
    for beside, ratio in report.items():
        verdict = "holds" if ratio >= WANTED[beside] else "MISSED"
        sys.stdout.write(f"whole analyzer / {beside}: {ratio:.2f} (at least {WANTED[beside]:g}: {verdict})\n")
    has_equal_decisions = bench_decisions.main()
    return 0 if has_equal_decisions and all(ratio >= WANTED[beside] for beside, ratio in report.items()) else 1


def prepared(clip: Path, scratch: Path) -> dict[str, Callable[[], Turn]]:
    """Every row by name, its models loaded and its clip cut."""
    eyes = Eyes.open(cache_dir=scratch / "cache", sampling_fps=SAMPLING_FPS)
    segments = cut_clip(clip, scratch)
    frames = [frame for s in segments for frame in sample_frames(s.path, target_fps=SAMPLING_FPS).frames]
    model = naive_model(eyes, scratch)
    return {
        "decode alone": lambda: decode_alone(segments),
        "detect alone": lambda: detect_alone(frames, eyes),
        "whole analyzer": lambda: whole_analyzer(segments, eyes),
        "naive script": lambda: naive_script(clip, model, eyes, scratch / "rows.jsonl"),
    }


def ratios(rounds: Sequence[dict[str, Turn]]) -> dict[str, float]:
    """The whole analyzer's frames a second over those of the rows it is held against: medians over the rounds."""
    return {
        beside: statistics.median(r["whole analyzer"].frames_per_s / r[beside].frames_per_s for r in rounds)
        for beside in WANTED
    }


def table(clip: Path, rounds: Sequence[dict[str, Turn]]) -> Table:
    """Medians over the rounds, a line a row."""
    shown = Table(title=f"{clip.name}, {SAMPLING_FPS:g} sampled frames a second of video, {len(rounds)} rounds")
    for heading in ("row", "frames", "frames/s", "persons", "looks", "VLM s"):
        shown.add_column(heading, justify="left" if heading == "row" else "right")
    for name in rounds[0]:
        turns = [turns[name] for turns in rounds]
        first = turns[0]
        vlm_s = None if first.vlm_s is None else statistics.median(t.vlm_s or 0.0 for t in turns)
        shown.add_row(
            name,
            str(first.frames),
            f"{statistics.median(t.frames_per_s for t in turns):.1f}",
            "" if first.persons is None else str(first.persons),
            "" if first.looks is None else str(first.looks),
            "" if vlm_s is None else f"{vlm_s:.2f}",
        )
    return shown


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
