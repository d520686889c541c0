"""How cameras are said: their state, what they send, what waits. Pure."""

from collections import Counter
from collections.abc import Iterable

from consumers.web.cameras.shapes import BacklogShape, GapShape, StreamShape, WatchedCameraShape
from consumers.web.cameras.states import CameraState
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.person_card import Now
from consumers.web.wording import age, count, lasted, seen_time

SAID: dict[CameraState, tuple[str, str]] = {  # state -> drawing, word
    CameraState.LIVE: ("videocam", "Live"),
    CameraState.BEHIND: ("schedule", "Behind"),
    CameraState.THINNED: ("filter_list", "Thinned"),
    CameraState.SKIPPING: ("fast_forward", "Skipping"),
    CameraState.STALLED: ("hourglass_bottom", "Stalled"),
    CameraState.CONNECTING: ("sync", "Connecting"),
    CameraState.RECONNECTING: ("sync_problem", "Reconnecting"),
    CameraState.REFUSED: ("lock", "Refused"),
    CameraState.OFF: ("videocam_off", "Off"),
    CameraState.UNKNOWN: ("help", "Unknown"),
    CameraState.FOOTAGE: ("movie", "Footage"),
}
CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG"}
H265 = "H.265: many browsers do not play it, so its clips are shown as an H.264 copy made when they are opened."


def state_badge(camera: WatchedCameraShape) -> Markup:
    """The state as a drawing and a word; its colour is the level's."""
    drawing, word = SAID[camera.state]
    return tag("span", icon(drawing), tag("span", word), class_=f"camera-state {camera.level}")


def summary(cameras: Iterable[WatchedCameraShape]) -> str:
    """How many cameras are how, the commonest first.

    >>> summary([])
    'no cameras'
    """
    states = Counter(camera.state for camera in cameras)
    told = ", ".join(f"{number} {SAID[state][1].lower()}" for state, number in states.most_common())
    return f"{count(states.total(), 'camera')}: {told}" if told else "no cameras"


def tile_body(camera: WatchedCameraShape, now: Now) -> Markup:
    """What a tile says below its picture."""
    return together(
        tag("div", tag("h3", camera.camera_id), state_badge(camera), class_="line"),
        tag("p", camera.words, class_="camera-words") if camera.level != "good" else Markup(),
        tag("p", stream_words(camera.stream), class_="sum") if camera.stream and camera.stream.codec else Markup(),
        tag("p", *_facts(camera, now), class_="camera-facts"),
    )


def _facts(camera: WatchedCameraShape, now: Now) -> list[Markup]:
    seen = camera.last_frame_at or camera.last_segment_at
    facts = [tag("span", f"Last picture {age(seen, now.instant)}" if seen else "No picture yet")]
    if camera.backlog is not None and camera.backlog.waiting_segments:
        facts.append(tag("span", f"{count(camera.backlog.waiting_segments, 'segment')} waiting"))
    if camera.last_gaps:
        facts.append(tag("span", f"Last gap {age(camera.last_gaps[0].until, now.instant)}"))
    facts.append(tag("span", f"{count(camera.people, 'person', 'people')} today"))
    return facts


def stream_words(stream: StreamShape) -> str:
    """What a camera sends, in a line.

    >>> stream_words(StreamShape(codec="hevc", width_px=1920, height_px=1080, fps=25.0, mbit_s=4.04,
    ...                          encoded_because=None, clock_off_s=None))
    'H.265, 1920 × 1080, 25 frames/s, 4.0 Mbit/s'
    """
    parts = [CODECS.get(stream.codec or "", stream.codec or "")]
    if stream.width_px and stream.height_px:
        parts.append(f"{stream.width_px} × {stream.height_px}")
    if stream.fps:
        parts.append(f"{stream.fps:.3g} frames/s")
    if stream.mbit_s is not None:
        parts.append(f"{stream.mbit_s:.1f} Mbit/s")
    return ", ".join(parts)


def warnings(stream: StreamShape | None) -> list[str]:
    """What there is to know of what a camera sends, a sentence each."""
    if stream is None:
        return []
    told = []
    if stream.codec == "hevc":
        told.append(H265)
    if stream.encoded_because:
        told.append(f"It is encoded anew, which costs much: {stream.encoded_because}.")
    if stream.clock_off_s is not None:
        told.append(f"Its clock is {stream.clock_off_s:+.0f} s from ours and is not believed; set it by NTP.")
    return told


def backlog_words(backlog: BacklogShape) -> dict[str, str]:
    """What became of a camera's footage since its streamer started."""
    waiting = "none"
    if backlog.waiting_segments:
        segments = count(backlog.waiting_segments, "segment")
        waiting = f"{segments}, {backlog.waiting_s:.0f} s of footage, the oldest for {backlog.oldest_waiting_s:.0f} s"
    return {
        "Segments": f"{backlog.segments:,} cut, {backlog.analysed_segments:,} looked at",
        "Waiting": waiting,
        "Thinned": count(backlog.thinned_segments, "segment"),
        "Skipped unseen": f"{count(backlog.skipped_segments, 'segment')}, {backlog.skipped_s:.0f} s",
        "Gaps": f"{backlog.gaps:,}, {backlog.gaps_s:.0f} s in all",
    }


def gap_list(gaps: Iterable[GapShape], now: Now) -> Markup:
    """The last gaps, newest first."""
    lines = [
        tag(
            "li",
            tag("span", gap.reason or "nobody knows why"),
            tag("span", f"{seen_time(gap.since, now.zone, now.instant)}, {lasted(gap.since, gap.until)}", class_="at"),
        )
        for gap in gaps
    ]
    return tag("ul", *lines, class_="history") if lines else tag("p", "None is remembered.", class_="sum")
