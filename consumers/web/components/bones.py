"""The shape of what is to come, while it is fetched. Pure."""

from consumers.web.components.markup import Markup, tag, together


def _bone(style: str = "", also: str = "") -> Markup:
    return tag("div", class_=f"bone {also}".strip(), style=style or None)


def person_bones(number: int) -> Markup:
    """Cards of *Live* before they are known."""
    words = tag("div", *(_bone(f"height:14px;width:{width}") for width in ("92%", "64%", "78%")), class_="body")
    card = tag("div", _bone(also="crop"), words, class_="person bones", aria_hidden="true")
    return together(*[card] * number)


def hit_bones(number: int) -> Markup:
    """A contact sheet before it is known."""
    words = tag("div", *(_bone(f"height:12px;width:{width}") for width in ("100%", "90%", "60%")), class_="body")
    card = tag("div", _bone(also="crop"), words, class_="hit bones", aria_hidden="true")
    return together(*[card] * number)


def sheet_bones() -> Markup:
    """A person in full before they are known."""
    words = (_bone(f"height:14px;width:{width}") for width in ("100%", "80%", "90%"))
    return tag(
        "div",
        tag("div", _bone("aspect-ratio:16/9"), class_="stage"),
        tag("div", _bone("height:190px;width:100px"), *words, class_="facts"),
        class_="sheet-body bones",
        aria_hidden="true",
    )
