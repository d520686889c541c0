"""Where a live stream is cut: before keyframes that nothing shown earlier needs. Pure but for the packets it holds."""

from dataclasses import dataclass
from typing import Any

EARLY = 0.9  # of the target: a keyframe that comes this soon ends a segment


@dataclass(frozen=True, slots=True)
class PacketRun:
    """The packets of one segment, in the order they came; shown from `start_pts` up to and without `end_pts`."""

    packets: list[Any]
    start_pts: int
    end_pts: int


class GopCutter:
    """Collects packets into segments of about the target, each beginning with a keyframe.

    What comes before the first keyframe is left out. A keyframe followed by frames that are shown before it is no
    border: those need what came earlier.
    """

    def __init__(self, *, target_ticks: int, longest_gop_ticks: int, frame_ticks: int) -> None:
        """Cut into about `target_ticks`; a group of pictures over `longest_gop_ticks` is called long."""
        self._target_ticks, self._longest_gop_ticks, self._frame_ticks = target_ticks, longest_gop_ticks, frame_ticks
        self._packets: list[Any] = []
        self._border: int | None = None  # position of a keyframe that may begin the next segment
        self._last_key_pts = 0

    @property
    def has_long_gop(self) -> bool:
        """Whether the last keyframe is too long ago."""
        return bool(self._packets) and self._packets[-1].pts - self._last_key_pts > self._longest_gop_ticks

    def add(self, packet: Any) -> PacketRun | None:
        """Take one packet; the segment that it ends, if it does."""
        if not self._packets and not packet.is_keyframe:
            return None
        done = self._cut() if self._is_border_before(packet) else None
        self._border = None
        self._packets.append(packet)
        if packet.is_keyframe:
            self._last_key_pts = packet.pts
            if packet.pts - self._packets[0].pts >= EARLY * self._target_ticks:
                self._border = len(self._packets) - 1
        return done

    def finish(self) -> PacketRun | None:
        """What is left when the stream ends."""
        packets, self._packets, self._border = self._packets, [], None
        if not packets:
            return None
        return PacketRun(packets, packets[0].pts, max(packet.pts for packet in packets) + self._frame_ticks)

    def _is_border_before(self, packet: Any) -> bool:
        return self._border is not None and packet.pts > self._packets[self._border].pts

    def _cut(self) -> PacketRun:
        assert self._border is not None
        packets, self._packets = self._packets[: self._border], self._packets[self._border :]
        return PacketRun(packets, packets[0].pts, self._packets[0].pts)
