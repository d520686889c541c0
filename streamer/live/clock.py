"""When the frames of a live stream were seen. Pure: arrival times are told to it."""

from datetime import UTC, datetime
from fractions import Fraction

from streamer.bus.messages import TimeOrigin

TOLD_AT_LEAST = 3  # the first frame behind a report carries the time of its neighbour
WINDOW_S = 30.0  # the two clocks drift apart by about a millisecond in this time


class LiveClock:
    """Maps a stream's own times to UTC.

    By the camera's clock, where its RTCP sender reports tell it and it is not far off ours; else by arrival. The frame
    that came with the least delay lately says how far stream time is from ours: what a server had in store arrives in a
    burst and looks later than it was.
    """

    def __init__(self, time_base: Fraction, *, off_at_most_s: float) -> None:
        """Read times in ticks of `time_base`; a camera's clock that is off by more is not believed."""
        self._time_base, self._off_at_most_s = time_base, off_at_most_s
        self._camera_offset_s: float | None = None
        self._told_count = 0
        self._least_s: tuple[float, float] | None = None  # least offset of the window before, and of this one
        self._window_since_s = 0.0
        self.off_s: float | None = None  # by how much the camera's clock is off, once it is too much

    @property
    def knows_camera(self) -> bool:
        """Whether the camera's own clock is known, and believed."""
        return self._camera_offset_s is not None and self._told_count >= TOLD_AT_LEAST

    def note(self, pts: int, *, arrived_s: float, camera_s: float | None) -> None:
        """Take in that the frame shown at `pts` arrived.

        Args:
            pts: Ticks of the stream.
            arrived_s: This machine's clock, seconds since 1970.
            camera_s: The camera's clock for this frame, seconds since 1970, where it tells.
        """
        shown_s = float(pts * self._time_base)
        if camera_s is not None:
            is_off = abs(camera_s - arrived_s) > self._off_at_most_s
            self.off_s = camera_s - arrived_s if is_off else None
            self._told_count += 1
            self._camera_offset_s = None if is_off else camera_s - shown_s
        offset_s = arrived_s - shown_s
        if self._least_s is None:
            self._least_s, self._window_since_s = (offset_s, offset_s), arrived_s
        elif abs(arrived_s - self._window_since_s) > WINDOW_S:
            self._least_s, self._window_since_s = (self._least_s[1], offset_s), arrived_s
        else:
            self._least_s = (self._least_s[0], min(self._least_s[1], offset_s))

    def seen_at(self, pts: int) -> tuple[datetime, TimeOrigin]:
        """When the frame shown at `pts` was seen, and by which clock; something must have been noted."""
        assert self._least_s is not None
        shown_s = float(pts * self._time_base)
        if self.knows_camera and self._camera_offset_s is not None:
            return datetime.fromtimestamp(shown_s + self._camera_offset_s, UTC), TimeOrigin.RTCP
        return datetime.fromtimestamp(shown_s + min(self._least_s), UTC), TimeOrigin.CLOCK
