"""*Alerts*: what is to do, the worst first; one in full beside the list; what a shift was like."""

import asyncio
from collections.abc import Coroutine, Sequence

from nicegui import background_tasks, ui

from consumers.access.roles import ACT, EXPORT, PLAY
from consumers.errors import DeskError
from consumers.web.address import ALERT, ALERTS, SEARCH, VIEW, Address
from consumers.web.alerts.acts import Acknowledge, Act, Assign, Resolve
from consumers.web.alerts.filters import AlertFilter
from consumers.web.components.alert_filters import filter_of, is_filtered, menus, state_chips
from consumers.web.components.alert_list import AlertList
from consumers.web.components.alert_pane import AlertPane, Rights
from consumers.web.components.chime import Chime
from consumers.web.components.markup import Markup, tag
from consumers.web.components.person_card import nobody
from consumers.web.components.time_menu import TimeMenu
from consumers.web.components.words import Words, still
from consumers.web.feed import AlertNews
from consumers.web.rooms.alert_acts import OfficerActs
from consumers.web.rooms.alert_views import export_link, show_summary, stretch_of, views
from consumers.web.rooms.alert_waiting import WaitingAlerts, with_those_that_stood
from consumers.web.rooms.room import Surroundings
from consumers.web.wording import count

TICK_S = 20.0


