"""A box drawn on a frame of a clip: search for whoever is in it."""

import asyncio
import base64

from nicegui import events, ui

from consumers.access.roles import PLAY
from consumers.errors import ConsumerError
from consumers.web.address import FRAME, SEARCH, Address
from consumers.web.components.words import Words, icon
from consumers.web.rooms.room import Surroundings
from consumers.web.schemas import PersonShape
from consumers.web.search.search_address import frame_words
from consumers.web.search.shapes import BoxAsked, FrameAsked
from consumers.web.shaping import media_uri
from streamer.bus.errors import MediaStoreError

STEP_S = 0.5
LEAST = 0.02  # of the frame's side; a shorter drag is a tap on a corner
LINE = 'fill="none" stroke="#ffd54a" stroke-width="{0}" vector-effect="non-scaling-stroke"'


class FrameBox:
    """A dialog with one frame: drag a box, or tap two of its corners, which a thumb does better."""

    def __init__(self, person: PersonShape, around: Surroundings) -> None:
        """Draw on the clip of `person`."""
        self._person, self._around = person, around
        self._segment_id = person.track_id.rpartition("/")[0]
        self._at_s = person.clip.at_s
        self._corner: tuple[float, float] | None = None
        self._box: BoxAsked | None = None
        self._dialog = ui.dialog().props('aria-label="Draw a box"')
        with self._dialog, Words("section", "", "sheet box-sheet"):
            with Words("header", "", "sheet-head"):
                Words("h2", "Whom to look for")
                self._second = Words("span", "", "sum")
                with Words("div", "", "rest"), Words("button", "", "act plain", aria_label="Close") as shut:
                    icon("close")
                shut.on("click", self._dialog.close)
            with Words("div", "", "box-body"):
                size = (person.clip.width_px, person.clip.height_px)
                self._image = ui.interactive_image(
                    size=size, on_mouse=self._touched, events=["mousedown", "mouseup"], cross="#ffd54a"
                )
                self._image.style(f"max-width:calc(62dvh * {size[0] / size[1]:.4f})")
                with Words("div", "", "line"):
                    self._step("chevron_left", f"{STEP_S:g} s before", -STEP_S)
                    self._step("chevron_right", f"{STEP_S:g} s after", STEP_S)
                    self._hint = Words("span", "", "sum", role="status")
                    self._go = Words("button", "", "act main")
                    with self._go.on("click", self._search):
                        icon("search")
                        Words("span", "Search")
        self._show_box()

    async def open(self, at_s: float) -> None:
        """Show the frame of that second of the clip."""
        try:
            await self._show(at_s)
        except (ConsumerError, MediaStoreError) as error:
            ui.notify(f"This frame cannot be shown: {error}", type="negative", timeout=8000)
            return
        self._dialog.open()

    async def _show(self, at_s: float) -> None:
        services, uri = self._around.services, media_uri(self._person.clip.url)
        who = await self._around.permitted(PLAY)
        await asyncio.to_thread(services.access.log, who.name, "play", uri, at_s=round(at_s, 2))
        picture = await asyncio.to_thread(services.frames.jpeg, uri, at_s)
        self._at_s = at_s
        self._image.set_source("data:image/jpeg;base64," + base64.b64encode(picture).decode())
        self._second.set_text(f"Camera {self._person.camera_id}, second {at_s:.1f} of the clip")

    def _step(self, drawing: str, words: str, by_s: float) -> None:
        async def step() -> None:
            try:
                await self._show(max(0.0, self._at_s + by_s))
            except (ConsumerError, MediaStoreError):
                ui.notify("The clip ends there.", type="warning")

        with Words("button", "", "act", aria_label=words, title=words).on("click", step):
            icon(drawing)

    def _touched(self, event: events.MouseEventArguments) -> None:
        width, height = self._person.clip.width_px, self._person.clip.height_px
        point = (min(1.0, max(0.0, event.image_x / width)), min(1.0, max(0.0, event.image_y / height)))
        if event.type == "mousedown" and self._corner is None:
            self._corner, self._box = point, None
        elif event.type == "mouseup" and self._corner is not None:
            self._box = boxed(self._corner, point)
            if self._box is not None:
                self._corner = None
        self._show_box()

    def _show_box(self) -> None:
        """Draw what there is of the box, and say what to do."""
        width, height = self._person.clip.width_px, self._person.clip.height_px
        if self._box is not None:
            box, line = self._box, LINE.format(3)
            sides = f'width="{box.width * width:.1f}" height="{box.height * height:.1f}"'
            self._image.content = f'<rect x="{box.left * width:.1f}" y="{box.top * height:.1f}" {sides} {line}/>'
            self._hint.set_text("Search, or draw another.")
        elif self._corner is not None:
            x, y = self._corner[0] * width, self._corner[1] * height
            self._image.content = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{width / 90:.1f}" {LINE.format(3)}/>'
            self._hint.set_text("Now the opposite corner.")
        else:
            self._image.content = ""
            self._hint.set_text("Drag a box around somebody, or tap two corners.")
        self._go.attributes(disabled=self._box is None)
        self._go.update()

    def _search(self) -> None:
        if self._box is not None:
            asked = FrameAsked(segment_id=self._segment_id, at_s=round(self._at_s, 2), box=self._box)
            self._dialog.close()
            self._around.go(Address(SEARCH, {FRAME: frame_words(asked)}))


def boxed(one: tuple[float, float], other: tuple[float, float]) -> BoxAsked | None:
    """The box between two corners, None when they are too near each other.

    >>> boxed((0.5, 0.8), (0.25, 0.2))
    BoxAsked(left=0.25, top=0.2, width=0.25, height=0.6000000000000001)
    >>> boxed((0.5, 0.5), (0.51, 0.9)) is None
    True
    """
    left, top = min(one[0], other[0]), min(one[1], other[1])
    width, height = abs(one[0] - other[0]), abs(one[1] - other[1])
    return BoxAsked(left=left, top=top, width=width, height=height) if min(width, height) >= LEAST else None
