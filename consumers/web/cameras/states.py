"""How a camera is, in a word, a sentence, and what to do about it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from consumers.web.wording import lasted
from streamer.bus.camera_file import CameraSpec
from streamer.bus.camera_report import CameraReport, CamerasReport, Connection, Pressure

STREAMER_SILENT_AFTER = timedelta(seconds=20)  # it reports every five
STALLED_AFTER = timedelta(seconds=5)  # no camera worth watching sends a frame more rarely

Level = Literal["good", "behind", "down", "none"]


class CameraState(StrEnum):
    """A camera's state as the page says it."""

    LIVE = "live"
    BEHIND = "behind"
    THINNED = "thinned"
    SKIPPING = "skipping"
    STALLED = "stalled"
    CONNECTING = "connecting"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    OFF = "off"
    UNKNOWN = "unknown"
    FOOTAGE = "footage"


LEVELS: dict[CameraState, Level] = {
    CameraState.LIVE: "good",
    CameraState.BEHIND: "behind",
    CameraState.THINNED: "behind",
    CameraState.SKIPPING: "down",
    CameraState.STALLED: "behind",
    CameraState.CONNECTING: "behind",
    CameraState.RECONNECTING: "down",
    CameraState.REFUSED: "down",
    CameraState.OFF: "none",
    CameraState.UNKNOWN: "down",
    CameraState.FOOTAGE: "none",
}
MORE_ANALYZERS = "Start a second analyzer or look at fewer frames a second (`sampling.target_fps`)."
MEND_STORE = "Start the media store or give it room; `crewsight doctor` says more. What waits is stored by itself then."
UNSTORED = {
    Pressure.WAITING: CameraState.BEHIND,
    Pressure.THINNED: CameraState.THINNED,
    Pressure.SKIPPING: CameraState.SKIPPING,
}


@dataclass(frozen=True, slots=True)
class CameraStanding:
    """One camera's state, why it is so, and what to do, where anything is to do."""

    state: CameraState
    words: str
    to_do: str | None = None

    @property
    def level(self) -> Level:
        """How bad that is."""
        return LEVELS[self.state]


def stand(
    spec: CameraSpec | None, report: CameraReport | None, said: CamerasReport | None, now: datetime
) -> CameraStanding:
    """How a camera is.

    Args:
        spec: The camera in the cameras file; None: it is not there.
        report: What the streamer said of it last; None: nothing.
        said: The whole of that report, or the last that came from any streamer.
        now: This moment.
    """
    if spec is not None and not spec.is_enabled:
        return CameraStanding(CameraState.OFF, "It is not watched.", "Switch it on to watch it again.")
    if report is None and spec is None:
        return CameraStanding(CameraState.FOOTAGE, "Footage from files; nothing is live here.")
    if said is None or now - said.at > STREAMER_SILENT_AFTER:
        since = "" if said is None else f" for {lasted(said.at, now)}"
        return CameraStanding(
            CameraState.UNKNOWN, f"No streamer has reported{since}.", "Start `crewsight streamer`; System says more."
        )
    if report is None:
        return CameraStanding(CameraState.CONNECTING, "The streamer takes it up.")
    return _connected(report, said) if report.connection is Connection.LIVE else _lost(report, now)


def _lost(report: CameraReport, now: datetime) -> CameraStanding:
    why = f": {report.reason}" if report.reason else ""
    since = lasted(report.since, now)
    if report.connection is Connection.CONNECTING and report.reason is None:
        return CameraStanding(CameraState.CONNECTING, "It is being connected.")
    if report.connection is Connection.REFUSED:
        correct = "Correct its user name, password or path; it is tried again every few minutes at most."
        return CameraStanding(CameraState.REFUSED, f"It answers and says no{why}, for {since}.", correct)
    check = f"It is tried again by itself. Look at its power and network; `crewsight cameras check {report.camera_id}`."
    if report.connection is Connection.CONNECTING:
        return CameraStanding(CameraState.RECONNECTING, f"It has not shown a picture yet{why}.", check)
    return CameraStanding(CameraState.RECONNECTING, f"Nothing has come for {since}{why}. The gap grows.", check)


def _connected(report: CameraReport, said: CamerasReport) -> CameraStanding:
    last = report.last_frame_at
    if last is not None and said.at - last > STALLED_AFTER:
        wait = "It is connected anew by itself once it has been silent for `live.stall_s`."
        silent = f"It is connected, and no frame has come for {lasted(last, said.at)}."
        return CameraStanding(CameraState.STALLED, silent, wait)
    waits = f"{report.waiting_segments} segments wait, the oldest for {report.oldest_waiting_s:.0f} s"
    lost = f"{report.counts.skipped_segments} segments were given up unseen"
    if said.store_fault is not None and report.unstored_segments and report.pressure in UNSTORED:
        away = f"The media store takes nothing: {said.store_fault.rstrip('.')}"
        kept = lost if report.pressure is Pressure.SKIPPING else "footage waits on the streamer's disk"
        return CameraStanding(UNSTORED[report.pressure], f"{away}; {kept}; {waits}.", MEND_STORE)
    if report.pressure is Pressure.SKIPPING:
        return CameraStanding(CameraState.SKIPPING, f"Analysis is too far behind: {lost}; {waits}.", MORE_ANALYZERS)
    if report.pressure is Pressure.THINNED:
        fewer = "Analysis is behind, so fewer frames a second are looked at"
        return CameraStanding(CameraState.THINNED, f"{fewer}; {waits}.", MORE_ANALYZERS)
    if report.pressure is Pressure.WAITING:
        return CameraStanding(CameraState.BEHIND, f"Analysis is behind: {waits}.")
    return CameraStanding(CameraState.LIVE, "Pictures come, and are looked at.")
