"""Tries a camera's address: connects, watches for some seconds, and says what comes."""

import time
from dataclasses import dataclass
from itertools import pairwise

from streamer.bus.camera_file import CameraSpec
from streamer.bus.settings import Live
from streamer.live.clock import LiveClock
from streamer.live.segmenter import COPIED
from streamer.live.stream import LiveStream

ENOUGH_KEYFRAMES = 3


@dataclass(frozen=True, slots=True)
class CameraCheck:
    """What a camera sends."""

    codec: str
    width_px: int
    height_px: int
    fps: float
    bitrate_mbit_s: float
    gop_s: float | None  # between keyframes; None when there were not two
    connected_after_s: float
    camera_off_s: float | None  # its clock less ours; None when it does not tell

    def lines(self, live: Live) -> list[str]:
        """What there is to say of it, in words."""
        gop = f"a keyframe every {self.gop_s:.1f} s" if self.gop_s is not None else "fewer than two keyframes came"
        clock = "it does not tell its clock, so times are those of arrival"
        if self.camera_off_s is not None:
            is_believed = abs(self.camera_off_s) <= live.clock_off_at_most_s
            clock = f"its clock is {self.camera_off_s:+.1f} s from ours"
            clock += "" if is_believed else ", which is not believed: set it by NTP"
        size = f"{self.width_px}x{self.height_px}"
        rates = f"{self.fps:.3g} frames/s, {self.bitrate_mbit_s:.2g} Mbit/s"
        said = [f"{self.codec}, {size}, {rates}, after {self.connected_after_s:.1f} s", f"{gop}; {clock}"]
        if self.codec not in COPIED or (self.gop_s or 0) > live.longest_gop_s:
            said.append("it will be encoded anew, which costs much: set it to H.264 with a keyframe every 2 s")
        return said


def check_camera(spec: CameraSpec, live: Live, *, watch_s: float) -> CameraCheck:
    """Watch a camera for at most `watch_s`, or until three keyframes have come.

    Raises:
        CameraError: it gives no usable stream.
        CameraFileError: its password file cannot be read.
    """
    began_s = time.monotonic()
    stream = LiveStream(spec, connect_s=live.connect_s, stall_s=live.stall_s)
    try:
        connected_s = time.monotonic()
        clock = LiveClock(stream.stream.time_base, off_at_most_s=float("inf"))
        keyframes: list[int] = []
        off_s: float | None = None
        size_bytes, first_pts, last_pts = 0, None, 0
        for packet in stream.packets():
            camera_s, now_s = stream.camera_time_s(packet), time.time()
            clock.note(packet.pts, arrived_s=now_s, camera_s=camera_s)
            off_s = off_s if camera_s is None else camera_s - now_s
            first_pts, last_pts = packet.pts if first_pts is None else first_pts, packet.pts
            size_bytes += packet.size
            keyframes += [packet.pts] if packet.is_keyframe else []
            is_known = len(keyframes) >= ENOUGH_KEYFRAMES and (clock.knows_camera or not stream.may_tell_time)
            if is_known or time.monotonic() - connected_s > watch_s:
                break
        tick_s = float(stream.stream.time_base)
        length_s = max((last_pts - (first_pts or 0)) * tick_s, tick_s)
        codec = stream.stream.codec_context
        return CameraCheck(
            codec=codec.name,
            width_px=codec.width,
            height_px=codec.height,
            fps=stream.fps,
            bitrate_mbit_s=size_bytes * 8e-6 / length_s,
            gop_s=max(((after - before) * tick_s for before, after in pairwise(keyframes)), default=None),
            connected_after_s=connected_s - began_s,
            camera_off_s=off_s,
        )
    finally:
        stream.close()
