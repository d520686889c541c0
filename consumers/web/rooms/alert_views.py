"""The views of *Alerts*: the list, or what a stretch of time was like; and the table of what is shown."""

from datetime import timedelta
from urllib.parse import urlencode

from consumers.web.address import ALERTS, VIEW, Address
from consumers.web.alerts.filters import AlertFilter
from consumers.web.alerts.shapes import AlertShape
from consumers.web.alerts.summary import shift_of, summarize
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.shift_summary import lay_out_summary
from consumers.web.components.words import Words
from consumers.web.rooms.room import PageLook
from consumers.web.wording import seen_time

SPANS = {"24h": ("Last 24 hours", timedelta(days=1)), "7d": ("Last 7 days", timedelta(days=7))}
VIEWS: dict[str | None, str] = {
    None: "List",
    "shift": "This shift",
    "before": "Shift before",
    **{name: words for name, (words, _) in SPANS.items()},
}


def stretch_of(view: str, look: PageLook) -> AlertFilter:
    """The stretch of time that a view is about."""
    now = look.now()
    if view in SPANS:
        return AlertFilter(since=now.instant - SPANS[view][1], until=now.instant)
    since, until = shift_of(now.instant, now.zone, look.shift_starts_h, back=1 if view == "before" else 0)
    return AlertFilter(since=since, until=until)


def show_summary(place: Words, alerts: list[AlertShape], stretch: AlertFilter, look: PageLook, *, is_dark: bool) -> str:
    """Lay out what a stretch was like; returns the stretch in words."""
    assert stretch.since is not None
    assert stretch.until is not None
    now = look.now()
    place.clear()
    with place:
        summary = summarize(alerts, stretch.since, stretch.until, now.zone)
        lay_out_summary(summary, now.zone, is_dark=is_dark)
    first, last = (seen_time(at, now.zone, now.instant) for at in (stretch.since, stretch.until))
    return f"since {first}, until {last}"


def views(address: Address) -> Markup:
    """The list, and the shifts."""
    here = address.get(VIEW)
    links = (
        tag(
            "a",
            words,
            href=str(Address(ALERTS, {VIEW: view} if view else {})),
            aria_current="true" if here == view else None,
        )
        for view, words in VIEWS.items()
    )
    return tag("nav", *links, class_="filters", aria_label="Views")


def export_link(asked: AlertFilter) -> Markup:
    """The way to the table of what the filter shows."""
    told = urlencode(asked.told(), doseq=True)
    return tag(
        "a",
        icon("download"),
        tag("span", "CSV"),
        href=f"/api/v1/alerts.csv?{told}",
        class_="act plain",
        download="alerts.csv",
        title="These alerts as a table",
    )
