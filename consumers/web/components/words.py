"""Plain HTML elements that hold words, and icons from the font that NiceGUI brings."""

from nicegui.elements.mixins.text_element import TextElement


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


def icon(name: str, classes: str = "") -> Words:
    """A drawing that says nothing by itself: words stand beside it."""
    return Words("span", name, f"icon {classes}".strip(), aria_hidden="true")
