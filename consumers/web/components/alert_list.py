"""The list of alerts, however many there are: only the rows around what one sees exist, all of one height."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from nicegui import events, ui

from consumers.web.alerts.shapes import AlertShape
from consumers.web.components.alert_row import AlertRow
from consumers.web.components.person_card import Now
from consumers.web.components.words import Words

PITCH_PX = 184  # a row and the gap below it; theme.css has the same
AROUND = 14  # rows that exist above and below what one sees
SHIFT = 5  # rows by which one has to have scrolled before others are made
SCROLLED_PX = 24
SEEN_PX = 900  # how much one sees, until the browser has told

Fetch = Callable[[Sequence[str]], Mapping[str, AlertShape]]
"""Alert ids -> those alerts; blocks, and is called in a thread."""


class AlertList:
    """Rows in an order; the rows that are out of sight are only numbers."""

    def __init__(
        self,
        fetch: Fetch,
        address: Callable[[str], str],
        now: Callable[[], Now],
        on_mark: Callable[[str, bool], None] | None,
        on_scroll: Callable[[], None],
    ) -> None:
        """Show nothing yet.

        Args:
            fetch: Gets rows.
            address: Where an alert's row leads to.
            now: The moment, for ages.
            on_mark: Told of a row that is marked or no longer; None: rows cannot be marked.
            on_scroll: Told whenever the list has been scrolled.
        """
        self.order: list[str] = []
        self.marked: set[str] = set()
        self.chosen: str | None = None
        self.is_scrolled = False
        self._fetch, self._address, self._now = fetch, address, now
        self._on_mark, self._on_scroll = on_mark, on_scroll
        self._rows: dict[str, AlertRow] = {}
        self._place = range(0)
        self._top_px, self._seen_px = 0.0, float(SEEN_PX)
        self._drawing = asyncio.Lock()
        self._area = ui.scroll_area().classes("alert-list")
        self._area.on("scroll", self._scrolled, args=["verticalPosition", "verticalContainerSize"], throttle=0.06)
        with self._area:
            self._above = Words("div", "", "spacer", aria_hidden="true")
            self._body = Words("div", "", "alerts")
            self._below = Words("div", "", "spacer", aria_hidden="true")

    async def show(self, order: Sequence[str], *, at_top: bool) -> None:
        """Show these alerts in this order; `at_top` goes back to the first."""
        self.order = list(order)
        if at_top:
            self._top_px, self.is_scrolled = 0.0, False
            self._area.scroll_to(pixels=0)
        await self._draw(anew=True)

    async def refresh(self, alert_ids: Sequence[str]) -> None:
        """Some alerts have changed: draw again those that one sees."""
        async with self._drawing:
            known = [alert_id for alert_id in alert_ids if alert_id in self._rows]
            if not known:
                return
            found = await asyncio.to_thread(self._fetch, known)
            for alert_id in known:
                if alert_id in found and alert_id in self._rows:
                    self._rows[alert_id].show(found[alert_id], self._now())

    def alert(self, alert_id: str) -> AlertShape | None:
        """An alert whose row exists."""
        row = self._rows.get(alert_id)
        return row.alert if row else None

    async def choose(self, alert_id: str | None) -> None:
        """Mark the alert that is open, and bring its row into sight if it is out of it."""
        if self.chosen in self._rows:
            self._rows[self.chosen].choose(is_chosen=False)
        self.chosen = alert_id
        if alert_id in self._rows:
            self._rows[alert_id].choose(is_chosen=True)
        if alert_id in self.order:
            await self._bring_into_sight(self.order.index(alert_id))

    def beside(self, by: int) -> str | None:
        """The alert `by` places further on than the one that is open; the first, when none is."""
        if not self.order:
            return None
        if self.chosen not in self.order:
            return self.order[0] if by > 0 else self.order[-1]
        place = self.order.index(self.chosen) + by
        return self.order[place] if 0 <= place < len(self.order) else None

    def mark(self, alert_id: str, *, is_marked: bool) -> None:
        """Mark an alert, or no longer."""
        (self.marked.add if is_marked else self.marked.discard)(alert_id)
        if alert_id in self._rows:
            self._rows[alert_id].mark(is_marked=is_marked)

    def unmark_all(self) -> None:
        """Mark none."""
        for alert_id in list(self.marked):
            self.mark(alert_id, is_marked=False)

    async def tell_time(self) -> None:
        """Tell the ages of what one sees anew."""
        await self.refresh(list(self._rows))

    async def _bring_into_sight(self, place: int) -> None:
        top_px = place * PITCH_PX
        if self._top_px <= top_px and top_px + PITCH_PX <= self._top_px + self._seen_px:
            return
        is_above = top_px < self._top_px
        self._top_px = float(top_px if is_above else max(0.0, top_px + PITCH_PX - self._seen_px))
        self._area.scroll_to(pixels=self._top_px)
        await self._draw()

    async def _scrolled(self, event: events.GenericEventArguments) -> None:
        self._top_px = float(event.args["verticalPosition"] or 0)
        self._seen_px = float(event.args["verticalContainerSize"] or SEEN_PX)
        self.is_scrolled = self._top_px > SCROLLED_PX
        self._on_scroll()
        await self._draw()

    def _wanted(self) -> range:
        """The places whose rows should exist."""
        first = int(self._top_px // PITCH_PX) - AROUND
        last = int((self._top_px + self._seen_px) // PITCH_PX) + 1 + AROUND
        return range(max(0, first), min(len(self.order), last))

    async def _draw(self, *, anew: bool = False) -> None:
        """Make the rows that should exist, and only those."""
        async with self._drawing:
            wanted = self._wanted()
            is_near = abs(wanted.start - self._place.start) < SHIFT and abs(wanted.stop - self._place.stop) < SHIFT
            if not anew and is_near:
                return
            ids = self.order[wanted.start : wanted.stop]
            missing = ids if anew else [alert_id for alert_id in ids if alert_id not in self._rows]
            found = await asyncio.to_thread(self._fetch, missing)
            if self._body.is_deleted:
                return
            self._settle(ids, found)
            self._place = wanted
            self._above.style(f"height:{wanted.start * PITCH_PX}px")
            self._below.style(f"height:{max(0, len(self.order) - wanted.stop) * PITCH_PX}px")

    def _settle(self, ids: Sequence[str], found: Mapping[str, AlertShape]) -> None:
        """Let the rows be those of `ids`, in that order; what is in `found` is drawn, the rest stays."""
        for alert_id in set(self._rows) - set(ids):
            self._rows.pop(alert_id).element.delete()
        for place, alert_id in enumerate(alert_id for alert_id in ids if alert_id in found or alert_id in self._rows):
            row = self._rows.get(alert_id)
            if row is None:
                row = self._enter(found[alert_id])
            elif alert_id in found:
                row.show(found[alert_id], self._now())
            if self._body.default_slot.children.index(row.element) != place:
                row.element.move(self._body, target_index=place)

    def _enter(self, alert: AlertShape) -> AlertRow:
        with self._body:
            row = AlertRow(
                alert,
                self._address(alert.alert_id),
                self._now(),
                self._on_mark,
                is_marked=alert.alert_id in self.marked,
            )
        self._rows[alert.alert_id] = row
        if alert.alert_id == self.chosen:
            row.choose(is_chosen=True)
        return row
