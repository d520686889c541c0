"""The annotated video: boxes, numbers, captions and answers drawn into a clip at its own frame rate."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from consumers.analyzer.labels import Picture, answer_lines, draw_label, person_colour
from consumers.analyzer.threads import Box, Thread, threads
from consumers.errors import VideoReadError
from streamer.bus.manifest import Manifest, PersonSeen

Frame = npt.NDArray[np.uint8]
Corner = tuple[int, int]

CLOCK = Fraction(1, 90_000)  # fine enough for every frame rate
SMALLEST_TEXT_PX = 10
EDGE_PX = 3
WORTH_MOVING = 0.15  # of a label's area: labels that jump to and fro cannot be read


def annotate_video(
    source: Path, manifests: Sequence[Manifest], target: Path, *, on_frame: Callable[[float], None] = lambda _: None
) -> None:
    """Write `source` to `target` as H.264 MP4 with what `manifests` say drawn in.

    Args:
        source: The video that the segments were cut from.
        manifests: Of its segments, in order; segments that could not be read may be missing.
        target: The file to write; its folder is there.
        on_frame: Told the time of each written frame, seconds.

    Raises:
        VideoReadError: The source cannot be opened, or the target cannot be written.
    """
    import av

    artist = Artist(manifests)
    try:
        # Absolute: of `12:30.mp4` alone FFmpeg takes 12 for a protocol.
        with av.open(str(source.absolute())) as read, av.open(str(target.absolute()), "w") as written:
            stream = read.streams.video[0]
            encoder: Any = None
            for moment_s, frame in _frames(read, stream):
                pixels = _even(_upright(frame))
                encoder = encoder or _encoder(written, stream, pixels)
                artist.draw(pixels, moment_s)
                painted = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                painted.pts, painted.time_base = round(moment_s / CLOCK), CLOCK
                written.mux(encoder.encode(painted))
                on_frame(moment_s)
            if encoder is None:
                raise VideoReadError(source, "cannot be annotated: not one frame of it can be decoded")
            written.mux(encoder.encode(None))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise VideoReadError(source, f"cannot be annotated: {getattr(error, 'strerror', None) or error}") from error


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is written beside each person."""

    caption_lines: int
    text_share: float = 1.0
    width_share: float = 0.34  # of the frame's width


def detail_for(people: int) -> Detail:
    """Less about each the more there are: the picture is the point."""
    if people <= 3:
        return Detail(3)
    return Detail(2, 0.85, 0.25) if people <= 5 else Detail(0, 0.8)


