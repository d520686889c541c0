"""Writes planned pieces of a video as MP4 files: packets copied, or frames decoded and encoded anew."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import av.error
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from streamer.joining import JoinedTimes
from streamer.planning import Piece
from streamer.scanning import Scan, packets_from

FASTSTART = {"movflags": "+faststart"}  # a browser plays it before it has all of it
# A fixed number of threads and code that is the same on every processor make the encoder's output a function of its
# input: without the latter, about one file in fifty came out a byte different. What is tuned to decode fast decodes in
# half the time, and every segment is decoded at least once.
X264 = {
    "preset": "veryfast",
    "tune": "fastdecode",
    "crf": "18",
    "threads": "2",
    "x264-params": "cpu-independent=1",
}
KEYFRAME_EVERY_S = 2.0  # how far a player decodes ahead to seek
USUAL_FPS = Fraction(25)

# A player turns pictures counter-clockwise by the file's rotation; the filters that do the same.
UPRIGHT = {90: ["transpose=cclock"], 180: ["hflip", "vflip"], 270: ["transpose=clock"]}

NamePiece = Callable[[Piece], Path]


@dataclass(frozen=True, slots=True)
class WrittenVideo:
    """One finished file; its frames count from 0."""

    path: Path
    piece: Piece
    first_pts: int  # in the source
    duration_s: float
    frame_count: int
    width_px: int
    height_px: int


def copied_videos(found: Scan, pieces: Sequence[Piece], name: NamePiece) -> Iterator[WrittenVideo]:
    """The pieces, which follow one another, as files with the source's own packets.

    Raises:
        VideoReadError: the source cannot be opened.
    """
    incoming = packets_from(found.path, pieces[0].start_pts if pieces[0].index else None)
    for piece in pieces:
        path = name(piece)
        count = _copy(incoming, piece, path)
        if count:
            length_s = float((piece.end_pts - piece.start_pts) * found.time_base)
            yield WrittenVideo(path, piece, piece.start_pts, length_s, count, found.width_px, found.height_px)


def encoded_videos(
    found: Scan, pieces: Sequence[Piece], name: NamePiece, is_stopping: Callable[[], bool]
) -> Iterator[WrittenVideo]:
    """The pieces, which follow one another, as files encoded anew; ends early, leaving half a file, when stopping.

    Raises:
        VideoReadError: the source cannot be opened.
    """
    frames = _frames(found, pieces[0].start_pts)
    waiting = next(frames, None)
    for piece in pieces:
        if waiting is None:
            return
        if waiting.pts >= piece.end_pts and piece.end_pts != found.end_pts:
            continue  # nothing is shown in it: a recorder that paused
        path = name(piece)
        encoder = VideoEncoder(path, waiting, time_base=found.time_base, frame_ticks=found.frame_ticks)
        while waiting is not None and (waiting.pts < piece.end_pts or piece.end_pts == found.end_pts):
            if is_stopping():
                encoder.give_up()
                return
            encoder.add(waiting)
            waiting = next(frames, None)
        encoder.finish()
        yield WrittenVideo(
            path, piece, encoder.first_pts, encoder.duration_s, encoder.frame_count, encoder.width_px, encoder.height_px
        )


def _copy(incoming: Iterator[Any], piece: Piece, path: Path) -> int:
    """Write the piece's packets; returns how many there were."""
    assert piece.packet_count is not None
    return write_packets(islice(incoming, piece.packet_count), path, start_pts=piece.start_pts)


def write_packets(incoming: Iterable[Any], path: Path, *, start_pts: int) -> int:
    """Write packets of one stream as they are, their times counted from `start_pts`; returns how many there were."""
    taken = iter(incoming)
    first = next(taken, None)
    if first is None:
        return 0
    count = 0
    with av.open(str(path), "w", format="mp4", options=FASTSTART) as output:
        copy = output.add_stream_from_template(first.stream)
        if first.stream.codec_context.name == "hevc":
            copy.codec_context.codec_tag = "hvc1"  # the one of its two tags that every player knows
        copy.time_base = first.stream.time_base
        for packet in chain([first], taken):
            packet.pts -= start_pts
            packet.dts -= start_pts
            packet.stream = copy
            output.mux(packet)
            count += 1
    return count


