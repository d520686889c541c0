"""What the room *Search* says beside its results. Pure."""

import base64
import io
from collections.abc import Sequence

from PIL import Image

from consumers.web.address import QUERY, SEARCH, Address
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.search_filters import Chip, moved
from consumers.web.schemas import CameraShape, PersonShape
from consumers.web.search.search_address import EXAMPLES, example_of
from consumers.web.search.shapes import SearchShape
from consumers.web.wording import count
from model.questions import CANNOT_TELL

TRIES = 4  # captions offered as searches
THUMBNAIL_PX = 120
MOST_TRIED = 25  # hits counted without a filter


def tellable(people: Sequence[PersonShape]) -> list[str]:
    """The captions, each once, of people of whom something could be told."""
    told = (p.caption for p in people if p.caption and any(a.answer != CANNOT_TELL for a in p.answers))
    return list(dict.fromkeys(told))


def invitation(captions: Sequence[str]) -> Markup:
    """Searches that one click asks."""
    words = "Seen lately:" if captions else "Nobody has been seen yet. People can be found once they are in Live."
    links = (tag("li", tag("a", c, href=str(Address(SEARCH, {QUERY: c.rstrip(".")})))) for c in captions[:TRIES])
    return tag("div", tag("p", words), tag("ul", *links), class_="tries")


def unknown_words(found: SearchShape) -> Markup:
    """Which words the likeness does not go by."""
    if not found.unknown_words:
        return Markup()
    words = ", ".join(f"“{word}”" for word in found.unknown_words)
    told = (
        f"The model has not learnt {words}. What you see goes by the other words, if there are any: judge it with care."
    )
    return tag("p", icon("warning"), tag("span", told), class_="note warn")


def example(asked: Address, image: str | None, words: str) -> Markup:
    """The example that is searched with, and the way to be rid of it."""
    without = moved(asked, **dict.fromkeys(EXAMPLES))
    picture = tag("img", src=image, alt="") if image else icon("image_not_supported")
    close = tag("a", icon("close"), href=str(without), class_="act plain", aria_label="Search without this example")
    told = tag("span", tag("b", "Like this"), tag("span", words, class_="sum"), class_="words")
    return tag("div", picture, told, close, class_="example")


def thumbnail(picture: bytes) -> str:
    """A picture made small, as an address that holds it."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        image.convert("RGB").save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def results_words(found: int, *, has_more: bool, asked: Address) -> str:
    """How many were found, in which order.

    >>> results_words(24, has_more=True, asked=Address("/search", {"q": "vest"}))
    '24+ people, nearest first'
    """
    order = "nearest first" if example_of(asked) else "newest first"
    many = f"{found:,}+ people" if has_more else count(found, "person", "people")
    return f"{many}, {order}"


def no_hits(asked: Address, others: Sequence[tuple[Chip, int]], cameras: Sequence[CameraShape]) -> tuple[str, Markup]:
    """Why a search found nobody, and ways out.

    Args:
        asked: What was asked.
        others: Each filter that holds, and how many people there are without it.
        cameras: Every camera.
    """
    if not sum(camera.people for camera in cameras):
        return "No people have been seen yet. They become searchable as soon as they appear in Live.", Markup()
    helpful = sorted((other for other in others if other[1]), key=lambda other: -other[1])
    if helpful:
        links = (
            tag(
                "a",
                tag("span", f"Without “{chip.words}”"),
                tag("span", _some(number), class_="many"),
                href=str(chip.without),
                class_="act",
            )
            for chip, number in helpful[:3]
        )
        return "One filter leaves nobody. Take it away, and some are found:", together(*links)
    if others:
        rest = {name: asked.get(name) for name in (*EXAMPLES, "view")}
        every = tag("a", "Without any filter", href=str(Address(SEARCH).but(**rest)), class_="act")
        return "The filters leave nobody together; none of them alone is the reason.", every
    return (
        "Nobody's description shares a word with the search, or nobody is in the index yet. Try other words.",
        Markup(),
    )


def _some(number: int) -> str:
    return f"{MOST_TRIED} or more" if number >= MOST_TRIED else count(number, "hit")
