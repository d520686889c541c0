"""One person in a list: the crop, the caption, the answers, where and when."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from consumers.web.components.answers import answer_chips
from consumers.web.components.words import Words, icon
from consumers.web.schemas import CropShape, HitShape, PersonShape
from consumers.web.wording import age, count, seen_time

LIST_HEIGHT_PX = 176
HIT_HEIGHT_PX = 224


@dataclass(frozen=True, slots=True)
class Now:
    """The moment and the zone in which times are told."""

    instant: datetime
    zone: tzinfo


class PersonCard:
    """A person in *Live*: one card for one chain, whose picture is that of the sighting it was made from."""

    def __init__(self, person: PersonShape, address: str, now: Now, *, is_fresh: bool = False) -> None:
        """Show `person`; the card leads to `address`."""
        self.person, self.sightings, self._last_seen_at = person, 1, person.last_seen_at
        self.element = Words("a", "", "person fresh" if is_fresh else "person", href=address)
        with self.element:
            with Words("div", "", "crop"):
                crop_image(person.crop, LIST_HEIGHT_PX)
                self._sightings = Words("span", "", "sightings")
            with Words("div", "", "body"):
                Words("p", person.caption, "caption")
                answer_chips(person.answers)
                with Words("div", "", "where"):
                    Words("span", person.camera_id, "camera", title=f"Camera {person.camera_id}")
                    self._at = Words("span", "", "at")
        self.tell_time(now)

    def tell_time(self, now: Now) -> None:
        """Say when the person was last seen, as seen from now."""
        self._at.set_text(time_and_age(self._last_seen_at, now))

    def add_sighting(self, person: PersonShape, now: Now) -> None:
        """The same person was seen in another segment."""
        self.sightings += 1
        self._last_seen_at = max(self._last_seen_at, person.last_seen_at)
        self._sightings.set_text(f"seen {self.sightings} times")
        self._sightings.attributes(title=f"In {count(self.sightings, 'clip')}, one after another")
        self.tell_time(now)


def hit_card(hit: HitShape, rank: int, address: str, now: Now) -> Words:
    """A person found by a search, with how near they are as a length."""
    person = hit.person
    with Words("a", "", "hit", href=address) as card:
        with Words("div", "", "crop"):
            crop_image(person.crop, HIT_HEIGHT_PX)
            Words("span", f"{rank}", "rank", title=f"Place {rank}")
        with Words("div", "", "body"):
            length = Words("span", "", "score", role="img", aria_label=f"nearness {hit.score:.2f}")
            length.attributes(title=f"Nearness {hit.score:.3f}").style(f"--p:{min(1.0, max(0.0, hit.score)):.3f}")
            Words("p", person.caption, "caption")
            with Words("div", "", "where"):
                Words("span", person.camera_id, "camera")
                Words("span", time_and_age(person.first_seen_at, now), "at")
    return card


def crop_image(crop: CropShape, height_px: int) -> None:
    """A crop at a fixed height; one that had to be enlarged says its real size."""
    width_px = round(height_px * crop.width_px / crop.height_px)
    Words("img", src=crop.url, alt="", width=width_px, height=height_px, decoding="async", loading="lazy")
    if crop.height_px < height_px:
        times = height_px / crop.height_px
        Words("span", f"{crop.width_px} × {crop.height_px} px", "size", title=f"Shown {times:.1f} times its real size")


def time_and_age(instant: datetime, now: Now) -> str:
    """The local time and how long ago that is."""
    return f"{seen_time(instant, now.zone, now.instant)}, {age(instant, now.instant)}"


def nobody(drawing: str, title: str, why: str) -> Words:
    """An empty list says why it is empty and what to do."""
    with Words("div", "", "empty") as empty:
        icon(drawing)
        Words("h2", title)
        Words("p", why)
    return empty