def _frames(found: Scan, start_pts: int) -> Iterator[Any]:
    """Decoded frames shown from `start_pts` on, each later than the one before; what does not decode is left out."""
    is_from_within = found.is_timed and not found.runs_backwards and start_pts > found.start_pts
    incoming = packets_from(found.path, found.keyframe_before(start_pts) if is_from_within else None)
    times = JoinedTimes(found.time_base, frame_ticks=found.frame_ticks)
    last_pts: int | None = None
    turn = _turning(found.rotation_deg)
    for frame in _decoded(incoming, breaks_off=found.break_reason is not None):
        if frame.pts is None or not found.is_timed:
            pts = found.start_pts if last_pts is None else last_pts + found.frame_ticks
        else:
            pts = times.of(frame.pts)
        frame.pts = last_pts = pts if last_pts is None else max(pts, last_pts + 1)  # no file takes two of one time
        if frame.pts >= start_pts:
            yield turn(frame)


def _decoded(incoming: Iterator[Any], *, breaks_off: bool) -> Iterator[Any]:
    """Every frame that decodes, then what the decoder still holds when the packets end or, as was found, break off."""
    decoder = None
    while True:
        try:
            packet = next(incoming, None)
        except av.error.FFmpegError:
            if not breaks_off:
                raise
            packet = None
        if packet is None:
            break
        decoder = packet.stream
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue
    try:
        yield from decoder.decode(None) if decoder is not None else ()
    except av.error.FFmpegError:
        return


def _turning(rotation_deg: int) -> Callable[[Any], Any]:
    """Turns a frame upright."""
    if rotation_deg not in UPRIGHT:
        return lambda frame: frame
    graph: Any = None

    def _turn(frame: Any) -> Any:
        nonlocal graph
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            )
            filters = [graph.add(*text.split("=")) for text in UPRIGHT[rotation_deg]]
            graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
        graph.push(frame)
        return graph.pull()

    return _turn


class VideoEncoder:
    """One output file, encoded from frames of one stream."""

    def __init__(self, path: Path, first: Any, *, time_base: Fraction, frame_ticks: int) -> None:
        """Open `path` for frames as large as `first`.

        Args:
            path: The file.
            first: The first frame; `add` takes it too.
            time_base: Seconds of a tick of the frames' times.
            frame_ticks: How long a frame is shown.
        """
        self._time_base, self._frame_ticks = time_base, frame_ticks
        self.first_pts, self._last_pts, self.frame_count = first.pts, first.pts, 0
        # Half-size colour needs even sides.
        self.width_px, self.height_px = first.width // 2 * 2, first.height // 2 * 2
        fps = 1 / (frame_ticks * time_base)
        self._cleanup = ExitStack()
        self._output = self._cleanup.enter_context(av.open(str(path), "w", format="mp4", options=FASTSTART))
        self._stream = self._output.add_stream("libx264", rate=fps.limit_denominator(1001), options=X264)
        self._stream.width, self._stream.height, self._stream.pix_fmt = self.width_px, self.height_px, "yuv420p"
        self._stream.codec_context.time_base = time_base
        self._stream.codec_context.gop_size = max(1, round(fps * KEYFRAME_EVERY_S))

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        return float((self._last_pts + self._frame_ticks - self.first_pts) * self._time_base)

    def add(self, frame: Any) -> None:
        """Encode one more frame."""
        shown = frame.pts
        is_as_written = (frame.width, frame.height, frame.format.name) == (self.width_px, self.height_px, "yuv420p")
        # MJPEG and others have the full range of brightness; players take what is written here for the limited one.
        if not is_as_written or frame.color_range == ColorRange.JPEG:
            frame = frame.reformat(
                width=self.width_px,
                height=self.height_px,
                format="yuv420p",
                src_color_range=frame.color_range,
                dst_color_range=ColorRange.MPEG,
            )
        frame.pts, frame.time_base = shown - self.first_pts, self._time_base
        frame.pict_type = PictureType.NONE  # the source's own choice of keyframes is not ours
        self._output.mux(self._stream.encode(frame))
        self._last_pts, self.frame_count = shown, self.frame_count + 1

    def give_up(self) -> None:
        """Close the file as it is, half of one."""
        self._cleanup.close()

    def finish(self) -> None:
        """Write what the encoder holds, and close the file."""
        self._output.mux(self._stream.encode(None))
        self._cleanup.close()
