"""Short real clips that never run out: the same pictures under ever new names, so that ids can be foretold.

A clip and a `free` box with a number behind it shows the same pictures and hashes to something else: other segment ids,
the same people in them.
"""

import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamer.segmenting import content_sha256, plan_cuts
from tests.conftest import DATA

FPS, SIZE_WH = 10, (480, 270)
FIRST_S = 1_767_225_600  # 2026-01-01 UTC; each file a minute after the one before
APART_S = 60


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of a clip."""

    name: str
    begins_s: float
    lasts_s: float


REAL = (
    Cut("worker-zone.mp4", 0.5, 3),
    Cut("store-aisle.mp4", 0, 3),
    Cut("one-by-one.mp4", 20, 17),  # two segments, with people on the way from one into the other
    Cut("classroom.mp4", 0, 3),
)
MADE = (Cut("", 0, 3), Cut("", 18, 3), Cut("", 2, 17), Cut("", 28, 3))


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file in a camera's folder, and the segments that it must become."""

    recipe: int
    camera: str
    segments: tuple[str, ...]


class Footage:
    """The clips, and the folders of cameras that they are dropped into."""

    def __init__(self, folder: Path, cameras: tuple[str, ...]) -> None:
        """Cut the clips; `folder` gets one folder a camera."""
        self.cameras, self._folder = cameras, folder
        self._count = 0
        for camera in cameras:
            (folder / camera).mkdir(parents=True)
        clips = [DATA / "videos" / cut.name for cut in REAL]
        if all(clip.exists() for clip in clips):
            chosen = list(zip(clips, REAL, strict=True))
        else:
            from streamer.demo import demo_footage

            chosen = [(demo_footage(folder), cut) for cut in MADE]
        self._recipes = [
            _short_clip(clip, cut, folder / f"recipe-{number}.mp4") for number, (clip, cut) in enumerate(chosen)
        ]

    @property
    def recipes(self) -> range:
        """The numbers of the recipes."""
        return range(len(self._recipes))

    def folder(self, camera: str) -> Path:
        """What is watched as that camera."""
        return self._folder / camera

    def drop(self, camera: str, recipe: int) -> Dropped:
        """Put a new file into a camera's folder, whole and at once."""
        self._count += 1
        name = f"{self._count:05d}.mp4"
        made = self._folder / f".{name}"
        made.write_bytes(self._recipes[recipe].read_bytes() + _free_box(self._count))
        plan = plan_cuts(made, sha256=content_sha256(made))
        at_s = FIRST_S + APART_S * self._count
        os.utime(made, (at_s, at_s))
        made.rename(self.folder(camera) / name)
        return Dropped(recipe, camera, tuple(plan.segment_id(camera, index) for index in range(len(plan.pieces))))

    def drop_rubbish(self, camera: str, content: bytes) -> str:
        """Put a file into a camera's folder that is no video; returns its path."""
        self._count += 1
        made = self._folder / f".{self._count:05d}.mp4"
        made.write_bytes(content)
        return str(made.rename(self.folder(camera) / f"{self._count:05d}.mp4"))

    def piece(self) -> bytes:
        """The bytes of a good clip, for whoever wants to break them."""
        return self._recipes[0].read_bytes()


def _free_box(number: int) -> bytes:
    """An MP4 box that every player skips."""
    payload = f"crewsight-{number}".encode()
    return struct.pack(">I4s", 8 + len(payload), b"free") + payload


def _short_clip(clip: Path, cut: Cut, path: Path) -> Path:
    with av.open(str(clip)) as source, av.open(str(path), "w", format="mp4") as output:
        stream: Any = output.add_stream("libx264", rate=Fraction(FPS), options={"preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        stream.codec_context.gop_size = FPS
        written = 0
        for frame in source.decode(video=0):
            if frame.time < cut.begins_s + written / FPS:
                continue
            if written >= cut.lasts_s * FPS:
                break
            picture = av.VideoFrame.from_ndarray(
                frame.to_ndarray(width=SIZE_WH[0], height=SIZE_WH[1], format="rgb24"), format="rgb24"
            )
            picture.pts, picture.time_base = written, Fraction(1, FPS)
            output.mux(stream.encode(picture))
            written += 1
        output.mux(stream.encode(None))
    return path
