"""One camera in full: its frame with the zones on it, how it is, its gaps, and what may be done with it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from consumers.access.roles import ADMINISTER
from consumers.errors import ConsumerError
from consumers.web.address import CAMERA, LIVE, Address
from consumers.web.cameras.api import note_change
from consumers.web.cameras.shapes import CameraChangeShape, WatchedCameraShape
from consumers.web.components.camera_form import camera_form
from consumers.web.components.camera_words import backlog_words, gap_list, state_badge, stream_words, warnings
from consumers.web.components.camera_zones import CameraZones
from consumers.web.components.markup import Markup, coded, tag, together
from consumers.web.components.markup import icon as drawn
from consumers.web.components.person_dialog import entries
from consumers.web.components.words import Words, button, icon, still
from consumers.web.rooms.room import Surroundings
from consumers.web.wording import seen_time
from streamer.bus.camera_file import CameraSpec
from streamer.bus.errors import BusError


@dataclass(frozen=True, slots=True)
class Told:
    """Whom the sheet tells of what was done."""

    changed: Callable[[], Awaitable[None]]
    removed: Callable[[CameraSpec], None]
    closed: Callable[[], None]


class CameraSheet:
    """The sheet over the room; the address decides which camera it shows."""

    def __init__(self, around: Surroundings, told: Told) -> None:
        """Stay closed until a camera is asked for."""
        self._around, self._told = around, told
        self._camera: WatchedCameraShape | None = None
        self._facts: ui.html | None = None
        self._dialog = ui.dialog().props('aria-label="Camera"')
        self._dialog.on_value_change(self._changed)
        with self._dialog:
            self._sheet = Words("section", "", "sheet")

    @property
    def camera_id(self) -> str | None:
        """Which camera it shows."""
        return self._camera.camera_id if self._camera else None

    async def open(self, camera: WatchedCameraShape) -> None:
        """Show a camera."""
        self._camera = camera
        self._sheet.clear()
        with self._sheet:
            self._head(f"Camera {camera.camera_id}")
            with Words("div", "", "sheet-body", tabindex="-1"):
                with Words("div", "", "stage"):
                    zones = CameraZones(camera, self._around)
                    self._acts(camera)
                    self._form = Words("div")
                with Words("div", "", "facts"):
                    self._facts = still(self._said(camera))
                    zones.lay_out_list()
        self._dialog.open()
        await zones.show()

    def follow(self, camera: WatchedCameraShape) -> None:
        """Say anew how the camera is, if it is the one that is shown."""
        if self._camera is not None and self._facts is not None and camera.camera_id == self._camera.camera_id:
            self._facts.set_content(self._said(camera))

    def ask_for_new(self) -> None:
        """Ask for what a new camera needs."""
        self._camera = None
        self._sheet.clear()
        with self._sheet.classes(add="narrow"):
            self._head("Add a camera")
            with Words("div", "", "sheet-body"):
                camera_form(None, self._keep)
        self._dialog.open()

    def close(self) -> None:
        """Show nothing."""
        self._dialog.close()

    def _head(self, title: str) -> None:
        with Words("header", "", "sheet-head"):
            Words("h2", title)
            with (
                Words("div", "", "rest"),
                Words("button", "", "act plain", aria_label="Close", title="Close (Esc)") as x,
            ):
                icon("close")
            x.on("click", self._dialog.close)

    def _acts(self, camera: WatchedCameraShape) -> None:
        with Words("div", "", "line"):
            people = Address(LIVE, {CAMERA: camera.camera_id})
            still(tag("a", drawn("groups"), tag("span", "Its people"), class_="act", href=str(people)))
            if not self._around.identity.may(ADMINISTER) or not camera.is_in_file:
                return
            is_on = camera.state != "off"
            button("edit", "Change", lambda: self._ask_for_change(camera))
            button(
                "videocam_off" if is_on else "videocam",
                "Watch it no longer" if is_on else "Watch it again",
                lambda: self._keep(camera.camera_id, CameraChangeShape(is_enabled=not is_on)),
            )
            button("delete", "Remove", self._remove)

    def _ask_for_change(self, camera: WatchedCameraShape) -> None:
        self._form.clear()
        with self._form:
            camera_form(camera, self._keep)

    def _said(self, camera: WatchedCameraShape) -> Markup:
        now = self._around.look.now()
        facts = {"Address": camera.url or "Files; see `sources` in crewsight.yaml"}
        if camera.since is not None:
            facts["So since"] = seen_time(camera.since, now.zone, now.instant)
        if camera.last_frame_at is not None:
            facts["Last frame"] = seen_time(camera.last_frame_at, now.zone, now.instant)
        if camera.last_segment_at is not None:
            facts["Last segment"] = seen_time(camera.last_segment_at, now.zone, now.instant)
        if camera.stream is not None and camera.stream.codec:
            facts["Sends"] = stream_words(camera.stream)
        facts |= backlog_words(camera.backlog) if camera.backlog else {}
        return together(
            tag("div", tag("p", state_badge(camera)), tag("p", camera.words), class_="camera-how"),
            tag("p", drawn("build"), tag("span", coded(camera.to_do)), class_="note warn")
            if camera.to_do
            else Markup(),
            *(tag("p", drawn("info"), tag("span", told), class_="note") for told in warnings(camera.stream)),
            entries(facts),
            tag("div", tag("h3", "Last gaps"), gap_list(camera.last_gaps, now)) if camera.backlog else Markup(),
        )

    async def _keep(self, camera_id: str, asked: CameraChangeShape) -> None:
        cameras, access = self._around.services.cameras, self._around.services.access
        try:
            who = await self._around.permitted(ADMINISTER)
            before = await asyncio.to_thread(cameras.put, camera_id, asked)
            await asyncio.to_thread(lambda: note_change(access, who.name, camera_id, asked, is_new=before is None))
        except (ConsumerError, BusError) as error:
            ui.notify(str(error), type="negative", timeout=8000, position="top")
            return
        done = "is added" if before is None else "is changed"
        ui.notify(f"{camera_id} {done}; the streamer follows by itself.", type="positive", position="top")
        await self._told.changed()
        self._dialog.close()  # last: with it goes the button that was clicked

    async def _remove(self) -> None:
        assert self._camera is not None
        camera_id, services = self._camera.camera_id, self._around.services
        try:
            who = await self._around.permitted(ADMINISTER)
            before = await asyncio.to_thread(services.cameras.remove, camera_id)
            await asyncio.to_thread(services.access.log, who.name, "camera removed", camera_id)
        except (ConsumerError, BusError) as error:
            ui.notify(str(error), type="negative", timeout=8000, position="top")
            return
        self._told.removed(before)
        await self._told.changed()
        self._dialog.close()  # last: with it goes the button that was clicked

    def _changed(self) -> None:
        if not self._dialog.value:
            self._camera = self._facts = None
            self._told.closed()
            self._sheet.clear()
            self._sheet.classes(remove="narrow")
