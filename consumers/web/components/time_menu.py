"""Footage time as a menu: a stretch up to now, or from an instant until another, typed in the site's time zone."""

from collections.abc import Callable
from datetime import datetime, tzinfo

from nicegui import ui

from consumers.web.address import ALERT, SINCE, UNTIL, Address
from consumers.web.components.alert_filters import instant_of
from consumers.web.components.markup import Markup, tag, together
from consumers.web.components.person_card import Now
from consumers.web.components.words import Words, icon, still
from consumers.web.wording import dated

SPANS = {"1h": "The last hour", "8h": "The last 8 hours", "24h": "The last 24 hours", "7d": "The last 7 days"}
TYPED = "%Y-%m-%dT%H:%M"  # as browsers write a local date and time


class TimeMenu:
    """One menu; what is chosen stands on it, and choosing changes the address."""

    def __init__(self, address: Address, now: Now, go: Callable[[Address], None]) -> None:
        """Lay the menu out.

        Args:
            address: What is shown now.
            now: The moment, and the zone that times are typed and told in.
            go: Told where a typed range leads to.
        """
        self._address, self._now, self._go = address, now, go
        since, until = (instant_of(address.get(part), now.instant, now.zone) for part in (SINCE, UNTIL))
        is_on = bool(address.get(SINCE) or address.get(UNTIL))
        with Words("details", "", "menu on" if is_on else "menu"):
            with Words("summary", "", "act"):
                Words("span", chosen_words(address, now))
                icon("arrow_drop_down")
            with Words("div", "", "choices times"):
                still(span_links(address))
                with Words("fieldset", "", "range"):
                    Words("legend", f"Or a range, in {now.instant.astimezone(now.zone):%Z}")
                    self._since = self._field("From", since)
                    self._until = self._field("Until", until)
                    self._problem = Words("p", "", "problem", role="alert")
                    with ui.element("button").classes("act main").on("click", self._show):
                        Words("span", "Show this time")

    def _field(self, label: str, instant: datetime | None) -> ui.input:
        stands = instant.astimezone(self._now.zone).strftime(TYPED) if instant else ""
        field = ui.input(label, value=stands).props("type=datetime-local stack-label outlined dense hide-bottom-space")
        return field.on("keydown.enter", self._show, args=[])

    def _show(self) -> None:
        since, until = self._since.value or None, self._until.value or None
        if problem := fault_of(since, until, self._now):
            self._problem.set_text(problem)
            return
        self._go(self._address.but(**{SINCE: since, UNTIL: until, ALERT: None}))


def fault_of(since: str | None, until: str | None, now: Now) -> str:
    """What is wrong with a typed range; nothing when it can be shown.

    >>> from datetime import UTC
    >>> noon = Now(datetime(2026, 3, 1, 12, tzinfo=UTC), UTC)
    >>> fault_of("2026-03-01T10:00", "2026-03-01T09:00", noon)
    'Until must be later than from.'
    >>> fault_of("2026-03-01T10:00", None, noon), fault_of(None, None, noon)
    ('', 'Say from when, or until when, or both.')
    """
    begin, end = (instant_of(words, now.instant, now.zone) for words in (since, until))
    if begin is None and end is None:
        return "Say from when, or until when, or both."
    if begin is not None and end is not None and end <= begin:
        return "Until must be later than from."
    return ""


def chosen_words(address: Address, now: Now) -> str:
    """What time the address asks for, in words.

    >>> from datetime import UTC
    >>> noon = Now(datetime(2026, 3, 1, 12, tzinfo=UTC), UTC)
    >>> chosen_words(Address("/alerts", {"since": "8h"}), noon), chosen_words(Address("/alerts"), noon)
    ('The last 8 hours', 'Any time')
    >>> chosen_words(Address("/alerts", {"since": "2026-02-28T22:00", "until": "2026-03-01T06:00"}), noon)
    '28 Feb 22:00 – 06:00'
    >>> chosen_words(Address("/alerts", {"until": "06:00"}), noon)
    'Until 06:00'
    """
    since, until = address.get(SINCE), address.get(UNTIL)
    if since in SPANS and until is None:
        return SPANS[since]
    told = [
        _said(instant, now.zone, now.instant) if instant else None
        for instant in (instant_of(words, now.instant, now.zone) for words in (since, until))
    ]
    if told[0] and told[1]:
        return f"{told[0]} – {told[1]}"
    if told[0]:
        return f"From {told[0]}"
    return f"Until {told[1]}" if told[1] else "Any time"


def _said(instant: datetime, zone: tzinfo, now: datetime) -> str:
    return dated(f"{instant.astimezone(zone):%H:%M}", instant, zone, now)


def span_links(address: Address) -> Markup:
    """Any time, and the stretches up to now."""
    here = address.get(SINCE) if address.get(UNTIL) is None else ""
    return together(
        *(
            tag(
                "a",
                words,
                class_="choice",
                href=str(address.but(**{SINCE: span, UNTIL: None, ALERT: None})),
                aria_current="true" if span == here else None,
            )
            for span, words in ((None, "Any time"), *SPANS.items())
        )
    )
