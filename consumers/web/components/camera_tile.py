"""One camera in *Cameras*: its newest frame and how it is. Only what changes is sent again."""

import time

from consumers.web.cameras.shapes import WatchedCameraShape
from consumers.web.components.camera_words import tile_body
from consumers.web.components.markup import Markup
from consumers.web.components.person_card import Now
from consumers.web.components.words import Words, icon, still

NEW_FRAME_EVERY_S = 10.0  # a tile is no player: each frame has to be decoded here


class CameraTile:
    """A tile that leads to its camera."""

    def __init__(self, camera: WatchedCameraShape, address: str, now: Now, *, may_play: bool) -> None:
        """Show `camera`; `may_play`: whether whoever looks may see footage."""
        self._may_play, self._frame_at_s = may_play, 0.0
        self._frame: str | None = None
        self._body = ""
        self.element = Words("a", "", f"camera-tile {camera.level} is-{camera.state}", href=address)
        with self.element:
            with Words("div", "", "camera-frame"):
                self._none = icon("lock" if not may_play else "videocam_off")
                self._image = Words("img", "", "", alt="", decoding="async")
                self._image.on("error", lambda: self._show_image(None), args=[])
            self._words = still(Markup()).classes("camera-body", remove="still")
        self._show_image(None)
        self.show(camera, now)

    def show(self, camera: WatchedCameraShape, now: Now) -> None:
        """Show the camera as it is now."""
        self.element.classes(
            replace=f"camera-tile {camera.level} is-{camera.state}" + (" chosen" if self._is_chosen else "")
        )
        body = tile_body(camera, now)
        if body != self._body:
            self._body = body
            self._words.set_content(body)
        is_due = time.monotonic() - self._frame_at_s > NEW_FRAME_EVERY_S
        if self._may_play and is_due and camera.frame_url != self._frame:
            self._frame_at_s = time.monotonic()
            self._show_image(camera.frame_url)

    @property
    def _is_chosen(self) -> bool:
        return "chosen" in self.element.classes

    def _show_image(self, address: str | None) -> None:
        self._frame = address
        self._image.set_visibility(address is not None)
        self._none.set_visibility(address is None)
        if address is not None:
            self._image.attributes(src=f"{address}&small=true")
            self._image.update()
