"""Hits placed in time, a lane a camera. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from consumers.web.address import SINCE, UNTIL, Address
from consumers.web.components.hit_groups import HitGroup, by_camera
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.person_card import Now
from consumers.web.components.search_filters import moved
from consumers.web.search.shapes import HitShape
from consumers.web.wording import count, seen_time

ROWS = 3  # hits one above the other at one time; more become a number that leads closer
SLOT = 0.05  # a picture's width as a share of a lane
TICKS = 6  # at most
STEPS_S = (
    1,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
    2_592_000,
)
LEAST_S = 10.0


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of time that lanes show."""

    since: datetime
    until: datetime

    def share(self, instant: datetime) -> float:
        """Where an instant lies, 0..1."""
        return (instant - self.since) / (self.until - self.since)


@dataclass(frozen=True, slots=True)
class Placed:
    """A hit in a lane: its row, or the number of those that found no row, from one instant to another."""

    share: float
    row: int
    hits: tuple[HitShape, ...]


def timeline(groups: Sequence[HitGroup], asked: Address, person_address: Callable[[str], str], now: Now) -> Markup:
    """Lanes with every hit, the times above them."""
    lanes = by_camera(groups)
    span = span_of([hit for lane in lanes.values() for hit in lane])
    best = {group.best.person.person_id for group in groups[:ROWS]}
    drawn = (
        _lane(camera, placed(hits, span), len(hits), span, best, asked, person_address, now)
        for camera, hits in lanes.items()
    )
    return tag(
        "div",
        tag("div", _axis(span, now.zone), *drawn, class_="lanes"),
        class_="timeline",
        role="group",
        aria_label="Hits by camera and time",
        tabindex="0",
    )


def span_of(hits: Sequence[HitShape]) -> Span:
    """From the first hit to the last with a margin; at least ten seconds."""
    first = min(hit.person.first_seen_at for hit in hits)
    last = max(hit.person.first_seen_at for hit in hits)
    lasts_s = max((last - first).total_seconds(), LEAST_S)
    margin = timedelta(seconds=0.04 * lasts_s)
    return Span(first - margin, first + timedelta(seconds=lasts_s) * (1 + SLOT) + margin)


def placed(hits: Sequence[HitShape], span: Span) -> list[Placed]:
    """Each hit at its time in the first row that has room; those without room together, in the row below."""
    free = [0.0] * ROWS
    found: list[Placed] = []
    crowd: list[HitShape] = []
    for hit in hits:
        share = span.share(hit.person.first_seen_at)
        row = next((row for row in range(ROWS) if free[row] <= share), None)
        if row is None:
            crowd.append(hit)
            continue
        if crowd and span.share(crowd[0].person.first_seen_at) + SLOT < share:
            found.append(_crowd(crowd, span))
            crowd = []
        free[row] = share + SLOT
        found.append(Placed(share, row, (hit,)))
    if crowd:
        found.append(_crowd(crowd, span))
    return found


def ticks(span: Span, zone: tzinfo) -> list[datetime]:
    """Round times inside the span, at most six.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> [f"{at:%H:%M}" for at in ticks(Span(noon, noon + timedelta(hours=1)), UTC)]
    ['12:00', '12:15', '12:30', '12:45', '13:00']
    """
    lasts_s = (span.until - span.since).total_seconds()
    step_s = next((step for step in STEPS_S if lasts_s / step <= TICKS), STEPS_S[-1] * math.ceil(lasts_s / 1.5e7))
    local = span.since.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    first = math.ceil((local - midnight).total_seconds() / step_s)
    found = []
    for number in range(first, first + TICKS + 1):
        at = midnight + timedelta(seconds=number * step_s)
        if at > span.until:
            break
        found.append(at)
    return found


def _crowd(crowd: Sequence[HitShape], span: Span) -> Placed:
    return Placed(span.share(crowd[0].person.first_seen_at), ROWS, tuple(crowd))


def _axis(span: Span, zone: tzinfo) -> Markup:
    first, last = span.since.astimezone(zone), span.until.astimezone(zone)
    is_short = (span.until - span.since) < timedelta(minutes=5)
    is_days = first.date() != last.date()
    shape = ("%-d %b " if is_days else "") + ("%H:%M:%S" if is_short else "%H:%M")
    if (span.until - span.since) > timedelta(days=5):
        shape = "%-d %b"
    marks = (tag("span", at.strftime(shape), style=f"left:{span.share(at):.2%}") for at in ticks(span, zone))
    day = f"{first:%Z}" if is_days else f"{first.day} {first:%b}, {first:%Z}"
    return tag("div", tag("span", day, class_="lane-name"), tag("div", *marks, class_="axis"), class_="lane head")


def _lane(
    camera: str,
    hits: Sequence[Placed],
    number: int,
    span: Span,
    best: set[str],
    asked: Address,
    person_address: Callable[[str], str],
    now: Now,
) -> Markup:
    rows = 1 + max(one.row for one in hits)
    marks = (
        _more(one, span, asked)
        if one.row == ROWS
        else _mark(one, person_address, now, is_best=one.hits[0].person.person_id in best)
        for one in hits
    )
    name = tag("div", tag("b", camera), tag("span", count(number, "hit")), class_="lane-name")
    is_crowded = rows > ROWS
    height = f"--rows:{min(rows, ROWS)};--crowd:{int(is_crowded)}"
    return tag("div", name, tag("div", *marks, class_="track", style=height), class_="lane")


def _mark(one: Placed, person_address: Callable[[str], str], now: Now, *, is_best: bool) -> Markup:
    person = one.hits[0].person
    at = seen_time(person.first_seen_at, now.zone, now.instant)
    return tag(
        "a",
        tag("img", src=person.crop.url, alt="", loading="lazy", decoding="async"),
        class_="mark best" if is_best else "mark",
        href=person_address(person.person_id),
        style=f"left:{one.share:.2%};--row:{one.row}",
        title=f"{at}: {person.caption}",
        aria_label=f"{person.camera_id}, {at}: {person.caption}",
    )


def _more(one: Placed, span: Span, asked: Address) -> Markup:
    """What found no room: a click shows that stretch of time alone."""
    first, last = (one.hits[end].person.first_seen_at for end in (0, -1))
    margin = (span.until - span.since) * SLOT
    since, until = ((at + shift).isoformat(timespec="seconds") for at, shift in ((first, -margin), (last, margin)))
    closer = moved(asked, **{SINCE: since, UNTIL: until})
    words = f"{len(one.hits)} more"
    return tag(
        "a",
        icon("zoom_in"),
        tag("span", words),
        class_="crowd",
        href=str(closer),
        style=f"left:{one.share:.2%}",
        title=f"{words} at this time: look closer",
    )