class AlertsRoom:
    """One browser's *Alerts*."""

    path, name = ALERTS, "Alerts"

    def __init__(self, around: Surroundings) -> None:
        """Lay the room out; `follow` fills it."""
        self._around, self._services = around, around.services
        self._who = around.identity
        self._may_act = self._who.may(ACT)
        self._shown: Address | None = None
        self._address = Address(ALERTS)
        self._lay_out()
        around.feed.alerted.subscribe(self._hear)
        ui.timer(TICK_S, self._tick)

    def _lay_out(self) -> None:
        with Words("section", "", "room desk", tabindex="-1", aria_label="Alerts") as self._room:
            with Words("div", "", "room-head"):
                Words("h1", "Alerts")
                self._sum = Words("span", "", "sum", role="status")
                self._views = Words("div", "", "still")
                self._chime = Chime()
                self._export = Words("div", "", "still")
            self._filters = Words("div", "", "alert-filters")
            bulk = Words("div", "", "bulk", role="group", aria_label="What to do with the marked alerts")
            told = Words("div", "", "told-line", role="status")
            with Words("div", "", "desk-body") as self._body:
                with Words("div", "", "list-side"):
                    self._waiting = WaitingAlerts()
                    self._waiting.button.on("click", self._show_news)
                    self._list = AlertList(
                        self._services.board.some,
                        lambda alert_id: str(self._address.but(**{ALERT: alert_id})),
                        self._around.look.now,
                        (lambda alert_id, is_marked: self._acts.mark(alert_id, is_marked)) if self._may_act else None,
                        self._waiting.announce,
                    )
                    self._empty = Words("div", "", "why-none")
                self._pane = AlertPane(
                    self._services.desk,
                    self._services.board,
                    Rights(self._who.name, self._may_act, self._who.may(PLAY)),
                    self._around.look.now,
                    lambda act: self._acts.act(act),
                    self._others,
                    self._back,
                )
            self._summary = Words("div", "", "summary")
            self._summary.set_visibility(False)
        self._acts = OfficerActs(self._around, self._list, self._pane, bulk, told)

    async def follow(self, address: Address) -> None:
        """Show what the address asks for: the list or the shift, and the alert that is open."""
        before, self._address = self._shown, address
        self._shown = address.but(**{ALERT: None})
        try:
            if address.get(VIEW):
                await self._show_summary(address)
                return
            self._summary.set_visibility(False)
            self._body.set_visibility(True)
            if before != self._shown:
                self._list.unmark_all()
                await self._load()
            await self._open(address.get(ALERT))
        except DeskError as error:
            self._say_empty("error", "The desk cannot be read", str(error))

    def step(self, by: int) -> None:
        """Open the next (1) or previous (-1) alert."""
        beside = self._list.beside(by)
        if beside is not None:
            self._around.go(self._address.but(**{ALERT: beside}))

    def beside(self, person_id: str, by: int) -> str | None:
        """People are not what this room steps through."""
        del person_id, by
        return None

    def let_go(self) -> None:
        """Close the alert, or mark none any more."""
        if self._list.marked:
            self._acts.mark_none()
        elif self._address.get(ALERT):
            self._back()

    def write(self) -> None:
        """Words are written in *Search*."""
        self._around.go(Address(SEARCH))

    def key(self, name: str) -> None:
        """Acknowledge (a), assign (s), resolve (r), false alarm (f), mark (x), undo (u), show what is new (n)."""
        if name.isdigit() and self._pane.choose_right(int(name) - 1):
            return
        acts: dict[str, Act] = {"a": Acknowledge(), "s": Assign(to=self._who.name), "r": Resolve()}
        if name in acts:
            self._later(self._acts.by_key(acts[name]))
        elif name == "f":
            self._pane.ask_what_is_right()
        elif name == "u":
            self._later(self._acts.take_back())
        elif name == "n":
            self._later(self._show_news())
        elif name == "x" and self._may_act and self._list.chosen:
            chosen = self._list.chosen
            self._acts.mark(chosen, chosen not in self._list.marked)

    def _later(self, doing: Coroutine[object, object, None]) -> None:
        background_tasks.create(doing, context=self._room)

    def _filter(self) -> AlertFilter:
        now = self._around.look.now()
        return filter_of(self._address, now.instant, now.zone)

    async def _load(self) -> None:
        """The whole list anew."""
        board, asked = self._services.board, self._filter()
        order, offered = await asyncio.gather(asyncio.to_thread(board.ids, asked), asyncio.to_thread(board.offered))
        if self._room.is_deleted:
            return
        self._waiting.clear()
        self._head(order)
        self._filters.clear()
        with self._filters:
            still(state_chips(self._address))
            with Words("div", "", "menus"):
                still(menus(self._address, offered))
                TimeMenu(self._address, self._around.look.now(), self._around.go)
        self._empty.clear()
        await self._list.show(order, at_top=True)
        if not order:
            await self._say_why_empty()

    def _head(self, order: Sequence[str]) -> None:
        self._sum.set_text(f"{count(len(order), 'alert')}, the worst first" if order else "")
        self._show_views(self._filter())

    def _show_views(self, asked: AlertFilter) -> None:
        for place in (self._views, self._export):
            place.clear()
        with self._views:
            still(views(self._address))
        if self._who.may(EXPORT):
            with self._export:
                still(export_link(asked))

    async def _say_why_empty(self) -> None:
        if is_filtered(self._address):
            every = tag("a", "Show what is to do", href=ALERTS, class_="act")
            self._say_empty("filter_alt_off", "No alert is like that", "Another filter may show more.", every)
            return
        total = await asyncio.to_thread(self._services.board.total)
        if total:
            done = tag("a", "Show all", href=str(Address(ALERTS, {"state": "all"})), class_="act")
            why = f"{count(total, 'alert was', 'alerts were')} raised, and all are dealt with or snoozed."
            self._say_empty("task_alt", "Nothing to do", why, done)
            return
        standing = await asyncio.to_thread(self._services.rules.standing)
        why = (
            f"{count(len(standing.in_force), 'rule is', 'rules are')} in force; whoever breaks one appears here."
            if standing.in_force
            else "No rule is in force, so nothing can raise one. Write one in Rules, and try it on stored footage."
        )
        rules = tag("a", "Look at the rules", href="/rules", class_="act")
        self._say_empty("notifications_none", "No alert was ever raised", why, rules)

    def _say_empty(self, name: str, title: str, why: str, way_out: Markup = Markup()) -> None:  # noqa: B008 — immutable
        self._empty.clear()
        with self._empty:
            nobody(name, title, why)
            still(tag("div", way_out, class_="older"))

    async def _open(self, alert_id: str | None) -> None:
        self._body.classes(add="has-alert" if alert_id else "", remove="" if alert_id else "has-alert")
        await asyncio.gather(self._list.choose(alert_id), self._pane.open(alert_id))
        if alert_id is None:
            self._invite()

    def _invite(self) -> None:
        """Beside the list, while nothing is open: how to begin."""
        if self._list.order:
            with self._pane.empty_place():
                nobody("touch_app", "No alert is open", "Choose one, or press J for the first; ? lists the keys.")

    def _back(self) -> None:
        self._around.go(self._address.but(**{ALERT: None}))

    def _others(self) -> list[str]:
        """Whom an alert can be assigned to."""
        return [user.name for user in self._services.access.users() if user.role.covers(ACT) and not user.is_disabled]

    # What happens meanwhile

    async def _hear(self, news: AlertNews) -> None:
        """Alerts were raised or changed: rows follow at once, new ones wait while somebody reads."""
        if self._shown is None or self._address.get(VIEW) or self._room.is_deleted:
            return
        known = set(self._list.order) | set(self._waiting.ids)
        try:
            await self._acts.refresh(list(news.changed))
            if set(news.changed) <= known:
                return
            order = await asyncio.to_thread(self._services.board.ids, self._filter())
        except DeskError:
            return  # the next news asks again
        fresh = [alert_id for alert_id in order if alert_id not in known and alert_id in news.changed]
        if not fresh:
            return
        self._waiting.add(fresh)
        self._chime.ring()
        if self._list.is_scrolled or self._list.chosen or self._list.marked:
            self._waiting.announce()
        else:
            await self._show_news()

    async def _show_news(self) -> None:
        """Let in what waits; the alert that is open stays open, and the rows of others stay where they are."""
        if not self._waiting.ids:
            return
        # What was dealt with just now no longer fits the filter, and still stands where one left it.
        asked = await asyncio.to_thread(self._services.board.ids, self._filter())
        order = with_those_that_stood(asked, self._list.order)
        self._waiting.clear()
        self._empty.clear()
        self._head(order)
        await self._list.show(order, at_top=True)

    async def _tick(self) -> None:
        try:
            await self._list.tell_time()
        except DeskError:
            return  # the light in the header tells

    async def _show_summary(self, address: Address) -> None:
        """What a stretch of time was like."""
        stretch = stretch_of(address.get(VIEW) or "", self._around.look)
        alerts = await asyncio.to_thread(self._services.board.each, stretch)
        if self._room.is_deleted:
            return
        self._body.set_visibility(False)
        self._summary.set_visibility(True)
        self._filters.clear()
        self._show_views(stretch)
        words = show_summary(self._summary, alerts, stretch, self._around.look, is_dark=self._around.is_dark)
        self._sum.set_text(words)
