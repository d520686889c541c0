"""Small real videos whose frames carry their own number, so that a lost or doubled frame shows."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

BITS = 12  # a frame's number as white and black blocks: survives any encoder


def numbered_frame(number: int, *, width: int = 192, height: int = 108) -> NDArray[np.uint8]:
    """A grey picture that carries `number`, (height, width, 3)."""
    picture = np.full((height, width, 3), 90 + number % 20, dtype=np.uint8)
    block = width // BITS
    for bit in range(BITS):
        picture[: height // 2, bit * block : (bit + 1) * block] = 235 if number >> bit & 1 else 16
    return picture


def number_of(picture: NDArray[np.uint8]) -> int:
    """The number that a decoded frame carries.

    >>> number_of(numbered_frame(1234))
    1234
    """
    block = picture.shape[1] // BITS
    row = picture[picture.shape[0] // 4]
    return sum(int(row[bit * block + block // 2].mean() > 128) << bit for bit in range(BITS))


def make_video(
    path: Path,
    *,
    frame_count: int,
    fps: int = 10,
    keyframe_every: int = 10,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    size_wh: tuple[int, int] = (192, 108),
    container: str | None = None,
    metadata: dict[str, str] | None = None,
    times: list[int] | None = None,
) -> Path:
    """Write a video of `frame_count` numbered frames; `times` replaces the even pace, in frames."""
    with av.open(str(path), "w", format=container) as output:
        output.metadata.update(metadata or {})
        stream: Any = output.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size_wh, pix_fmt
        stream.codec_context.gop_size = keyframe_every
        stream.codec_context.time_base = Fraction(1, fps)
        for index in range(frame_count):
            picture = numbered_frame(index, width=size_wh[0], height=size_wh[1])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def remuxed(source: Path, path: Path, *, ms_of: Callable[[int], int] = lambda ms: ms, **options: str) -> Path:
    """The packets of `source` in another container, each at the time that `ms_of` makes of its own, in milliseconds."""
    with av.open(str(source)) as read, av.open(str(path), "w", options=options) as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            assert packet.time_base is not None
            ms = [round(ticks * packet.time_base * 1000) for ticks in (packet.pts, packet.dts, packet.duration or 0)]
            packet.pts, packet.dts, packet.duration = ms_of(ms[0]), ms_of(ms[1]), ms[2]
            packet.time_base, packet.stream = Fraction(1, 1000), copy
            written.mux(packet)
    return path


def turned(path: Path, quarter_turns: int) -> Path:
    """The same MP4 with a track header that asks players to turn it clockwise."""
    one = 1 << 16
    cos, sin = {1: (0, one), 2: (-one, 0), 3: (0, -one)}[quarter_turns]
    content = bytearray(path.read_bytes())
    matrix_at = content.index(b"tkhd") + 4 + 4 + 20 + 16
    content[matrix_at : matrix_at + 36] = struct.pack(">9i", cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def make_frameless_video(path: Path) -> None:
    """A whole MP4 with a video stream that holds no frame."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        output.start_encoding()


def numbers_in(path: Path) -> list[int]:
    """The numbers of all frames that decode, in the order shown."""
    numbers: list[int] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            try:
                numbers += [number_of(frame.to_ndarray(format="rgb24")) for frame in packet.decode()]
            except av.error.FFmpegError:
                continue
    return numbers
