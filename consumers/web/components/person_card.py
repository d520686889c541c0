"""One person in a list: the crop, the caption, the answers, where and when."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from consumers.web.components.answers import answer_chips
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.words import Words, still
from consumers.web.schemas import CropShape, PersonShape
from consumers.web.wording import age, count, seen_time

LIST_HEIGHT_PX = 176
HIT_HEIGHT_PX = 224
WIDE = 0.56  # width to height; a wider crop loses its sides in a list, or it would stand less than 160 px tall


@dataclass(frozen=True, slots=True)
class Now:
    """The moment and the zone in which times are told."""

    instant: datetime
    zone: tzinfo


class PersonCard:
    """A person in *Live*: one card for one chain, whose picture is that of the sighting it was made from."""

    def __init__(self, person: PersonShape, address: str, now: Now, *, is_fresh: bool = False) -> None:
        """Show `person`; the card leads to `address`."""
        self.person, self._last_seen_at = person, person.last_seen_at
        self._counted = {person.person_id}
        self.element = Words("a", "", "person fresh" if is_fresh else "person", href=address)
        with self.element:
            still(card_body(person))
            with Words("div", person.camera_id, "where"):
                self._at = Words("span", time_and_age(self._last_seen_at, now), "at")

    def tell_time(self, now: Now) -> None:
        """Say when the person was last seen, as seen from now."""
        self._at.set_text(time_and_age(self._last_seen_at, now))

    def add_sighting(self, person: PersonShape, now: Now) -> None:
        """The same person was seen in another segment; one that is counted already changes nothing."""
        if person.person_id in self._counted:
            return
        self._counted.add(person.person_id)
        self._last_seen_at = max(self._last_seen_at, person.last_seen_at)
        if len(self._counted) == 2:
            with self.element:
                self._sightings = Words("span", "", "sightings")
        self._sightings.set_text(f"seen {count(len(self._counted), 'time')}")
        self.tell_time(now)


def card_body(person: PersonShape) -> Markup:
    """All of a card that does not change."""
    is_wide = person.crop.width_px > WIDE * person.crop.height_px
    return together(
        tag("div", crop_image(person.crop, LIST_HEIGHT_PX), class_="crop wide" if is_wide else "crop"),
        tag("div", tag("p", person.caption, class_="caption"), answer_chips(person.answers), class_="body"),
    )


def crop_image(crop: CropShape, height_px: int) -> Markup:
    """A crop at a fixed height; one that had to be enlarged says its real size."""
    width_px = round(height_px * crop.width_px / crop.height_px)
    image = tag("img", src=crop.url, alt="", width=width_px, height=height_px, decoding="async", loading="lazy")
    if crop.height_px >= height_px:
        return image
    real, times = f"{crop.width_px} × {crop.height_px} px", height_px / crop.height_px
    return together(image, tag("span", real, class_="size", title=f"Shown {times:.1f} times its real size"))


def time_and_age(instant: datetime, now: Now) -> str:
    """The local time and how long ago that is."""
    return f"{seen_time(instant, now.zone, now.instant)}, {age(instant, now.instant)}"


def nobody(drawing: str, title: str, why: str) -> None:
    """An empty list says why it is empty and what to do."""
    still(tag("div", icon(drawing), tag("h2", title), tag("p", why), class_="empty"))
