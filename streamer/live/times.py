"""Gives every packet of a live stream the times that a file needs. Pure but for the packets it changes.

FFmpeg knows no time of the first packet, and decoding times (`dts`) only once it has seen how frames are reordered.
"""

from typing import Any

HELD_AT_MOST = 32  # packets: no encoder looks further ahead


class PacketTimes:
    """Holds the first packets until their times are known; then `dts` grows and is never above `pts`."""

    def __init__(self, *, frame_ticks: int, tremor_ticks: int) -> None:
        """Count in ticks: a frame takes `frame_ticks`; a `dts` that goes back by less than `tremor_ticks` is mended."""
        self._frame_ticks, self._tremor_ticks = frame_ticks, tremor_ticks
        self._held: list[Any] = []
        self._last_dts: int | None = None

    def add(self, packet: Any) -> list[Any]:
        """Take one packet; those whose times are known now, in the order they came."""
        if self._last_dts is None:
            self._held.append(packet)
            if packet.dts is None and len(self._held) < HELD_AT_MOST:
                return []
            self._date_held()
            ready, self._held = self._held, []
        else:
            ready = [packet]
        for each in ready:
            self._settle(each)
        return ready

    def _date_held(self) -> None:
        """Count back from the last, the first whose `dts` is known; the first of all is shown before all others."""
        first, last = self._held[0], self._held[-1]
        shown = [packet.pts for packet in self._held[1:] if packet.pts is not None]
        if first.pts is None and shown:
            first.pts = min(shown) - self._frame_ticks
        if last.dts is None:  # it never was
            last.dts = (first.pts or 0) + (len(self._held) - 1) * self._frame_ticks
        for back, packet in enumerate(reversed(self._held)):
            packet.dts = last.dts - back * self._frame_ticks

    def _settle(self, packet: Any) -> None:
        last = self._last_dts
        if packet.dts is None:
            packet.dts = (last or 0) + 1
        if last is not None and 0 <= last - packet.dts < self._tremor_ticks:
            packet.dts = last + 1
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        self._last_dts = packet.dts
