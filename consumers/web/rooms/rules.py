"""*Rules*: each with its last seven days, in force or a draft and why; written, checked, tried and saved here."""

import asyncio
import threading
from collections import Counter
from datetime import timedelta

from nicegui import background_tasks, events, ui

from consumers.access.roles import WRITE_RULES
from consumers.alerts.rules import IN_FORCE, Status
from consumers.alerts.standing import RuleStanding, Standing
from consumers.alerts.trying import Trial
from consumers.errors import (
    ConsumerError,
    DeskError,
    NotPermittedError,
    RulesError,
    StaleRulesError,
)
from consumers.web.address import RULE, RULES, SEARCH, Address
from consumers.web.components.markup import icon as drawn
from consumers.web.components.markup import tag
from consumers.web.components.person_card import nobody
from consumers.web.components.rule_card import alerts_link, rule_body
from consumers.web.components.trial_result import trial_result
from consumers.web.components.words import Words, icon, still
from consumers.web.rooms.room import Surroundings
from consumers.web.rules.rules_desk import Stretch
from consumers.web.wording import count
from model.errors import ModelError
from streamer.bus.errors import MediaStoreError

DAYS = 7
SPANS = {"1 h": timedelta(hours=1), "24 h": timedelta(days=1), "7 days": timedelta(days=7)}
LOOK_EVERY_S = 5.0
PROGRESS_EVERY_S = 0.4
MOST_UPLOAD_BYTES = 1_000_000


