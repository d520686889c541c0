"""*Rules*: each with its last seven days, in force or a draft and why; written, checked, tried and saved here."""

import asyncio
from collections import Counter
from datetime import timedelta

from nicegui import ui

from consumers.access.roles import WRITE_RULES
from consumers.alerts.rules import IN_FORCE, Status
from consumers.alerts.standing import RuleStanding, Standing
from consumers.errors import DeskError, NotPermittedError, RulesError, StaleRulesError
from consumers.web.address import RULE, RULES, SEARCH, Address
from consumers.web.components.markup import icon as drawn
from consumers.web.components.markup import tag
from consumers.web.components.person_card import nobody
from consumers.web.components.rule_card import alerts_link, rule_body
from consumers.web.components.words import Words, button, still
from consumers.web.rooms.room import Surroundings
from consumers.web.rooms.rules_editor import RulesEditor

DAYS = 7
LOOK_EVERY_S = 5.0


class RulesRoom:
    """One browser's *Rules*."""

    path, name = RULES, "Rules"

    def __init__(self, around: Surroundings) -> None:
        """Lay the room out; `follow` fills it."""
        self._around, self._rules, self._board = around, around.services.rules, around.services.board
        self._may_write = around.identity.may(WRITE_RULES)
        self._standing: Standing | None = None
        self._editor: RulesEditor | None = None
        with Words("section", "", "room", tabindex="-1", aria_label="Rules"):
            with Words("div", "", "room-head"):
                Words("h1", "Rules")
                self._sum = Words("span", "", "sum", role="status")
            self._refusal = Words("div")
            self._cards = Words("div", "", "rules")
            if self._may_write:
                self._editor = RulesEditor(around, self._load)
            else:
                still(
                    tag("p", drawn("lock"), tag("span", f"Writing rules needs the role {WRITE_RULES}."), class_="note")
                )
        ui.timer(LOOK_EVERY_S, self._look_again)

    async def follow(self, address: Address) -> None:
        """Show the rules; bring the one that the address names into sight."""
        await self._load()
        if self._editor is not None and not self._editor.is_loaded:
            await self._editor.load()
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
        if self._editor is not None:
            self._editor.trial.stop()

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
                    button("edit_note", "Make it a draft", lambda: self._set_status(one, "draft"))
                elif one.cannot_tell_why is None:
                    button("check_circle", "Put in force", lambda: self._set_status(one, IN_FORCE), is_main=True)

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
        if self._editor is not None:
            await self._editor.load()
