"""*Cameras*: a tile a camera, how each is and what to do about it; added, changed, removed and drawn on here."""

import asyncio
from datetime import datetime

from nicegui import ui

from consumers.access.roles import ADMINISTER, PLAY
from consumers.errors import ConsumerError
from consumers.web.address import CAMERA, CAMERAS, SEARCH, Address
from consumers.web.cameras.shapes import WatchedCamerasShape
from consumers.web.components.camera_sheet import CameraSheet, Told
from consumers.web.components.camera_tile import CameraTile
from consumers.web.components.camera_words import summary
from consumers.web.components.markup import icon as drawn
from consumers.web.components.markup import tag
from consumers.web.components.person_card import nobody
from consumers.web.components.words import Words, button, still
from consumers.web.rooms.room import Selection, Surroundings
from streamer.bus.camera_file import CameraSpec
from streamer.bus.errors import BusError

LOOK_EVERY_S = 2.0


class CamerasRoom:
    """One browser's *Cameras*."""

    path, name = CAMERAS, "Cameras"

    def __init__(self, around: Surroundings) -> None:
        """Lay the room out; `follow` fills it."""
        self._around, self._cameras = around, around.services.cameras
        self._tiles: dict[str, CameraTile] = {}
        self._selection = Selection()
        self._shown: WatchedCamerasShape | None = None
        with Words("section", "", "room", tabindex="-1", aria_label="Cameras"):
            with Words("div", "", "room-head"):
                Words("h1", "Cameras")
                self._sum = Words("span", "", "sum", role="status")
                if around.identity.may(ADMINISTER):
                    with Words("div", "", "head-acts"):
                        button("add", "Add a camera", self._add)
            self._notes = Words("div")
            self._grid = Words("div", "", "cameras")
            self._undo = Words("div", "", "told-line", role="status")
        self._sheet = CameraSheet(around, Told(self._look, self._offer_undo, self._closed))
        ui.timer(LOOK_EVERY_S, self._look)

    async def follow(self, address: Address) -> None:
        """Show the cameras, and in full the one that the address names."""
        await self._look()
        wanted = address.get(CAMERA)
        if wanted is None or self._shown is None:
            if wanted is None and self._sheet.camera_id is not None:
                self._sheet.close()
            return
        camera = next((each for each in self._shown.cameras if each.camera_id == wanted), None)
        if camera is None:
            ui.notify(f"No camera is called {wanted}.", type="warning", position="top")
        elif self._sheet.camera_id != wanted:
            await self._sheet.open(camera)

    def step(self, by: int) -> None:
        """Select the next or previous camera."""
        self._selection.step([tile.element for tile in self._tiles.values()], by)

    def beside(self, person_id: str, by: int) -> str | None:
        """Nobody stands here."""
        del person_id, by
        return None

    def let_go(self) -> None:
        """Select none."""
        self._selection.let_go()

    def write(self) -> None:
        """Words are written in *Search*."""
        self._around.go(Address(SEARCH))

    def key(self, name: str) -> None:
        """Add a camera (c)."""
        if name == "c" and self._around.identity.may(ADMINISTER):
            self._add()

    def _add(self) -> None:
        self._sheet.ask_for_new()

    def _closed(self) -> None:
        address = self._around.address()
        if address.room == CAMERAS and address.get(CAMERA):
            self._around.go(address.but(**{CAMERA: None}))

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._cameras.cameras, self._midnight())
        except ConsumerError as error:
            self._sum.set_text(str(error))
            return
        if self._grid.is_deleted:
            return
        before, self._shown = self._shown, found
        self._sum.set_text(summary(found.cameras))
        if before is None or (before.fault, before.is_bus_there) != (found.fault, found.is_bus_there):
            self._tell(found)
        self._show(found)

    def _midnight(self) -> datetime:
        now = self._around.look.now()
        return now.instant.astimezone(now.zone).replace(hour=0, minute=0, second=0, microsecond=0)

    def _tell(self, found: WatchedCamerasShape) -> None:
        """What concerns all cameras."""
        self._notes.clear()
        told = [found.fault] if found.fault else []
        if not found.is_bus_there:
            told.append("The broker does not answer, so nothing new is known of live cameras. System says more.")
        with self._notes:
            for words in told:
                still(tag("p", drawn("warning"), tag("span", words), class_="note warn"))

    def _show(self, found: WatchedCamerasShape) -> None:
        """Bring the tiles up to date; only where cameras came or went are they laid out anew."""
        now = self._around.look.now()
        if [camera.camera_id for camera in found.cameras] != list(self._tiles) or not found.cameras:
            self._lay_out(found)
        for camera in found.cameras:
            self._tiles[camera.camera_id].show(camera, now)
            self._sheet.follow(camera)

    def _lay_out(self, found: WatchedCamerasShape) -> None:
        if not found.cameras and self._grid.default_slot.children:
            return
        self._grid.clear()
        self._tiles.clear()
        self._selection = Selection()
        now, may_play = self._around.look.now(), self._around.identity.may(PLAY)
        with self._grid:
            for camera in found.cameras:
                address = str(Address(CAMERAS, {CAMERA: camera.camera_id}))
                self._tiles[camera.camera_id] = CameraTile(camera, address, now, may_play=may_play)
            if not found.cameras:
                nobody(
                    "videocam_off",
                    "There is no camera yet",
                    "Add one by its RTSP address, here or by `crewsight cameras add`, or name files and folders under "
                    "`sources` in crewsight.yaml.",
                )

    def _offer_undo(self, removed: CameraSpec) -> None:
        """A camera that was removed comes back at a click, password and all; nobody sees it."""

        async def undo() -> None:
            services = self._around.services
            try:
                who = await self._around.permitted(ADMINISTER)
                await asyncio.to_thread(self._cameras.restore, removed)
                await asyncio.to_thread(services.access.log, who.name, "camera added", removed.camera, undone=True)
            except (ConsumerError, BusError) as error:
                ui.notify(str(error), type="negative", timeout=8000, position="top")
                return
            self._undo.clear()
            await self._look()

        self._undo.clear()
        with self._undo:
            Words("span", f"{removed.camera} is not watched any more. Its footage and the people in it stay.")
            button("undo", "Undo", undo)
