"""A person found: the picture, why they are here, where and when; their other sightings; the box to choose them."""

from collections.abc import Callable

from consumers.web.components.hit_groups import HitGroup
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.person_card import HIT_HEIGHT_PX, Now, crop_image, time_and_age
from consumers.web.components.words import Words, still
from consumers.web.components.words import icon as drawing
from consumers.web.search.shapes import HitShape
from consumers.web.wording import count, seen_time

SIGHTING_HEIGHT_PX = 64


class HitCard:
    """One group of hits on the contact sheet."""

    def __init__(
        self,
        group: HitGroup,
        address: Callable[[str], str],
        now: Now,
        on_pick: Callable[[HitGroup], None] | None,
        *,
        is_picked: bool,
    ) -> None:
        """Show `group`; the card leads to the `address` of whoever it shows.

        `on_pick`: None where nothing can be chosen.
        """
        self.group, self._pick = group, None
        best = group.best.person
        with Words("article", "", "hit") as self.element:
            self.link = Words("a", "", "open", href=address(best.person_id))
            with self.link:
                still(hit_body(group, now))
            if len(group.hits) > 1:
                still(sightings(group, address, now))
            if on_pick is not None:
                words = f"Choose {best.caption or 'this person'}"
                self._pick = Words("button", "", "choose", role="checkbox", aria_label=words, title="Choose (X)")
                with self._pick.on("click", lambda: on_pick(group)):
                    drawing("check")
        self.pick(is_picked=is_picked)

    def pick(self, *, is_picked: bool) -> None:
        """Show whether it is chosen."""
        if self._pick is not None:
            self._pick.attributes(aria_checked="true" if is_picked else "false")
            self._pick.update()
        self.element.classes(add="picked" if is_picked else "", remove="" if is_picked else "picked")


def hit_body(group: HitGroup, now: Now) -> Markup:
    """All of a person found that leads to them."""
    person = group.best.person
    return together(
        tag("div", crop_image(person.crop, HIT_HEIGHT_PX), tag("span", f"{group.rank}", class_="rank"), class_="crop"),
        tag(
            "div",
            why(group.best),
            tag("p", person.caption, class_="caption"),
            tag("span", person.camera_id, class_="camera"),
            tag("span", time_and_age(person.first_seen_at, now), class_="at"),
            class_="body",
        ),
    )


def why(hit: HitShape) -> Markup:
    """Why somebody is here: how alike as a length, and the words that their description shares."""
    similarity, words = hit.why.similarity, hit.why.matched_words
    parts = []
    if similarity is not None:
        told = f"Likeness of the picture {similarity:.2f} of 1"
        length = f"--p:{min(1.0, max(0.0, similarity)):.3f}"
        parts.append(tag("span", class_="score", role="img", aria_label=told, title=told, style=length))
    if words:
        marks = (tag("li", word) for word in words)
        parts.append(tag("ul", *marks, class_="matched", title="Words of the search in the description or the answers"))
    return tag("div", *parts, class_="why") if parts else Markup()


def sightings(group: HitGroup, address: Callable[[str], str], now: Now) -> Markup:
    """Every sighting of the group that was found, in the order of time."""
    in_time = sorted(group.hits, key=lambda hit: hit.person.first_seen_at)
    links = (
        tag(
            "a",
            tag("img", src=hit.person.crop.url, alt="", height=SIGHTING_HEIGHT_PX, loading="lazy", decoding="async"),
            tag("span", seen_time(hit.person.first_seen_at, now.zone, now.instant), class_="at"),
            href=address(hit.person.person_id),
        )
        for hit in in_time
    )
    summary = tag("summary", icon("layers"), tag("span", f"Found {count(len(in_time), 'time')}"), icon("expand_more"))
    return tag("details", summary, tag("div", *links, class_="strip"), class_="sightings-of")