class RulesRoom:
    """One browser's *Rules*."""

    path, name = RULES, "Rules"

    def __init__(self, around: Surroundings) -> None:
        """Lay the room out; `follow` fills it."""
        self._around, self._rules, self._board = around, around.services.rules, around.services.board
        self._may_write = around.identity.may(WRITE_RULES)
        self._standing: Standing | None = None
        self._seen = ""  # the revision of the text in the editor
        self._stop: threading.Event | None = None
        with Words("section", "", "room", tabindex="-1", aria_label="Rules"):
            with Words("div", "", "room-head"):
                Words("h1", "Rules")
                self._sum = Words("span", "", "sum", role="status")
            self._refusal = Words("div")
            self._cards = Words("div", "", "rules")
            if self._may_write:
                self._lay_out_editor()
            else:
                still(
                    tag("p", drawn("lock"), tag("span", f"Writing rules needs the role {WRITE_RULES}."), class_="note")
                )
        ui.timer(LOOK_EVERY_S, self._look_again)

    def _lay_out_editor(self) -> None:
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
                self._button("rule", "Check", self._check)
                self._button("save", "Save", self._save, is_main=True)
                self._button("refresh", "Load again", self._load_text)
                upload = ui.upload(auto_upload=True, max_file_size=MOST_UPLOAD_BYTES, on_upload=self._uploaded)
                upload.props('accept=".yaml,.yml"').set_visibility(False)  # its own buttons have no names
                self._button("upload_file", "Upload a file", lambda: upload.run_method("pickFiles"))
            with Words("div", "", "line try"):
                icon("movie_filter")
                Words("span", "Try what is written above on stored footage:")
                for words, span in SPANS.items():
                    self._button("play_arrow", f"Last {words}", lambda span=span: self._try(span))
            self._trial = Words("div")

    @staticmethod
    def _button(name: str, words: str, act: object, *, is_main: bool = False) -> None:
        with Words("button", "", "act main" if is_main else "act").on("click", act):  # type: ignore[arg-type]
            icon(name)
            Words("span", words)

    async def follow(self, address: Address) -> None:
        """Show the rules; bring the one that the address names into sight."""
        await self._load()
        if self._may_write and not self._seen:
            await self._load_text()
        wanted = address.get(RULE)
        for card in self._cards.default_slot.children:
            is_wanted = card.props.get("data-rule") == wanted
            card.classes(add="chosen" if is_wanted else "", remove="" if is_wanted else "chosen")
            if is_wanted:
                card.run_method("scrollIntoView")

    def step(self, by: int) -> None:
        """Nothing is stepped through here."""

    def beside(self, person_id: str, by: int) -> str | None:
        """Nobody stands here."""
        del person_id, by
        return None

    def let_go(self) -> None:
        """Stop a trial that runs."""
        if self._stop is not None:
            self._stop.set()

    def write(self) -> None:
        """Words are written in *Search*."""
        self._around.go(Address(SEARCH))

    def key(self, name: str) -> None:
        """No key means anything here alone."""

    async def _look_again(self) -> None:
        """The file may have been changed elsewhere."""
        standing = await asyncio.to_thread(self._rules.standing)
        if standing is not self._standing:
            await self._load()

    async def _load(self) -> None:
        now = self._around.look.now()
        today = now.instant.astimezone(now.zone).date()
        try:
            standing = await asyncio.to_thread(self._rules.standing)
            met = await asyncio.to_thread(self._board.met_since, now.instant - timedelta(days=DAYS))
        except DeskError as error:
            self._sum.set_text(str(error))
            return
        if self._cards.is_deleted:
            return
        counts = Counter((rule_id, (today - at.astimezone(now.zone).date()).days) for rule_id, at in met)
        self._standing = standing
        self._sum.set_text(f"{len(standing.in_force)} in force, {len(standing.rules) - len(standing.in_force)} drafts")
        self._show_refusal(standing)
        self._cards.clear()
        with self._cards:
            for one in standing.rules:
                self._enter(one, [counts[one.rule.id, back] for back in reversed(range(DAYS))])
            if not standing.rules:
                nobody(
                    "rule",
                    "There are no rules yet",
                    "Write one below, try it on stored footage, and put it in force. `crewsight rules schema` lists "
                    "what may be written.",
                )

    def _show_refusal(self, standing: Standing) -> None:
        self._refusal.clear()
        if standing.refusal is not None:
            told = f"The file as it is now is refused, and the rules before it stay in force. {standing.refusal}"
            with self._refusal:
                still(tag("p", drawn("warning"), tag("span", told), class_="note warn"))

    def _enter(self, one: RuleStanding, days: list[int]) -> None:
        with Words("article", "", "rule", data_rule=one.rule.id):
            still(rule_body(one, days))
            with Words("div", "", "line"):
                still(alerts_link(one.rule))
                if not self._may_write:
                    return
                if one.rule.status == IN_FORCE:
                    self._button("edit_note", "Make it a draft", lambda: self._set_status(one, "draft"))
                elif one.cannot_tell_why is None:
                    self._button("check_circle", "Put in force", lambda: self._set_status(one, IN_FORCE), is_main=True)

    async def _set_status(self, one: RuleStanding, status: Status) -> None:
        try:
            who = await self._around.permitted(WRITE_RULES)
            text = await asyncio.to_thread(self._rules.text)
            await asyncio.to_thread(self._rules.set_status, one.rule.id, status, text.revision)
            await asyncio.to_thread(self._around.services.access.log, who.name, f"rule made {status}", one.rule.id)
        except (RulesError, StaleRulesError, NotPermittedError, DeskError) as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return
        ui.notify(f"“{one.rule.title}” is {'in force' if status == IN_FORCE else 'a draft'} now.", type="positive")
        await self._load()
        await self._load_text()

    async def _load_text(self) -> None:
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
        await self._load()
        await self._check()
        ui.notify("Saved. The alerter takes the rules up by itself.", type="positive")

    # Trying

    async def _try(self, span: timedelta) -> None:
        tried = await self._check()
        if tried is None or self._stop is not None:
            return
        try:
            who = await self._around.permitted(WRITE_RULES)
            log = self._around.services.access.log
            await asyncio.to_thread(lambda: log(who.name, "rules tried", str(self._rules.path), hours=span / _HOUR))
        except (NotPermittedError, DeskError) as error:
            self._say_verdict(str(error), is_good=False)
            return
        background_tasks.create(self._run(tried, span), context=self._trial)

    async def _run(self, tried: Standing, span: timedelta) -> None:
        now = self._around.look.now()
        stop, done = threading.Event(), [0, 0]
        self._stop = stop

        def progress(through: int, of: int) -> None:
            done[:] = through, of

        bar, words = self._lay_out_progress(stop)

        def show() -> None:
            through, of = done
            bar.set_value(through / of if of else 0)
            words.set_text(f"{through} of {count(of, 'clip')}" if of else "Looking for footage")

        timer = ui.timer(PROGRESS_EVERY_S, show)
        stretch = Stretch(now.instant - span, now.instant)
        try:
            trial = await asyncio.to_thread(self._rules.try_on, tried, stretch, progress, stop.is_set)
        except (ConsumerError, MediaStoreError, ModelError) as error:
            self._say_trial(str(error))
        else:
            self._show_trial(trial)
        finally:
            timer.cancel()
            self._stop = None

    def _lay_out_progress(self, stop: threading.Event) -> tuple[ui.linear_progress, Words]:
        self._trial.clear()
        with self._trial, Words("div", "", "line"):
            bar = ui.linear_progress(0, show_value=False).classes("progress").props('aria-label="How far the trial is"')
            words = Words("span", "Looking for footage", "sum", role="status")
            self._button("stop", "Stop", stop.set)
        self._trial.run_method("scrollIntoView")
        return bar, words

    def _say_trial(self, words: str) -> None:
        if not self._trial.is_deleted:
            self._trial.clear()
            with self._trial:
                still(tag("p", drawn("error"), tag("span", words), class_="note warn"))

    def _show_trial(self, trial: Trial) -> None:
        if not self._trial.is_deleted:
            self._trial.clear()
            with self._trial:
                still(trial_result(trial, self._around.look.now()))


_HOUR = timedelta(hours=1)
