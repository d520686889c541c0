"""The shape of what is to come, while it is fetched."""

from consumers.web.components.words import Words


def person_bones(number: int) -> None:
    """Cards of *Live* before they are known."""
    for _ in range(number):
        with Words("div", "", "person bones", aria_hidden="true"):
            Words("div", "", "crop bone")
            with Words("div", "", "body"):
                for width in ("92%", "64%"):
                    Words("div", "", "bone").style(f"height:14px;width:{width}")
                Words("div", "", "bone").style("height:24px;width:78%")


def hit_bones(number: int) -> None:
    """A contact sheet before it is known."""
    for _ in range(number):
        with Words("div", "", "hit bones", aria_hidden="true"):
            Words("div", "", "crop bone")
            with Words("div", "", "body"):
                for width in ("100%", "90%", "60%"):
                    Words("div", "", "bone").style(f"height:12px;width:{width}")


def sheet_bones() -> None:
    """A person in full before they are known."""
    with Words("div", "", "sheet-body bones", aria_hidden="true"):
        with Words("div", "", "stage"):
            Words("div", "", "bone").style("aspect-ratio:16/9")
        with Words("div", "", "facts"):
            Words("div", "", "bone").style("height:190px;width:100px")
            for width in ("100%", "80%", "90%"):
                Words("div", "", "bone").style(f"height:14px;width:{width}")
