"""The keys, listed at `?`."""

from nicegui import ui

from consumers.web.components.words import Words, icon

KEYS = (
    (("/",), "Write a search"),
    (("j",), "Next person, alert or camera"),
    (("k",), "Previous person, alert or camera"),
    (("Enter",), "Open the person"),
    (("a",), "Alerts: acknowledge"),
    (("s",), "Alerts: take it yourself"),
    (("r",), "Alerts: resolve"),
    (("f",), "Alerts: false alarm, then 1, 2, … for what is right"),
    (("x",), "Alerts: mark, for one act on many"),
    (("u",), "Alerts: undo"),
    (("n",), "Alerts: show what is new"),
    (("x",), "Search: choose"),
    (("e",), "Search: export what is chosen"),
    (("m",), "Search: more like the selected one"),
    (("t",), "Search: sheet or timeline"),
    (("n",), "Search: show more"),
    (("c",), "Cameras: add one"),
    (("Esc",), "Close, or let go of what is selected"),
    (("?",), "This list"),
)


class KeysDialog:
    """The list of keys over a room."""

    def __init__(self) -> None:
        """Stay closed until asked for."""
        self._dialog = ui.dialog().props('aria-label="Keys"')
        with self._dialog, Words("section", "", "sheet narrow"):
            with Words("header", "", "sheet-head"):
                Words("h2", "Keys")
                with Words("div", "", "rest"), Words("button", "", "act plain", aria_label="Close") as shut:
                    icon("close")
                shut.on("click", self._dialog.close)
            with Words("div", "", "sheet-body"), Words("dl", "", "keys"):
                for keys, words in KEYS:
                    with Words("dt"):
                        for key in keys:
                            Words("kbd", key)
                    Words("dd", words)

    @property
    def is_open(self) -> bool:
        """Whether the list is shown; whoever tries a key then does nothing to what is behind it."""
        return bool(self._dialog.value)

    def toggle(self) -> None:
        """Open, or close."""
        self._dialog.toggle()
