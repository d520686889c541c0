"""Everybody whom a search found: the contact sheet, or lanes in time; grows at its end and never moves what stands."""

from collections.abc import Callable, Sequence

from nicegui import ui

from consumers.web.address import PERSON, VIEW, Address
from consumers.web.components.bones import hit_bones
from consumers.web.components.hit_card import HitCard
from consumers.web.components.hit_groups import HitGroup, grouped
from consumers.web.components.hit_timeline import timeline
from consumers.web.components.person_card import Now
from consumers.web.components.search_filters import TIMELINE
from consumers.web.components.words import Words, still
from consumers.web.search.shapes import HitShape


class HitSheet:
    """The hits of one search; `picked` outlives the search."""

    def __init__(self, now: Callable[[], Now], on_pick: Callable[[], None], *, may_pick: bool) -> None:
        """Stand empty; `on_pick` hears that what is chosen has changed."""
        self._now, self._on_pick, self._may_pick = now, on_pick, may_pick
        self.picked: dict[str, None] = {}  # people's ids, in the order they were chosen
        self.groups: list[HitGroup] = []
        self._asked = Address()
        self._hits: list[HitShape] = []
        self._cards: dict[str, HitCard] = {}
        self._body = Words("div", "", "found")
        self._sheet: Words | None = None

    def wait(self) -> None:
        """Show the shape of what is to come."""
        self.clear()
        with self._body, Words("div", "", "sheet-of-hits"):
            still(hit_bones(12))

    def clear(self) -> None:
        """Show nobody."""
        self.groups, self._hits, self._cards, self._sheet = [], [], {}, None
        self._body.clear()

    @property
    def is_gone(self) -> bool:
        """Whether the tab was closed meanwhile."""
        return self._body.is_deleted

    @property
    def people(self) -> list[str]:
        """Whom the cards stand for, in order."""
        return [group.best.person.person_id for group in self.groups]

    @property
    def links(self) -> list[ui.element]:
        """What the keyboard walks along."""
        return [self._cards[chain(group)].link for group in self.groups if chain(group) in self._cards]

    def show(self, hits: Sequence[HitShape], asked: Address) -> None:
        """Show these hits of this search."""
        self.clear()
        self._asked = asked
        self.add(hits)

    def add(self, hits: Sequence[HitShape]) -> None:
        """Show these too, behind the others."""
        self._hits += hits
        before = {chain(group): len(group.hits) for group in self.groups}
        self.groups = grouped(self._hits)
        if self._asked.get(VIEW) == TIMELINE:
            self._body.clear()
            with self._body:
                still(timeline(self.groups, self._asked, self._address, self._now()))
            return
        if self._sheet is None:
            with self._body:
                self._sheet = Words("div", "", "sheet-of-hits")
        for place, group in enumerate(self.groups):
            if before.get(chain(group)) != len(group.hits):
                self._draw(group, place)

    def pick(self, group: HitGroup) -> None:
        """Choose everybody of a group, or no longer."""
        self._mark(group, is_picked=group.best.person.person_id not in self.picked)
        self._on_pick()

    def pick_all(self) -> None:
        """Choose everybody who is shown."""
        for group in self.groups:
            self._mark(group, is_picked=True)
        self._on_pick()

    def pick_none(self) -> None:
        """Choose nobody."""
        self.picked.clear()
        for card in self._cards.values():
            card.pick(is_picked=False)
        self._on_pick()

    def _mark(self, group: HitGroup, *, is_picked: bool) -> None:
        for person_id in group.person_ids:
            if is_picked:
                self.picked[person_id] = None
            else:
                self.picked.pop(person_id, None)
        card = self._cards.get(chain(group))
        if card is not None:
            card.pick(is_picked=is_picked)

    def _draw(self, group: HitGroup, place: int) -> None:
        assert self._sheet is not None
        old = self._cards.pop(chain(group), None)
        if old is not None:
            old.element.delete()
        is_picked = group.best.person.person_id in self.picked
        on_pick = self.pick if self._may_pick else None
        with self._sheet:
            card = HitCard(group, self._address, self._now(), on_pick, is_picked=is_picked)
        if old is not None:
            card.element.move(self._sheet, target_index=place)
        self._cards[chain(group)] = card

    def _address(self, person_id: str) -> str:
        return str(self._asked.but(**{PERSON: person_id}))


def chain(group: HitGroup) -> str:
    """What the hits of a group have in common."""
    return group.best.person.chain_id
