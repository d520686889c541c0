"""The clip a person was seen in, playing where it is shown, with a box that goes with them.

The box is a CSS animation along the person's path. The browser tells when the clip plays, stops or is sought; the
server asks for the second and starts the animation there.
"""

import time
from collections.abc import Sequence
from typing import Protocol

from nicegui import ui

from consumers.web.components.words import Words, icon
from consumers.web.schemas import ClipShape, StepShape

ALONE_S = 0.4  # how long a box stands that is known at one second only
PATIENCE_S = 10.0  # of a browser that is busy: a box left where it was would be wrong
RESYNC_ON = ("playing", "pause", "seeked", "waiting", "ended")


class Walked(Protocol):
    """Somebody with a clip and the way they take through it."""

    @property
    def id(self) -> int:
        """A number of their own on the page."""

    @property
    def camera_id(self) -> str:
        """Whose clip it is."""

    @property
    def clip(self) -> ClipShape:
        """The clip, and the second to begin at."""

    @property
    def path(self) -> tuple[StepShape, ...]:
        """Where they are at which second of the clip; at least one step."""


class ClipPlayer:
    """Plays one person's clip from the second of their best look."""

    def __init__(self, person: Walked, best: str = "Best look") -> None:
        """Show the clip and, once it plays, the box; `best` names the second at which it begins."""
        self._person, self._jumps = person, 0
        self._from_s, self._lasts_s = _span(person.path)
        clip = person.clip
        with Words("div", "", "screen") as screen:
            screen.style(f"aspect-ratio:{clip.width_px}/{clip.height_px}")
            screen.style(f"max-width:calc(60dvh * {clip.width_px / clip.height_px:.4f})")
            Words("style", walk_keyframes(person))
            self._video = Words(
                "video",
                src=f"{clip.url}#t={clip.at_s:.2f}",
                controls=True,
                muted=True,
                autoplay=True,
                playsinline=True,
                preload="auto",
                controlslist="nodownload noplaybackrate noremoteplayback",
                disablepictureinpicture=True,
                aria_label=f"Video of camera {person.camera_id}",
            )
            self._layer = Words("div", "", "walk")
        self._is_preview = False
        self._told = Words("p", "", "sum", role="status")
        self._video.on("error", self._fall_back, args=[])
        for event in RESYNC_ON:
            self._video.on(event, self._follow, args=[])
        with Words("div", "", "line"):
            self._jump("my_location", best, clip.at_s)
            self._jump("first_page", "From where they appear", self._from_s)

    async def _follow(self) -> None:
        """Put the box where the person is at the second that the browser shows now."""
        try:
            is_paused = await self._video.get_computed_prop("paused", timeout=PATIENCE_S)
            asked_at = time.monotonic()
            second = (
                None
                if self._video.is_deleted
                else await self._video.get_computed_prop("currentTime", timeout=PATIENCE_S)
            )
        except TimeoutError:
            return  # the browser is gone
        if second is not None and not self._layer.is_deleted:
            late_s = 0.0 if is_paused else time.monotonic() - asked_at
            self._place(second + late_s, is_paused=is_paused)

    def _fall_back(self) -> None:
        """The browser does not play what the camera sends: show a copy that it does."""
        if not self._is_preview:
            self._is_preview = True
            self._told.set_text("This browser does not play what the camera sends, so an H.264 copy is shown.")
            self._play_from(self._person.clip.at_s)

    def _place(self, second: float, *, is_paused: bool) -> None:
        self._layer.clear()
        with self._layer:
            Words("div", "", "walker", aria_hidden="true").style(
                f"animation:{_name(self._person)} {self._lasts_s:.2f}s {self._from_s - second:.3f}s linear;"
                f"animation-play-state:{'paused' if is_paused else 'running'}"
            )

    def _jump(self, drawing: str, words: str, second: float) -> None:
        with ui.element("button").classes("act").on("click", lambda: self._play_from(second)):
            icon(drawing)
            Words("span", words)

    def _play_from(self, second: float) -> None:
        # A media fragment sends a clip to a second without a script; the counter makes it new, or nothing would happen.
        self._jumps += 1
        copy = "?preview=true" if self._is_preview else ""
        self._video.attributes(src=f"{self._person.clip.url}{copy}#t={second:.2f}&jump={self._jumps}")
        self._video.update()


def walk_keyframes(person: Walked) -> str:
    """The CSS keyframes of the person's path; outside of it the box is not seen."""
    from_s, lasts_s = _span(person.path)
    steps = person.path if len(person.path) > 1 else (person.path[0], person.path[0])
    frames = []
    for number, step in enumerate(steps):
        share = (step.at_s - from_s) / lasts_s if len(person.path) > 1 else float(number)
        frames.append(
            f"{share:.2%}{{opacity:1;left:{step.left:.2%};top:{step.top:.2%};"
            f"width:{step.width:.2%};height:{step.height:.2%}}}"
        )
    return f"@keyframes {_name(person)}{{{''.join(frames)}}}"


def _span(path: Sequence[StepShape]) -> tuple[float, float]:
    """The first second of a path and how long it lasts."""
    if len(path) == 1 or path[-1].at_s <= path[0].at_s:
        return max(0.0, path[0].at_s - ALONE_S / 2), ALONE_S
    return path[0].at_s, path[-1].at_s - path[0].at_s


def _name(person: Walked) -> str:
    return f"walk-{person.id}"
