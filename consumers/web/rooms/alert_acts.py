"""What is done to alerts in *Alerts*: to the one that is open, to the marked ones, and taking it back."""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from consumers.access.identity import Identity
from consumers.access.roles import ACT
from consumers.errors import ActRefusedError, DeskError, NoSuchAlertError, NotPermittedError, StaleAlertError
from consumers.web.alerts.acting import Seen
from consumers.web.alerts.acts import Acknowledge, Act, Assign, Reopen, Resolve
from consumers.web.alerts.shapes import AlertShape
from consumers.web.components.alert_list import AlertList
from consumers.web.components.alert_pane import AlertPane
from consumers.web.components.words import Words
from consumers.web.components.words import icon as drawing
from consumers.web.rooms.room import Surroundings
from consumers.web.wording import count

DONE = {
    "acknowledge": "Acknowledged",
    "assign": "Assigned",
    "comment": "Commented on",
    "resolve": "Resolved",
    "false alarm": "Called a false alarm:",
    "snooze": "Snoozed",
    "reopen": "Reopened",
}
UNDONE = ("acknowledge", "resolve", "false alarm", "snooze")  # acts that reopening takes back


class OfficerActs:
    """One browser's hands: every act is against the version that was shown, and is asked for anew whether it may be."""

    def __init__(self, around: Surroundings, rows: AlertList, pane: AlertPane, bulk: Words, told: Words) -> None:
        """Act on what `rows` marks and `pane` shows.

        Args:
            around: The page around the room.
            rows: The list.
            pane: The alert that is open.
            bulk: Where the acts on the marked ones stand.
            told: Where it is said what was done.
        """
        self._around, self._services, self._who = around, around.services, around.identity
        self._rows, self._pane, self._bulk, self._told = rows, pane, bulk, told
        self._undo: list[str] = []
        bulk.set_visibility(False)
        told.set_visibility(False)

    def mark(self, alert_id: str, is_marked: bool) -> None:
        """Mark a row, or mark it no longer."""
        self._rows.mark(alert_id, is_marked=is_marked)
        self.show_bulk()

    def mark_none(self) -> None:
        """Mark no row any more."""
        self._rows.unmark_all()
        self.show_bulk()

    def show_bulk(self) -> None:
        """Say how many are marked, and what can be done to them."""
        number = len(self._rows.marked)
        self._bulk.clear()
        self._bulk.set_visibility(number > 0)
        with self._bulk:
            Words("span", f"{number} marked", "sum")
            for name, words, act in (
                ("visibility", "Acknowledge", Acknowledge()),
                ("person_add", "Take them", Assign(to=self._who.name)),
                ("check_circle", "Resolve", Resolve()),
            ):
                with Words("button", "", "act").on("click", lambda act=act: self._act_on_marked(act)):
                    drawing(name)
                    Words("span", words)
            Words("button", "Mark none", "act plain").on("click", self.mark_none)

    async def by_key(self, act: Act) -> None:
        """Do something to the marked ones, or, where none is, to the open one."""
        if self._rows.marked:
            await self._act_on_marked(act)
        elif self._pane.alert is not None:
            await self.act(act)

    async def act(self, act: Act) -> None:
        """Do something to the alert that is open, against the version that is shown."""
        alert = self._pane.alert
        if alert is None:
            return
        who = await self._permitted()
        if who is None:
            return
        try:
            changed = await asyncio.to_thread(self._services.acts.act, Seen(alert.alert_id, alert.version), act, who)
        except StaleAlertError as error:
            ui.notify(str(error), type="warning", timeout=8000)
        except (ActRefusedError, NoSuchAlertError, DeskError) as error:
            ui.notify(str(error), type="negative", timeout=8000)
        else:
            self._tell(act, [changed])
        await self.refresh([alert.alert_id])

    async def take_back(self) -> None:
        """Reopen what was closed, acknowledged or snoozed last."""
        who, undone = await self._permitted(), self._undo or ([self._rows.chosen] if self._rows.chosen else [])
        if who is None or not undone:
            return
        known = await asyncio.to_thread(self._services.board.some, undone)
        seen = [Seen(name, known[name].version) for name in undone if name in known]
        outcomes = await asyncio.to_thread(self._services.acts.act_on_all, seen, Reopen(), who)
        self._tell(Reopen(), [outcome.alert for outcome in outcomes if outcome.alert is not None])
        await self.refresh(undone)

    async def refresh(self, alert_ids: Sequence[str]) -> None:
        """Show some alerts as they are now, in the list and, if one of them is open, in full."""
        await self._rows.refresh(alert_ids)
        if self._pane.alert is not None and self._pane.alert.alert_id in alert_ids:
            await self._pane.refresh()

    async def _act_on_marked(self, act: Act) -> None:
        who, marked = await self._permitted(), list(self._rows.marked)
        if who is None:
            return
        known = await asyncio.to_thread(self._services.board.some, marked)
        # The version that is shown is the one that was seen; a row out of sight is as it was when it was marked.
        seen = [Seen(name, (self._rows.alert(name) or known[name]).version) for name in marked if name in known]
        try:
            outcomes = await asyncio.to_thread(self._services.acts.act_on_all, seen, act, who)
        except DeskError as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return
        refused = [outcome for outcome in outcomes if outcome.refused]
        if refused:
            words = f"{count(len(refused), 'alert was', 'alerts were')} left as before. {refused[0].refused}"
            ui.notify(words, type="warning", timeout=8000)
        self.mark_none()
        self._tell(act, [outcome.alert for outcome in outcomes if outcome.alert is not None])
        await self.refresh(marked)

    async def _permitted(self) -> Identity | None:
        try:
            return await self._around.permitted(ACT)
        except NotPermittedError as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return None

    def _tell(self, act: Act, changed: Sequence[AlertShape]) -> None:
        """Say what was done, and offer to take it back."""
        self._undo = [alert.alert_id for alert in changed] if act.act in UNDONE else []
        self._told.clear()
        self._told.set_visibility(bool(changed))
        if not changed:
            return
        what = changed[0].title if len(changed) == 1 else count(len(changed), "alert")
        with self._told:
            drawing("done")
            Words("span", f"{DONE[act.act]} {what}.")
            if self._undo:
                with Words("button", "", "act plain").on("click", self.take_back):
                    Words("span", "Undo")
                    Words("kbd", "U", "keyboard-only")
