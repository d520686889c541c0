"""Elements that change or are listened to, and pieces of HTML that do not."""

from nicegui import events, ui
from nicegui.elements.mixins.text_element import TextElement

from consumers.web.components.markup import Markup


class Words(TextElement):
    """An HTML element of a chosen tag with text in it."""

    def __init__(self, tag: str, text: str = "", classes: str = "", **attributes: str | int | bool) -> None:
        """Show `text` in a `tag`; an attribute's underscore stands for a hyphen (`aria_label`)."""
        super().__init__(tag=tag, text=text)
        if classes:
            self.classes(classes)
        self.attributes(**attributes)

    def attributes(self, **attributes: str | int | bool) -> "Words":
        """Set HTML attributes as they are: no quoting, no parsing."""
        for name, setting in attributes.items():
            self.props[name.rstrip("_").replace("_", "-")] = setting
        return self


def still(markup: Markup) -> ui.html:
    """A piece of HTML that stays as it is; to the layout, its parts stand where it stands."""
    return ui.html(markup).classes("still")


def button(
    drawing: str, words: str, act: events.Handler[events.GenericEventArguments], *, is_main: bool = False
) -> Words:
    """A button with a drawing and words."""
    made = Words("button", "", "act main" if is_main else "act").on("click", act)
    with made:
        icon(drawing)
        Words("span", words)
    return made


def icon(name: str) -> Words:
    """A drawing that says nothing by itself: words stand beside it."""
    return Words("span", name, "icon", aria_hidden="true")
