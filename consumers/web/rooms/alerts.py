"""*Alerts*: what is to do, the worst first; one in full beside the list; what a shift was like."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from urllib.parse import urlencode

from nicegui import background_tasks, ui

from consumers.access.identity import Identity
from consumers.access.roles import ACT, EXPORT, PLAY
from consumers.errors import ActRefusedError, DeskError, NoSuchAlertError, NotPermittedError, StaleAlertError
from consumers.web.address import ALERT, ALERTS, SEARCH, VIEW, Address
from consumers.web.alerts.acting import Seen
from consumers.web.alerts.acts import Acknowledge, Act, Assign, Reopen, Resolve
from consumers.web.alerts.filters import AlertFilter
from consumers.web.alerts.shapes import AlertShape
from consumers.web.alerts.summary import shift_of, summarize
from consumers.web.components.alert_filters import filter_of, is_filtered, menus, state_chips
from consumers.web.components.alert_list import AlertList
from consumers.web.components.alert_pane import AlertPane, Rights
from consumers.web.components.chime import Chime
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.person_card import nobody
from consumers.web.components.shift_summary import lay_out_summary
from consumers.web.components.words import Words, still
from consumers.web.components.words import icon as drawing
from consumers.web.feed import AlertNews
from consumers.web.rooms.room import Surroundings
from consumers.web.wording import count, seen_time

TICK_S = 20.0
SPANS = {"24h": ("Last 24 hours", timedelta(days=1)), "7d": ("Last 7 days", timedelta(days=7))}
VIEWS: dict[str | None, str] = {
    None: "List",
    "shift": "This shift",
    "before": "Shift before",
    **{n: w for n, (w, _) in SPANS.items()},
}
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
        self._news: list[str] = []  # alerts that wait for a click
        self._undo: list[str] = []
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
            self._bulk = Words("div", "", "bulk", role="group", aria_label="What to do with the marked alerts")
            self._told = Words("div", "", "told-line", role="status")
            with Words("div", "", "desk-body") as self._body:
                with Words("div", "", "list-side"):
                    with Words("div", "", "news"):
                        self._news_button = ui.element("button").classes("act main").on("click", self._show_news)
                        with self._news_button:
                            drawing("arrow_upward")
                            self._news_words = Words("span", "")
                    self._news_button.set_visibility(False)
                    self._list = AlertList(
                        self._services.board.some,
                        lambda alert_id: str(self._address.but(**{ALERT: alert_id})),
                        self._around.look.now,
                        self._mark if self._may_act else None,
                        self._scrolled,
                    )
                    self._empty = Words("div")
                self._pane = AlertPane(
                    self._services.desk,
                    self._services.board,
                    Rights(self._who.name, self._may_act, self._who.may(PLAY)),
                    self._around.look.now,
                    self._act,
                    self._others,
                    self._back,
                )
            self._summary = Words("div", "", "summary")
            self._summary.set_visibility(False)
            self._bulk.set_visibility(False)
            self._told.set_visibility(False)

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
            self._list.unmark_all()
            self._show_bulk()
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
            self._later(self._act_by_key(acts[name]))
        elif name == "f":
            self._pane.ask_what_is_right()
        elif name == "u":
            self._later(self._take_back())
        elif name == "n":
            self._later(self._show_news())
        elif name == "x" and self._may_act and self._list.chosen:
            chosen = self._list.chosen
            self._list.mark(chosen, is_marked=chosen not in self._list.marked)
            self._show_bulk()

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
        self._news.clear()
        self._announce()
        self._head(order)
        self._filters.clear()
        with self._filters:
            still(together(state_chips(self._address), menus(self._address, offered)))
        self._empty.clear()
        await self._list.show(order, at_top=True)
        if not order:
            await self._say_why_empty()

    def _head(self, order: Sequence[str]) -> None:
        self._sum.set_text(f"{count(len(order), 'alert')}, the worst first")
        self._show_views()
        self._export.clear()
        if self._who.may(EXPORT):
            with self._export:
                still(export_link(self._filter()))

    def _show_views(self) -> None:
        self._views.clear()
        with self._views:
            still(views(self._address))

    async def _say_why_empty(self) -> None:
        if is_filtered(self._address):
            every = tag("a", "Show what is to do", href=ALERTS, class_="act")
            self._say_empty("filter_alt_off", "No alert is like that", "Another filter may show more.", every)
            return
        total = await asyncio.to_thread(self._services.board.total)
        if total:
            done = tag("a", "Show all", href=str(Address(ALERTS, {"state": "all"})), class_="act")
            why = f"{count(total, 'alert was', 'alerts were')} raised, and all are dealt with or snoozed."
            self._say_empty("task_alt", "Nothing is to do", why, done)
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

    # Acting

    def _mark(self, alert_id: str, is_marked: bool) -> None:
        (self._list.marked.add if is_marked else self._list.marked.discard)(alert_id)
        self._show_bulk()

    def _show_bulk(self) -> None:
        number = len(self._list.marked)
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
            Words("button", "Mark none", "act plain").on("click", self.let_go)

    async def _act_by_key(self, act: Act) -> None:
        if self._list.marked:
            await self._act_on_marked(act)
        elif self._pane.alert is not None:
            await self._act(act)

    async def _act(self, act: Act) -> None:
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
        await self._refresh([alert.alert_id])

    async def _act_on_marked(self, act: Act) -> None:
        who, marked = await self._permitted(), list(self._list.marked)
        if who is None:
            return
        known = await asyncio.to_thread(self._services.board.some, marked)
        # The version that is shown is the one that was seen; a row out of sight is as it was when it was marked.
        seen = [Seen(name, (self._list.alert(name) or known[name]).version) for name in marked if name in known]
        try:
            outcomes = await asyncio.to_thread(self._services.acts.act_on_all, seen, act, who)
        except DeskError as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return
        refused = [outcome for outcome in outcomes if outcome.refused]
        if refused:
            words = f"{count(len(refused), 'alert was', 'alerts were')} left as before. {refused[0].refused}"
            ui.notify(words, type="warning", timeout=8000)
        self._list.unmark_all()
        self._show_bulk()
        self._tell(act, [outcome.alert for outcome in outcomes if outcome.alert is not None])
        await self._refresh(marked)

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
                with Words("button", "", "act plain").on("click", self._take_back):
                    Words("span", "Undo")
                    Words("kbd", "U", "keyboard-only")

    async def _take_back(self) -> None:
        """Reopen what was closed, acknowledged or snoozed last."""
        who, undone = await self._permitted(), self._undo or ([self._list.chosen] if self._list.chosen else [])
        if who is None or not undone:
            return
        known = await asyncio.to_thread(self._services.board.some, undone)
        seen = [Seen(name, known[name].version) for name in undone if name in known]
        outcomes = await asyncio.to_thread(self._services.acts.act_on_all, seen, Reopen(), who)
        self._tell(Reopen(), [outcome.alert for outcome in outcomes if outcome.alert is not None])
        await self._refresh(undone)

    async def _refresh(self, alert_ids: Sequence[str]) -> None:
        await self._list.refresh(alert_ids)
        if self._pane.alert is not None and self._pane.alert.alert_id in alert_ids:
            await self._pane.refresh()

    # What happens meanwhile

    async def _hear(self, news: AlertNews) -> None:
        """Alerts were raised or changed: rows follow at once, new ones wait while somebody reads."""
        if self._shown is None or self._address.get(VIEW) or self._room.is_deleted:
            return
        known = set(self._list.order) | set(self._news)
        try:
            await self._refresh(list(news.changed))
            if set(news.changed) <= known:
                return
            order = await asyncio.to_thread(self._services.board.ids, self._filter())
        except DeskError:
            return  # the next news asks again
        fresh = [alert_id for alert_id in order if alert_id not in known and alert_id in news.changed]
        if not fresh:
            return
        self._news += fresh
        self._chime.ring()
        if self._list.is_scrolled or self._list.chosen or self._list.marked:
            self._announce()
        else:
            await self._show_news()

    def _scrolled(self) -> None:
        self._announce()

    def _announce(self) -> None:
        self._news_button.set_visibility(bool(self._news))
        self._news_words.set_text(f"{len(self._news)} new")

    async def _show_news(self) -> None:
        """Let in what waits; the alert that is open stays open, and the rows of others stay where they are."""
        if not self._news:
            return
        order = await asyncio.to_thread(self._services.board.ids, self._filter())
        kept = set(order)
        # What was dealt with just now no longer fits the filter, and still stands where one left it.
        left = [(place, name) for place, name in enumerate(self._list.order) if name not in kept]
        for place, name in left:
            order.insert(min(place, len(order)), name)
        self._news.clear()
        self._announce()
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
        look, view = self._around.look, address.get(VIEW) or ""
        now = look.now()
        if view in SPANS:
            since, until = now.instant - SPANS[view][1], now.instant
        else:
            since, until = shift_of(now.instant, now.zone, look.shift_starts_h, back=1 if view == "before" else 0)
        asked = AlertFilter(since=since, until=until)
        alerts = await asyncio.to_thread(self._services.board.each, asked)
        if self._room.is_deleted:
            return
        self._body.set_visibility(False)
        self._summary.set_visibility(True)
        self._show_views()
        self._filters.clear()
        self._export.clear()
        if self._who.may(EXPORT):
            with self._export:
                still(export_link(asked))
        first, last = (seen_time(at, now.zone, now.instant) for at in (since, until))
        self._sum.set_text(f"since {first}, until {last}")
        self._summary.clear()
        with self._summary:
            lay_out_summary(summarize(alerts, since, until, now.zone), now.zone, is_dark=self._around.is_dark)


def views(address: Address) -> Markup:
    """The list, and the shifts."""
    here = address.get(VIEW)
    links = (
        tag(
            "a",
            words,
            href=str(Address(ALERTS, {VIEW: view} if view else {})),
            aria_current="true" if here == view else None,
        )
        for view, words in VIEWS.items()
    )
    return tag("nav", *links, class_="filters", aria_label="Views")


def export_link(asked: AlertFilter) -> Markup:
    """The way to the table of what the filter shows."""
    told = urlencode(asked.told(), doseq=True)
    return tag(
        "a",
        icon("download"),
        tag("span", "CSV"),
        href=f"/api/v1/alerts.csv?{told}",
        class_="act plain",
        download="alerts.csv",
        title="These alerts as a table",
    )
