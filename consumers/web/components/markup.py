"""HTML made of parts, every word escaped. Pure.

What does not change is sent as one piece of HTML: NiceGUI renders its whole tree at every change, so a page of two
hundred cards must not be five thousand elements.
"""

from html import escape

VOID = frozenset({"img", "input"})  # elements that have no inside


class Markup(str):
    """HTML that may be shown as it is: made by `tag`, in which plain words have been escaped."""

    __slots__ = ()


def tag(name: str, /, *inside: str, **attributes: str | int | None) -> Markup:
    """One element; an attribute's underscore stands for a hyphen, a trailing one is dropped, None leaves it out.

    >>> tag("p", "a < b", tag("b", "!"), class_="note", aria_label='"quoted"', title=None)
    '<p class="note" aria-label="&quot;quoted&quot;">a &lt; b<b>!</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(setting))}"'
        for key, setting in attributes.items()
        if setting is not None
    )
    return Markup(f"<{name}{written}>{together(*inside)}" + ("" if name in VOID else f"</{name}>"))


def together(*parts: str) -> Markup:
    """Parts one after another; words among them are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def coded(words: str) -> Markup:
    """Words in which what stands between backticks is shown as code.

    >>> coded("run `crewsight up`, then wait")
    'run <code>crewsight up</code>, then wait'
    """
    return together(*(tag("code", part) if place % 2 else part for place, part in enumerate(words.split("`"))))


def icon(name: str) -> Markup:
    """A drawing that says nothing by itself: words stand beside it."""
    return tag("span", name, class_="icon", aria_hidden="true")
