"""Cameras for tests: a real RTSP server on the loopback that plays clips, and can be killed, held and started again."""

import json
import os
import signal
import struct
import subprocess
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.builders_video import numbered_frame
from tests.ports import free_port

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
ENCODERS = {
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:repeat-headers=1"}),
    "h265": ("libx265", {"preset": "ultrafast", "x265-params": "bframes=0:scenecut=0:repeat-headers=1:log-level=0"}),
}


def rtsp_server_or_skip() -> None:
    """Skip the test where GStreamer's RTSP server is not installed."""
    if (
        not Path(SYSTEM_PYTHON).exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", NEEDED], check=False, capture_output=True).returncode
    ):
        pytest.skip(
            "no GStreamer RTSP server (apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-rtsp)"
        )


def numbered_frames(count: int, *, size_wh: tuple[int, int] = (192, 108)) -> Iterator[NDArray[np.uint8]]:
    """Pictures that carry their number."""
    return (numbered_frame(number, width=size_wh[0], height=size_wh[1]) for number in range(count))


def clip_frames(clip: Path, count: int, *, size_wh: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The first frames of a clip, made smaller."""
    with av.open(str(clip)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == count:
                return
            yield frame.to_ndarray(format="rgb24", width=size_wh[0], height=size_wh[1])


def write_stream(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: int = 10,
    keyframe_every: int = 10,
    codec: str = "h264",
    missing: Container[int] = (),
    b_frames: int = 0,
) -> Path:
    """Encode `frames` as a camera would and write them where the server reads them; replaces what was there.

    Args:
        path: The stream's file.
        frames: Pictures of one size.
        fps: Frames a second.
        keyframe_every: Frames from one keyframe to the next.
        codec: h264 or h265.
        missing: Frames that the camera never sends.
        b_frames: Frames between others that need what is shown after them (h264 only).
    """
    encoder_name, options = ENCODERS[codec]
    if b_frames:
        shape = f"scenecut=0:repeat-headers=1:bframes={b_frames}:b-adapt=0:open-gop=0"
        options = {"preset": "ultrafast", "x264-params": shape}
    encoder: Any = av.CodecContext.create(encoder_name, "w")
    packed = bytearray()
    for index, picture in enumerate(frames):
        if index == 0:
            encoder.width, encoder.height, encoder.pix_fmt = picture.shape[1], picture.shape[0], "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
            encoder.gop_size, encoder.options, encoder.thread_count = keyframe_every, options, 1
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = index
        packed += _packed(encoder.encode(frame), missing)
    packed += _packed(encoder.encode(None), missing)
    path.write_bytes(packed)
    Path(f"{path}.json").write_text(json.dumps({"codec": codec, "fps": fps}))
    return path


def _packed(packets: Iterable[Any], missing: Container[int]) -> bytes:
    units = [(b"" if packet.pts in missing else bytes(packet), packet.pts) for packet in packets]
    return b"".join(struct.pack(">II", len(unit), shown) + unit for unit, shown in units)


class RtspServer:
    """A server on one port; the same port again after every start."""

    def __init__(self, mounts: Mapping[str, Path], *, user: str = "", password: str = "") -> None:
        self.port = free_port()
        self._wanted: dict[str, Any] = {
            "port": self.port,
            "mounts": {name: str(path) for name, path in mounts.items()},
            "user": user,
            "password": password,
        }
        self._process: subprocess.Popen[str] | None = None

    def serve(self, mounts: Mapping[str, Path]) -> None:
        """Play these instead from the next start on."""
        self._wanted["mounts"] = {name: str(path) for name, path in mounts.items()}

    def url(self, mount: str, credentials: str = "") -> str:
        return f"rtsp://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}/{mount}"

    def start(self) -> None:
        command = [SYSTEM_PYTHON, str(SERVER), json.dumps(self._wanted)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == str(self.port)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def hold(self) -> None:
        """Stop the server where it stands: connections stay open and nothing comes."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def rtsp_server(mounts: Mapping[str, Path], *, user: str = "", password: str = "") -> Iterator[RtspServer]:
    """A server that runs while the block does."""
    server = RtspServer(mounts, user=user, password=password)
    server.start()
    try:
        yield server
    finally:
        server.kill()
