"""What is done when analysis of live footage falls behind: wait, thin, skip, in that order. Pure."""

from dataclasses import dataclass

from streamer.bus.camera_report import Pressure

RELIEF = 0.5  # a step is taken back once the oldest has waited for less than this share of what led to it


@dataclass(frozen=True, slots=True)
class CameraBacklog:
    """The footage of one camera that nobody has analysed yet."""

    waiting: int = 0  # segments that are not on the bus, those that the media store lacks among them
    in_flight: int = 0  # segments on the bus
    duration_s: float = 0.0
    size_bytes: int = 0
    oldest_s: float = 0.0  # how long the oldest has waited
    unstored: int = 0  # of the waiting segments, those that the media store does not have yet

    @property
    def segments(self) -> int:
        """All of them."""
        return self.waiting + self.in_flight


@dataclass(frozen=True, slots=True)
class Limits:
    """Where each step begins."""

    in_flight: int
    thin_after_s: float
    skip_after_s: float
    quota_bytes: int


def pressure_of(backlog: CameraBacklog, limits: Limits, before: Pressure) -> Pressure:
    """The step for one camera; `before` is its step until now, kept until there is some relief.

    >>> limits = Limits(in_flight=8, thin_after_s=30, skip_after_s=600, quota_bytes=10**9)
    >>> pressure_of(CameraBacklog(waiting=9, in_flight=8, oldest_s=20), limits, Pressure.NONE).value
    'waiting'
    >>> pressure_of(CameraBacklog(waiting=9, in_flight=8, oldest_s=20), limits, Pressure.THINNED).value
    'thinned'
    """
    is_thinned = before in (Pressure.THINNED, Pressure.SKIPPING)
    is_held = backlog.waiting > room_on_bus(backlog, limits)
    if is_held and backlog.oldest_s >= limits.skip_after_s * (RELIEF if before is Pressure.SKIPPING else 1):
        return Pressure.SKIPPING
    if backlog.oldest_s >= limits.thin_after_s * (RELIEF if is_thinned else 1):
        return Pressure.THINNED
    return Pressure.WAITING if is_held else Pressure.NONE


def room_on_bus(backlog: CameraBacklog, limits: Limits) -> int:
    """How many more segments of the camera may be published now."""
    return max(0, limits.in_flight - backlog.in_flight)


def over_quota_bytes(backlogs: dict[str, CameraBacklog], limits: Limits) -> int:
    """By how much the footage of all cameras is more than may wait; 0 when it is not."""
    return max(0, sum(each.size_bytes for each in backlogs.values()) - limits.quota_bytes)
