"""What is chosen, and the way to take it along."""

import asyncio
from collections.abc import Callable

from nicegui import ui

from consumers.access.roles import EXPORT
from consumers.errors import ConsumerError
from consumers.web.components.words import Words, icon
from consumers.web.exports.shapes import MOST_PEOPLE, ExportAsked, ExportShape
from consumers.web.rooms.room import Surroundings
from consumers.web.wording import count

ASK_EVERY_S = 0.5


class ExportBar:
    """Stands under the hits as long as something is chosen, or an export of it is on its way."""

    def __init__(self, around: Surroundings, on_all: Callable[[], None], on_none: Callable[[], None]) -> None:
        """Stay out of sight until something is chosen; `on_all` and `on_none` choose everybody and nobody."""
        self._around, self._on_all, self._on_none = around, on_all, on_none
        self._people: list[str] = []
        self._export: ExportShape | None = None
        self._note = ""
        self._bar = Words("div", "", "export-bar", role="group", aria_label="What is chosen")
        self._bar.set_visibility(False)
        self._asking = ui.timer(ASK_EVERY_S, self._ask, active=False)

    def choose(self, people: list[str]) -> None:
        """These people are chosen now; an export of others stays, unless it is done."""
        self._people = people
        if self._export is None or self._export.state in ("ready", "failed"):
            self._export = None
            self._draw()

    async def begin(self) -> None:
        """Export whoever is chosen."""
        if not self._people or self._is_busy:
            return
        chosen = ExportAsked(person_ids=tuple(self._people[:MOST_PEOPLE]), note=self._note)
        exports, zone = self._around.services.exports, self._around.look.zone
        try:
            who = await self._around.permitted(EXPORT)
            self._export = await asyncio.to_thread(exports.begin, chosen, who, zone=zone)
        except ConsumerError as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return
        self._draw()
        self._asking.activate()

    @property
    def _is_busy(self) -> bool:
        return self._export is not None and self._export.state in ("waiting", "packing")

    async def _ask(self) -> None:
        """How the export stands."""
        export = self._export
        if export is None or self._bar.is_deleted:
            self._asking.deactivate()
            return
        try:
            who = await self._around.permitted(EXPORT)
            stands = await asyncio.to_thread(self._around.services.exports.get, export.export_id, who)
        except ConsumerError as error:
            stands = export.model_copy(update={"state": "failed", "problem": str(error)})
        if stands.state in ("ready", "failed"):
            self._asking.deactivate()
        if stands != export and not self._bar.is_deleted:
            self._export = stands
            self._draw()

    def _draw(self) -> None:
        self._bar.clear()
        self._bar.set_visibility(bool(self._people) or self._export is not None)
        with self._bar:
            match self._export:
                case None:
                    self._offer()
                case ExportShape(state="ready") as export:
                    self._hand_out(export)
                case ExportShape(state="failed") as export:
                    self._tell("error", f"Nothing was exported: {export.problem}", "down")
                    self._button("close", "Close", self._forget)
                case ExportShape() as export:
                    self._tell("hourglass_empty", f"Packing {export.packed} of {export.people}", "")
                    share = export.packed / export.people
                    ui.linear_progress(share, show_value=False).classes("progress").props('aria-label="Packed"')

    def _offer(self) -> None:
        chosen = len(self._people)
        many = f"{chosen} chosen" if chosen <= MOST_PEOPLE else f"{chosen} chosen, the first {MOST_PEOPLE} are exported"
        Words("span", many, "sum", role="status")
        note = ui.input(placeholder="Note for the report", value=self._note)
        note.props('dense borderless maxlength=1000 aria-label="Note for the report"').classes("note-line")
        note.on_value_change(lambda change: setattr(self, "_note", change.value or ""))
        with Words("button", "", "act main").on("click", self.begin):
            icon("folder_zip")
            Words("span", "Export")
            Words("kbd", "E", "keyboard-only")
        self._button("done_all", "All", self._on_all)
        self._button("close", "None", self._on_none)

    def _hand_out(self, export: ExportShape) -> None:
        size_mb = (export.size_bytes or 0) / 1e6
        missing = f", {export.missing} missing" if export.missing else ""
        self._tell("task_alt", f"{count(export.people, 'person', 'people')} packed{missing}", "good")
        with Words("a", "", "act main", href=str(export.url), download=True):
            icon("download")
            Words("span", f"Download ({size_mb:.1f} MB)")
        if export.sums_sha256:
            title = f"SHA-256 of the archive's SHA256SUMS, as the audit log has it: {export.sums_sha256}"
            Words("span", f"{export.sums_sha256[:12]}…", "digest", title=title)
        self._button("close", "Done", self._forget)

    def _forget(self) -> None:
        self._export = None
        self._on_none()

    @staticmethod
    def _tell(drawing: str, words: str, style: str) -> None:
        with Words("span", "", f"stands {style}".strip(), role="status"):
            icon(drawing)
            Words("span", words)

    @staticmethod
    def _button(drawing: str, words: str, act: Callable[[], None]) -> None:
        with Words("button", "", "act plain").on("click", act):
            icon(drawing)
            Words("span", words)
