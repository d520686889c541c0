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
