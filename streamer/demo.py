"""Footage for a first look, made from pictures of people that an installed package already carries.

Two photographs are panned and zoomed over like a camera would: people come into view, a pillar passes in front of
them, there is a stretch with nobody in it, and people are in view when segments end. The same packages give the same
frames; a clip that was made before is used again.
"""

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.errors import DemoFootageError

Picture = NDArray[np.uint8]  # (height, width, 3), blue green red

FPS = 12
WIDTH_PX, HEIGHT_PX = 960, 540
RECIPE = 2  # another number whenever the frames would change
X264 = {"preset": "superfast", "crf": "23", "threads": "2"}
PILLAR_GREY = (92, 96, 98)


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees of a canvas: the middle of the view and its width, in pixels of the canvas."""

    x: float
    y: float
    width: float

    def towards(self, other: "View", share: float) -> "View":
        """The view `share` (0..1) of the way to `other`."""
        return View(*(a + (b - a) * share for a, b in zip(self._parts(), other._parts(), strict=True)))

    def _parts(self) -> tuple[float, float, float]:
        return self.x, self.y, self.width


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch of footage: the camera glides from one view of a canvas to another."""

    canvas: str
    seconds: float
    start: View
    end: View
    pillar_s: tuple[float, float] | None = None  # from when to when a pillar crosses the picture


# The street is 1920x1080 with the photograph in its middle third, at x 555..1365; its people stand below y 390.
SHOTS = (
    Shot("street", 13.0, View(960, 600, 1500), View(850, 640, 1020), pillar_s=(4.5, 8.0)),
    Shot("street", 5.0, View(900, 185, 600), View(1010, 190, 560)),  # balconies: nobody
    Shot("match", 6.0, View(640, 360, 1280), View(700, 330, 1080)),
    Shot("street", 3.0, View(1010, 190, 560), View(980, 185, 590)),  # nobody, longer than someone hidden is waited for
    Shot("street", 11.0, View(860, 650, 1050), View(1180, 640, 1000)),
)
EMPTY_STRETCH_S = (SHOTS[0].seconds, SHOTS[0].seconds + SHOTS[1].seconds)  # nobody is in it
DURATION_S = sum(shot.seconds for shot in SHOTS)


def demo_footage(folder: Path) -> Path:
    """The demo clip in `folder`, made if it is not there yet: H.264 in MP4, half a minute, 960x540, 12 fps.

    Raises:
        DemoFootageError: the pictures are missing, or the folder cannot be written.
    """
    path = folder / f"demo-footage-{RECIPE}.mp4"
    if path.exists():
        return path
    canvases = _canvases()
    unfinished = folder / f".{path.stem}.{os.getpid()}.mp4"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(unfinished, demo_frames(canvases))
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise DemoFootageError(f"{folder}: {error.strerror or error}") from error
    return path


def demo_frames(canvases: dict[str, Picture]) -> Iterator[Picture]:
    """Every frame of the footage, (540, 960, 3)."""
    for shot in SHOTS:
        count = round(shot.seconds * FPS)
        for index in range(count):
            share = index / max(1, count - 1)
            eased = share * share * (3 - 2 * share)  # a hand on a camera starts and stops softly
            frame = _seen(canvases[shot.canvas], shot.start.towards(shot.end, eased))
            yield _with_pillar(frame, shot, index / FPS)


def _seen(canvas: Picture, view: View) -> Picture:
    scale = WIDTH_PX / view.width
    shift_x, shift_y = WIDTH_PX / 2 - view.x * scale, HEIGHT_PX / 2 - view.y * scale
    matrix = np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y]])
    frame = cv2.warpAffine(
        canvas, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(frame, dtype=np.uint8)


def _with_pillar(frame: Picture, shot: Shot, at_s: float) -> Picture:
    if shot.pillar_s is None or not shot.pillar_s[0] <= at_s <= shot.pillar_s[1]:
        return frame
    share = (at_s - shot.pillar_s[0]) / (shot.pillar_s[1] - shot.pillar_s[0])
    width = WIDTH_PX // 6
    left = round(-width + share * (WIDTH_PX + width))
    pillar = frame[:, max(0, left) : max(0, left + width)]
    pillar[:] = PILLAR_GREY
    pillar[:, -6:] = tuple(channel // 2 for channel in PILLAR_GREY)  # its shaded edge
    return frame


def _canvases() -> dict[str, Picture]:
    street, match = (_packaged(name) for name in ("bus.jpg", "zidane.jpg"))
    return {"street": _widened(street, width=1920), "match": match}


def _widened(picture: Picture, *, width: int) -> Picture:
    """The picture in the middle of a wide canvas whose sides carry on its colours, too blurred to show anything."""
    height = picture.shape[0]
    small = cv2.resize(picture, (12, 8), interpolation=cv2.INTER_AREA)
    canvas = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8).copy()
    left = (width - picture.shape[1]) // 2
    canvas[:, left : left + picture.shape[1]] = picture
    return canvas


def _packaged(name: str) -> Picture:
    found = importlib.util.find_spec("ultralytics")  # looked up only: importing it would import torch
    if found is None or found.origin is None:
        raise DemoFootageError("package ultralytics-opencv-headless is not installed")
    path = Path(found.origin).parent / "assets" / name
    picture = cv2.imread(str(path))
    if picture is None:
        raise DemoFootageError(f"the package carries no picture {path}")
    return np.asarray(picture, dtype=np.uint8)


def _write(path: Path, frames: Iterator[Picture]) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as output:
        stream: Any = output.add_stream("libx264", rate=Fraction(FPS), options=X264)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.gop_size = FPS  # a keyframe each second, as cameras have
        for picture in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode(None))
