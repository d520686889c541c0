"""The rules file as text in *Rules*: written, checked, tried and saved."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from nicegui import events, ui

from consumers.access.roles import WRITE_RULES
from consumers.alerts.rules import IN_FORCE
from consumers.alerts.standing import Standing
from consumers.errors import DeskError, NotPermittedError, RulesError, StaleRulesError
from consumers.web.components.markup import icon as drawn
from consumers.web.components.markup import tag
from consumers.web.components.words import Words, button, icon, still
from consumers.web.rooms.room import Surroundings
from consumers.web.rooms.running_trial import RunningTrial
from consumers.web.wording import count

HOUR = timedelta(hours=1)
SPANS = {"1 h": HOUR, "24 h": 24 * HOUR, "7 days": 7 * 24 * HOUR}
MOST_UPLOAD_BYTES = 1_000_000


class RulesEditor:
    """One browser's editor; it saves only over the text that it has loaded."""

    def __init__(self, around: Surroundings, on_saved: Callable[[], Awaitable[None]]) -> None:
        """Lay the editor out, empty; `on_saved` is told when the file was written."""
        self._around, self._rules, self._on_saved = around, around.services.rules, on_saved
        self._seen = ""  # the revision of the text in the editor
        self._lay_out()

    def _lay_out(self) -> None:
        with Words("section", "", "editor", aria_label="The rules file"):
            with Words("div", "", "room-head"):
                Words("h2", "The rules file")
                Words("span", str(self._rules.path), "sum")
            self._verdict = Words("div", "", "still", role="status")
            # Not NiceGUI's code editor: nothing can name it to a screen reader.
            self._editor = (
                ui.textarea().props('borderless spellcheck=false aria-label="The rules as YAML"').classes("yaml")
            )
            with Words("div", "", "line"):
                button("rule", "Check", self._check)
                button("save", "Save", self._save, is_main=True)
                button("refresh", "Load again", self.load)
                upload = ui.upload(auto_upload=True, max_file_size=MOST_UPLOAD_BYTES, on_upload=self._uploaded)
                upload.props('accept=".yaml,.yml"').set_visibility(False)  # its own buttons have no names
                button("upload_file", "Upload a file", lambda: upload.run_method("pickFiles"))
            with Words("div", "", "line try"):
                icon("movie_filter")
                Words("span", "Try what is written above on stored footage:")
                for words, span in SPANS.items():
                    button("play_arrow", f"Last {words}", lambda span=span: self._try(span))
            self.trial = RunningTrial(self._around)

    @property
    def is_loaded(self) -> bool:
        """Whether there is a text in it."""
        return bool(self._seen)

    async def load(self) -> None:
        """Show the file as it is now."""
        try:
            written = await asyncio.to_thread(self._rules.text)
        except RulesError as error:
            self._say_verdict(str(error), is_good=False)
            return
        self._seen = written.revision
        self._editor.set_value(written.text)
        self._verdict.clear()

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        try:
            self._editor.set_value((await event.file.read()).decode())
        except UnicodeDecodeError:
            self._say_verdict("The uploaded file is not UTF-8.", is_good=False)
            return
        await self._check()

    async def _check(self) -> Standing | None:
        """How the rules in the editor would stand, told above it."""
        try:
            standing = await asyncio.to_thread(self._rules.check, self._editor.value)
        except RulesError as error:
            self._tell_fault(error)
            return None
        drafts = [one for one in standing.rules if one.status != IN_FORCE and one.cannot_tell_why]
        told = f"It fits: {count(len(standing.rules), 'rule')}, {len(standing.in_force)} of them in force."
        reasons = " ".join(f"“{one.rule.title}” stays a draft: {one.cannot_tell_why}." for one in drafts)
        self._say_verdict(f"{told} {reasons}", is_good=True)
        return standing

    def _tell_fault(self, error: RulesError) -> None:
        lines = (self._editor.value or "").splitlines()
        if not error.line or error.line > len(lines):
            self._say_verdict(error.reason, is_good=False)
            return
        self._say_verdict(f"Line {error.line}, “{lines[error.line - 1].strip()}”: {error.reason}", is_good=False)

    def _say_verdict(self, words: str, *, is_good: bool) -> None:
        self._verdict.clear()
        with self._verdict:
            drawing, style = ("check_circle", "note") if is_good else ("error", "note warn")
            still(tag("p", drawn(drawing), tag("span", words), class_=style))

    async def _save(self) -> None:
        try:
            who = await self._around.permitted(WRITE_RULES)
            await asyncio.to_thread(self._rules.save, self._editor.value, self._seen)
            written = await asyncio.to_thread(self._rules.text)
            details = {"revision": written.revision, "before": self._seen}
            log = self._around.services.access.log
            await asyncio.to_thread(lambda: log(who.name, "rules saved", str(self._rules.path), **details))
        except RulesError as error:
            self._tell_fault(error)
            return
        except (StaleRulesError, NotPermittedError, DeskError) as error:
            self._say_verdict(str(error), is_good=False)
            return
        self._seen = written.revision
        await self._on_saved()
        await self._check()
        ui.notify("Saved. The alerter takes the rules up by itself.", type="positive")

    async def _try(self, span: timedelta) -> None:
        tried = await self._check()
        if tried is None or self.trial.is_running:
            return
        try:
            who = await self._around.permitted(WRITE_RULES)
            log = self._around.services.access.log
            await asyncio.to_thread(lambda: log(who.name, "rules tried", str(self._rules.path), hours=span / HOUR))
        except (NotPermittedError, DeskError) as error:
            self._say_verdict(str(error), is_good=False)
            return
        self.trial.begin(tried, span)
