"""Searches that are kept under a name: a menu to run them, and what their owner can do with each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from nicegui import ui

from consumers.access.identity import Identity
from consumers.access.roles import ADMINISTER, SEARCH, WRITE_RULES
from consumers.errors import ConsumerError
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.words import Words, still
from consumers.web.components.words import icon as drawing
from consumers.web.rooms.room import Surroundings
from consumers.web.search.saved import Change
from consumers.web.search.search_address import address_of
from consumers.web.search.shapes import GuardShape, SavedAsked, SavedSearchShape
from consumers.web.wording import seen_time

LONGEST = 100


class SavedSearches:
    """The menu of kept searches; `asked` is the search that is shown, None where it cannot be kept."""

    def __init__(self, around: Surroundings, asked: Callable[[], SavedAsked | None]) -> None:
        """Offer them here."""
        self._around, self._asked = around, asked
        self._menu = Words("details", "", "menu saved")
        with self._menu:
            with Words("summary", "", "act plain"):
                drawing("bookmarks")
                Words("span", "Saved")
                drawing("arrow_drop_down")
            self._list = Words("div", "", "choices saved-list")
        self._dialog = ui.dialog().props('aria-label="Saved search"')
        self._kept: tuple[SavedSearchShape, ...] = ()

    async def show(self) -> None:
        """Ask for them anew."""
        try:
            who = await self._around.permitted(SEARCH)
            self._kept = await asyncio.to_thread(self._around.services.saved.all, who)
        except ConsumerError:
            self._kept = ()  # whoever may not search sees none
        if self._menu.is_deleted:
            return
        self._menu.set_visibility(bool(self._kept) or self._asked() is not None)
        self._list.clear()
        with self._list:
            if self._asked() is not None:
                with Words("button", "", "choice keep").on("click", self._ask_name):
                    drawing("bookmark_add")
                    Words("span", "Save this search")
            if not self._kept:
                Words("p", "No search is saved yet.", "sum")
            for kept in self._kept:
                self._row(kept)

    def _row(self, kept: SavedSearchShape) -> None:
        with Words("div", "", "kept"):
            still(kept_link(kept, is_own=self._is_own(kept)))
            words = f"Rename, share, guard or delete {kept.name}"
            if self._may_change(kept):
                with Words("button", "", "act plain", aria_label=words, title=words) as more:
                    drawing("more_horiz")
                more.on("click", lambda: self._open(kept))

    def _is_own(self, kept: SavedSearchShape) -> bool:
        return kept.owner == self._around.identity.name

    def _may_change(self, kept: SavedSearchShape) -> bool:
        return self._is_own(kept) or self._around.identity.may(ADMINISTER)

    # One of them

    def _ask_name(self) -> None:
        asked = self._asked()
        if asked is None:
            return
        name, now = (asked.words or "Search").strip()[:LONGEST], self._around.look.now()

        async def save(words: str, *, is_shared: bool) -> None:
            services = self._around.services
            await self._do(
                lambda who: services.saved.save(words, asked, who, is_shared=is_shared), f"Saved as “{words}”."
            )

        with self._sheet("Save this search"):
            field = _field("Name", name)
            if asked.filter.since is not None:
                since = seen_time(asked.filter.since, now.zone, now.instant)
                Words("p", f"It is kept with its time as it is now: since {since}.", "sum")
            shared = ui.checkbox("Everybody who may search sees it")
            with Words("div", "", "line"):
                self._button("bookmark_add", "Save", lambda: save(field.value or "", is_shared=shared.value), main=True)

    def _open(self, kept: SavedSearchShape) -> None:
        saved = self._around.services.saved
        with self._sheet(kept.name):
            field = _field("Name", kept.name)

            async def rename() -> None:
                name = field.value or ""
                await self._do(lambda who: saved.change(kept.id, Change(name=name), who), f"Renamed to “{name}”.")

            async def share() -> None:
                change = Change(is_shared=not kept.is_shared)
                words = "Only you see it now." if kept.is_shared else "Everybody who may search sees it now."
                await self._do(lambda who: saved.change(kept.id, change, who), words)

            async def delete() -> None:
                if await self._do(lambda who: saved.delete(kept.id, who), f"“{kept.name}” is deleted."):
                    self._offer_undo(kept)

            with Words("div", "", "line"):
                self._button("edit", "Rename", rename)
                self._button("lock" if kept.is_shared else "group", "Keep to me" if kept.is_shared else "Share", share)
                self._button("delete", "Delete", delete)
            if self._around.identity.may(WRITE_RULES):
                self._lay_out_guard(kept)

    def _lay_out_guard(self, kept: SavedSearchShape) -> None:
        saved = self._around.services.saved

        async def post() -> None:
            stand = partial(saved.stand_guard, kept.id, schedule=None, channels=())
            await self._do(lambda who: stand(who=who), f"“{kept.name}” stands guard: see it in Rules.")

        async def withdraw() -> None:
            await self._do(lambda who: saved.stand_down(kept.id, who), f"“{kept.name}” stands guard no longer.")

        still(guard_words(kept.guard))
        with Words("div", "", "line"):
            if kept.guard is None:
                self._button("shield", "Stand guard", post)
            else:
                self._button("remove_moderator", "Stand down", withdraw)

    def _offer_undo(self, kept: SavedSearchShape) -> None:
        """A search that was deleted comes back at a click; its guard has to be posted again."""
        saved = self._around.services.saved

        async def undo() -> None:
            await self._do(
                lambda who: saved.save(kept.name, kept.search, who, is_shared=kept.is_shared), f"“{kept.name}” is back."
            )

        with self._sheet("Deleted"):
            Words("p", f"“{kept.name}” is deleted.")
            with Words("div", "", "line"):
                self._button("undo", "Undo", undo)
                self._button("close", "Close", self._close)

    @contextmanager
    def _sheet(self, title: str) -> Iterator[None]:
        """What the dialog shows from now on."""
        self._dialog.clear()
        with self._dialog, Words("section", "", "sheet narrow"):
            with Words("header", "", "sheet-head"):
                Words("h2", title)
                with Words("div", "", "rest"), Words("button", "", "act plain", aria_label="Close") as shut:
                    drawing("close")
                shut.on("click", self._dialog.close)
            with Words("div", "", "sheet-body"), Words("div", "", "typed flat"):
                yield
        self._dialog.open()

    async def _close(self) -> None:
        self._dialog.close()

    async def _do(self, act: Callable[[Identity], object], words: str) -> bool:
        """Change something in the name of whoever is at the tab; false: it was refused, and why was said."""
        try:
            who = await self._around.permitted(SEARCH)
            await asyncio.to_thread(act, who)
        except ConsumerError as error:
            ui.notify(str(error), type="negative", timeout=8000, position="top")
            return False
        self._dialog.close()
        ui.notify(words, type="positive", position="top")
        await self.show()
        return True

    @staticmethod
    def _button(name: str, words: str, act: Callable[[], Awaitable[None]], *, main: bool = False) -> None:
        with Words("button", "", "act main" if main else "act").on("click", act):
            drawing(name)
            Words("span", words)


def kept_link(kept: SavedSearchShape, *, is_own: bool) -> Markup:
    """A kept search: its name, whose it is, whether it stands guard."""
    guard = Markup()
    if kept.guard is not None:
        is_on = kept.guard.status == "in force"
        words = "stands guard" if is_on else "guard is a draft"
        style = "guard on" if is_on else "guard"
        guard = tag("span", icon("shield"), tag("span", words), class_=style, title=kept.guard.why_draft or words)
    whose = "shared" if kept.is_shared and is_own else f"from {kept.owner}" if not is_own else ""
    told = tag("span", *([tag("span", whose)] if whose else []), guard, class_="sum")
    return tag("a", tag("span", kept.name, class_="name"), told, class_="choice", href=str(address_of(kept.search)))


def guard_words(guard: GuardShape | None) -> Markup:
    """Whether a search stands guard, and why not where it does not."""
    if guard is None:
        words = (
            "On guard, it raises an alert of the lowest severity when all its answers are given. Alerts follow them."
        )
        return tag("p", icon("shield"), tag("span", words), class_="note")
    if guard.status == "in force":
        return tag("p", icon("shield"), tag("span", "It stands guard: its rule is in force."), class_="note")
    why = guard.why_draft or "its rule was made a draft in Rules"
    return tag("p", icon("warning"), tag("span", f"It raises no alerts: {why}"), class_="note warn")


def _field(words: str, value: str) -> ui.input:
    return ui.input(label=words, value=value).props(f"dense borderless maxlength={LONGEST} autocomplete=off")
