"""A zone drawn on a camera's frame: corner after corner, by mouse, by thumb or by keys."""

import base64
from collections.abc import Awaitable, Callable, Sequence

from nicegui import events, ui

from consumers.web.components.words import Words, button
from consumers.web.wording import count

Corner = tuple[float, float]
LEAST_CORNERS = 3
STEP, LEAP = 0.01, 0.1  # of the frame's side, by an arrow key, and by one with Shift
ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}
KEYS = (
    "(e) => { if (['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Enter', 'Backspace'].includes(e.key)) "
    "{ e.preventDefault(); emit(e.key, e.shiftKey); } }"
)
HOW = "Click corner after corner; by keys, arrows move the cross, Enter sets a corner, Backspace takes it back."


class ZoneEditor:
    """Shows one frame and what is drawn on it; `keep` is told of the name and the corners."""

    def __init__(
        self,
        picture: bytes,
        size_wh: tuple[int, int],
        keep: Callable[[str, tuple[Corner, ...]], Awaitable[None]],
        leave: Callable[[], None],
        *,
        name: str = "",
        others: Sequence[Sequence[Corner]] = (),
    ) -> None:
        """Draw on a picture.

        Args:
            picture: The frame, a JPEG.
            size_wh: Its size in pixels.
            keep: Told when it shall be kept.
            leave: Told when it shall not.
            name: What the zone is called already.
            others: Zones that are there, shown fainter.
        """
        self._size, self._keep, self._others = size_wh, keep, others
        self._corners: list[Corner] = []
        self._cross: Corner = (0.5, 0.5)
        width, height = size_wh
        with Words("div", "", "zone-editor"):
            Words("p", HOW, "sum")
            with Words("div", "", "zone-frame", tabindex="0", role="group", aria_label=f"The frame. {HOW}") as frame:
                self._image = ui.interactive_image(
                    "data:image/jpeg;base64," + base64.b64encode(picture).decode(),
                    size=size_wh,
                    on_mouse=self._clicked,
                    events=["click"],
                )
                self._image.props("aria-hidden=true").style(f"max-width:calc(58dvh * {width / height:.4f})")
            frame.on("keydown", self._pressed, js_handler=KEYS)
            self._said = Words("p", "", "sum", role="status")
            with Words("div", "", "line"):
                self._name = ui.input(label="Name of the zone", value=name, placeholder="loading-door")
                self._name.props("dense borderless stack-label autocomplete=off").classes("zone-name")
                button("undo", "Take the last corner back", self._take_back)
                button("save", "Save the zone", self._save, is_main=True)
                button("close", "Leave it", leave)
        self._draw()

    def _clicked(self, event: events.MouseEventArguments) -> None:
        width, height = self._size
        self._cross = (_share(event.image_x / width), _share(event.image_y / height))
        self._corners.append(self._cross)
        self._draw()

    def _pressed(self, event: events.GenericEventArguments) -> None:
        key, is_shifted = event.args[0], bool(event.args[1])
        if key in ARROWS:
            (x, y), by = ARROWS[key], LEAP if is_shifted else STEP
            self._cross = (_share(self._cross[0] + x * by), _share(self._cross[1] + y * by))
        elif key == "Enter" and self._cross not in self._corners[-1:]:
            self._corners.append(self._cross)
        elif key == "Backspace" and self._corners:
            self._corners.pop()
        self._draw()

    def _take_back(self) -> None:
        if self._corners:
            self._corners.pop()
        self._draw()

    async def _save(self) -> None:
        if len(self._corners) < LEAST_CORNERS:
            self._said.set_text("A zone has at least three corners.")
            return
        if not (self._name.value or "").strip():
            self._said.set_text("Give the zone a name: rules hold in it by that name.")
            return
        await self._keep(self._name.value.strip(), tuple(self._corners))

    def _draw(self) -> None:
        width, height = self._size
        others = "".join(polygon_svg(other, self._size, is_faint=True) for other in self._others)
        x, y, arm = self._cross[0] * width, self._cross[1] * height, width / 60
        cross = (
            f'<path d="M{x - arm:.1f},{y:.1f}h{2 * arm:.1f}M{x:.1f},{y - arm:.1f}v{2 * arm:.1f}" stroke="#fff" '
            'stroke-width="2" vector-effect="non-scaling-stroke"/>'
        )
        dots = "".join(
            f'<circle cx="{left * width:.1f}" cy="{top * height:.1f}" r="{width / 140:.1f}" fill="#ffd54a"/>'
            for left, top in self._corners
        )
        self._image.content = others + polygon_svg(self._corners, self._size) + dots + cross
        left = max(0, LEAST_CORNERS - len(self._corners))
        more = f"; {count(left, 'more is', 'more are')} needed" if left else ""
        self._said.set_text(f"{count(len(self._corners), 'corner')} set{more}.")


def polygon_svg(corners: Sequence[Corner], size_wh: tuple[int, int], *, is_faint: bool = False) -> str:
    """A polygon as SVG in the pixels of a frame."""
    width, height = size_wh
    points = " ".join(f"{x * width:.1f},{y * height:.1f}" for x, y in corners)
    opacity = 0.08 if is_faint else 0.22
    dashes = ' stroke-dasharray="6 5"' if is_faint else ""
    return (
        f'<polygon points="{points}" fill="#ffd54a" fill-opacity="{opacity}" stroke="#ffd54a" stroke-width="2"{dashes} '
        'vector-effect="non-scaling-stroke"/>'
    )


def _share(number: float) -> float:
    """A place in the frame, to a thousandth of its side: finer nobody points.

    >>> _share(1.2), _share(0.123456)
    (1.0, 0.123)
    """
    return round(min(1.0, max(0.0, number)), 3)
