"""A camera's frame and its zones: drawn, redrawn, taken away, and which rules hold in them."""

import asyncio
import base64
import io
from collections.abc import Callable
from functools import partial

from nicegui import events, ui
from PIL import Image

from consumers.access.roles import PLAY, WRITE_RULES
from consumers.errors import ConsumerError
from consumers.web.cameras.shapes import WatchedCameraShape, ZoneShape
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.words import Words, button, still
from consumers.web.components.zone_editor import Corner, ZoneEditor, polygon_svg
from consumers.web.rooms.room import Surroundings
from consumers.web.wording import count
from streamer.bus.errors import BusError


class CameraZones:
    """Belongs to one open sheet."""

    def __init__(self, camera: WatchedCameraShape, around: Surroundings) -> None:
        """Lay out the place of the frame; `show` fills it."""
        self._camera, self._around, self._zones = camera, around, around.services.zones
        self._picture: bytes | None = None
        self._size = (16, 9)
        self._stage = Words("div", "", "zone-stage")
        self._list: Words | None = None

    def lay_out_list(self) -> None:
        """Lay out the place of the list."""
        self._list = Words("div", "", "zones")

    async def show(self) -> None:
        """Show the frame as it is now, and the zones on it."""
        if self._picture is None and self._camera.frame_url is not None:
            await self._load()
        await self._show_all()

    async def _load(self) -> None:
        services, camera_id = self._around.services, self._camera.camera_id
        try:
            who = await self._around.permitted(PLAY)
            await asyncio.to_thread(services.plays.note, who, f"newest frame of {camera_id}")
            self._picture = await asyncio.to_thread(partial(services.cameras.frame, camera_id, is_small=False))
        except (ConsumerError, BusError):
            return  # the stage says that there is none
        with Image.open(io.BytesIO(self._picture)) as opened:
            self._size = opened.size

    async def _show_all(self) -> None:
        found = await asyncio.to_thread(self._zones.of_camera, self._camera.camera_id)
        if self._stage.is_deleted or self._list is None or self._list.is_deleted:
            return
        self._stage.clear()
        with self._stage:
            still(self._frame(found))
        self._list.clear()
        with self._list:
            self._show_list(found)

    def _frame(self, found: tuple[ZoneShape, ...]) -> Markup:
        if self._picture is None:
            may_play = self._around.identity.may(PLAY)
            words = "No frame of it is stored." if may_play else f"Seeing footage needs the role {PLAY}."
            return tag("p", icon("videocam_off" if may_play else "lock"), tag("span", words), class_="note")
        width, height = self._size
        picture = "data:image/jpeg;base64," + base64.b64encode(self._picture).decode()
        drawn = Markup("".join(polygon_svg(zone.polygon, self._size) for zone in found))
        names = ", ".join(zone.name for zone in found)
        return tag(
            "div",
            tag("img", src=picture, alt=f"Newest frame of camera {self._camera.camera_id}", width=width, height=height),
            tag("svg", drawn, viewBox=f"0 0 {width} {height}", role="img", aria_label=f"Zones: {names or 'none'}"),
            class_="zone-frame",
        )

    def _show_list(self, found: tuple[ZoneShape, ...]) -> None:
        Words("h3", "Zones")
        if not found:
            still(tag("p", "None yet. A rule without zones holds in the whole picture.", class_="sum"))
        may_write = self._around.identity.may(WRITE_RULES)
        for zone in found:
            with Words("div", "", "zone"):
                still(tag("p", tag("b", zone.name), tag("span", self._shared(zone), class_="sum"), class_="line"))
                if may_write:
                    self._rules_of(zone)
                    with Words("div", "", "line"):
                        if self._picture is not None:
                            button("edit", "Draw anew", partial(self._edit, found, zone))
                        button("delete", "Delete", partial(self._remove, zone))
                else:
                    held = ", ".join(zone.rules) or "no rule yet"
                    still(tag("p", f"Holds for {held}.", class_="sum"))
        if may_write and self._picture is not None:
            with Words("div", "", "line"):
                button("draw", "Draw a zone", partial(self._edit, found, None), is_main=not found)

    def _shared(self, zone: ZoneShape) -> str:
        others = [name for name in zone.cameras if name != self._camera.camera_id]
        corners = count(len(zone.polygon), "corner")
        return f"{corners}; also for {', '.join(others)}" if others else corners

    def _rules_of(self, zone: ZoneShape) -> None:
        """A box a rule: whether it holds in the zone."""
        rules = self._around.services.rules.standing().book.rules
        if not rules:
            still(tag("p", "There is no rule yet that could hold in it.", class_="sum"))
        for rule in rules:
            box = ui.checkbox(rule.title, value=rule.id in zone.rules).props("dense")
            box.on_value_change(partial(self._hold, rule.id, zone.name))

    async def _hold(self, rule_id: str, zone: str, event: events.ValueChangeEventArguments[bool]) -> None:
        words = "holds in" if event.value else "holds no longer in"
        await self._do(
            lambda who: self._zones.set_rule(zone, rule_id, is_in=event.value, by=who), f"“{rule_id}” {words} {zone}."
        )

    def _edit(self, found: tuple[ZoneShape, ...], zone: ZoneShape | None) -> None:
        assert self._picture is not None
        self._stage.clear()
        with self._stage:
            ZoneEditor(
                self._picture,
                self._size,
                partial(self._keep, zone),
                lambda: self._leave(found),
                name=zone.name if zone else "",
                others=[other.polygon for other in found],
            )

    def _leave(self, found: tuple[ZoneShape, ...]) -> None:
        self._stage.clear()
        with self._stage:
            still(self._frame(found))

    async def _keep(self, before: ZoneShape | None, name: str, corners: tuple[Corner, ...]) -> None:
        def keep(who: str) -> None:
            if before is not None and before.name == name:
                self._zones.put(name, before.cameras, corners, by=who)
            else:  # whatever has that name may be another camera's, which a new drawing must not take away
                self._zones.add(name, (self._camera.camera_id,), corners, by=who)

        await self._do(keep, f"Zone {name} is kept in the rules.")

    async def _remove(self, zone: ZoneShape) -> None:
        await self._do(lambda who: self._zones.remove(zone.name, by=who), f"Zone {zone.name} is gone.")

    async def _do(self, act: Callable[[str], object], words: str) -> None:
        """Change the rules file in the name of whoever is at the tab."""
        try:
            who = await self._around.permitted(WRITE_RULES)
            await asyncio.to_thread(act, who.name)
        except ConsumerError as error:
            ui.notify(str(error), type="negative", timeout=8000, position="top")
            return
        ui.notify(words, type="positive", position="top")
        await self._show_all()
