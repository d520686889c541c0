"""New alerts that wait for a click while somebody reads: nothing jumps."""

from collections.abc import Sequence

from nicegui import ui

from consumers.web.components.words import Words
from consumers.web.components.words import icon as drawing


class WaitingAlerts:
    """The alerts that are not in the list yet, and the button that lets them in."""

    def __init__(self) -> None:
        """Nothing waits; the button, out of sight, is laid out here."""
        self.ids: list[str] = []
        with Words("div", "", "news"):
            self.button = ui.element("button").classes("act main")
            with self.button:
                drawing("arrow_upward")
                self._words = Words("span", "")
        self.announce()

    def add(self, alert_ids: Sequence[str]) -> None:
        """Let some more wait; nothing is said of them yet."""
        self.ids += alert_ids

    def clear(self) -> None:
        """None waits any more."""
        self.ids.clear()
        self.announce()

    def announce(self) -> None:
        """Say how many wait."""
        self.button.set_visibility(bool(self.ids))
        self._words.set_text(f"{len(self.ids)} new")


def with_those_that_stood(order: Sequence[str], shown: Sequence[str]) -> list[str]:
    """A new order in which rows of the old one that no longer fit stay where they stood.

    >>> with_those_that_stood(["new", "b"], ["a", "b"])
    ['a', 'new', 'b']
    """
    kept, merged = set(order), list(order)
    for place, name in enumerate(shown):
        if name not in kept:
            merged.insert(min(place, len(merged)), name)
    return merged