class Artist:
    """Draws everyone who is seen at one moment."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        """Know who is where from the manifests of consecutive segments."""
        self._threads = threads(manifests)
        self._questions = {manifest.segment_id: manifest.questions for manifest in manifests}
        self._hold_s = 0.5 / min((manifest.sampling_fps for manifest in manifests), default=5.0)
        self._labels: dict[tuple[str, Detail], Picture] = {}
        self._places: dict[int, int] = {}

    def draw(self, frame: Frame, moment_s: float) -> None:
        """Draw into a frame (H, W, 3) RGB, in place."""
        seen = [(thread, found) for thread in self._threads if (found := thread.at(moment_s, hold_s=self._hold_s))]
        for thread, (box, _) in seen:
            _draw_box(frame, box, thread.number)
        taken: list[Box] = [box for _, (box, _) in seen]
        for thread, (box, person) in seen:
            label = self._label(thread, person, frame, detail_for(len(seen)))
            corner, place = place_label(
                label.shape[1::-1], box, taken, frame.shape[1::-1], before=self._places.get(thread.number, 0)
            )
            self._places[thread.number] = place
            taken.append((*corner, corner[0] + label.shape[1], corner[1] + label.shape[0]))
            _blend(frame, label, corner)

    def _label(self, thread: Thread, person: PersonSeen, frame: Frame, detail: Detail) -> Picture:
        key = person.person_id, detail
        if key not in self._labels:
            questions = self._questions.get(person.track_id.rsplit("/", 1)[0], ())
            height, width = frame.shape[:2]
            self._labels[key] = draw_label(
                thread.number,
                person.caption,
                answer_lines(person, questions),
                text_px=max(SMALLEST_TEXT_PX, min(26, round(height / 36 * detail.text_share))),
                width_px=max(min(width, 150), round(width * detail.width_share)),
                caption_lines=detail.caption_lines,
            )
        return self._labels[key]


def place_label(
    size_wh: tuple[int, ...], box: Box, taken: Sequence[Box], frame_wh: tuple[int, ...], *, before: int = 0
) -> tuple[Corner, int]:
    """Where a label goes, inside the frame: beside its box, where it hides the least of boxes and labels.

    Args:
        size_wh: The label's size.
        box: The person.
        taken: Boxes and labels that are there already.
        frame_wh: The frame's size.
        before: The place it had in the frame before; it stays there unless another is clearly better.

    Returns:
        The label's upper left corner, and which of the places around the box it is.

    >>> place_label((50, 20), (100, 100, 140, 200), [(100, 100, 140, 200)], (400, 300))
    ((100, 78), 0)
    """
    width, height = size_wh
    left, top, right, bottom = (round(side) for side in box)
    wanted = [
        (left, top - height - 2), (right + 2, top), (left - width - 2, top), (left, bottom + 2),
        (right + 2, bottom - height), (left - width - 2, bottom - height), (left, bottom - height),
    ]  # fmt: skip
    inside = [
        (max(EDGE_PX, min(x, frame_wh[0] - width - EDGE_PX)), max(EDGE_PX, min(y, frame_wh[1] - height - EDGE_PX)))
        for x, y in wanted
    ]
    hidden = [sum(_shared(corner, (width, height), other) for other in taken) for corner in inside]
    best = min(range(len(inside)), key=lambda place: hidden[place])
    chosen = before if hidden[before] <= hidden[best] + WORTH_MOVING * width * height else best
    return inside[chosen], chosen


def _shared(corner: Corner, size_wh: tuple[int, int], other: Box) -> float:
    across = min(corner[0] + size_wh[0], other[2]) - max(corner[0], other[0])
    down = min(corner[1] + size_wh[1], other[3]) - max(corner[1], other[1])
    return max(0.0, across) * max(0.0, down)


def _draw_box(frame: Frame, box: Box, number: int) -> None:
    left, top, right, bottom = (round(side) for side in box)
    thick = max(2, round(frame.shape[0] / 270))
    cv2.rectangle(frame, (left, top), (right, bottom), (0, 0, 0), thick + 2)
    cv2.rectangle(frame, (left, top), (right, bottom), person_colour(number), thick)


def _blend(frame: Frame, label: Picture, corner: Corner) -> None:
    left, top = corner
    height, width = min(label.shape[0], frame.shape[0] - top), min(label.shape[1], frame.shape[1] - left)
    part = frame[top : top + height, left : left + width]
    drawn, opacity = label[:height, :width, :3], label[:height, :width, 3:].astype(np.uint16)
    part[:] = ((drawn * opacity + part * (255 - opacity)) // 255).astype(np.uint8)


def _frames(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Frames with their seconds from the first; ends quietly where the video breaks off."""
    import av

    started_s: float | None = None
    try:
        for count, frame in enumerate(container.decode(stream)):
            moment_s = float(frame.time) if frame.time is not None else count / float(stream.average_rate or 25)
            started_s = moment_s if started_s is None else started_s
            yield moment_s - started_s, frame
    except av.FFmpegError:
        return


def _encoder(container: Any, stream: Any, first: Frame) -> Any:
    encoder = container.add_stream("libx264", rate=stream.average_rate or 25)
    encoder.height, encoder.width = first.shape[:2]
    encoder.pix_fmt = "yuv420p"
    encoder.options = {"preset": "veryfast", "crf": "23"}
    encoder.codec_context.time_base = CLOCK
    return encoder


def _upright(frame: Any) -> Frame:
    """Its pixels (H, W, 3) RGB, turned as a player turns them, and as the segments were cut."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def _even(frame: Frame) -> Frame:
    """Without a last odd row or column, which H.264's colour planes cannot hold."""
    return np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
