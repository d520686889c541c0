"""Which alerts the address asks for, and the chips and menus that change it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from consumers.web.address import ALERT, CAMERA, RULE, SEVERITY, SINCE, STATE, UNTIL, Address
from consumers.web.alerts.board import Offered
from consumers.web.alerts.filters import AlertFilter
from consumers.web.components.alert_words import SEVERITIES
from consumers.web.components.markup import Markup, icon, tag, together

STATES = {  # what the address says -> the chip's words and the states meant
    None: ("To do", ("open", "acknowledged")),
    "open": ("Open", ("open",)),
    "snoozed": ("Snoozed", ("snoozed",)),
    "closed": ("Closed", ("resolved", "false_alarm")),
    "all": ("All", ()),
}
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "m": timedelta(minutes=1)}


def filter_of(address: Address, now: datetime, zone: tzinfo) -> AlertFilter:
    """What the address asks for; parts that nobody can mean are left out.

    >>> filter_of(Address("/alerts", {"state": "closed", "camera": "gate"}), datetime(2026, 3, 1, tzinfo=UTC), UTC)
    AlertFilter(cameras=('gate',), rules=(), states=('resolved', 'false_alarm'), severities=(), assignee=None, \
since=None, until=None)
    """
    _, states = STATES.get(address.get(STATE), STATES[None])
    return AlertFilter(
        cameras=_one(address.get(CAMERA)),
        rules=_one(address.get(RULE)),
        states=states,
        severities=_one(address.get(SEVERITY)),
        since=instant_of(address.get(SINCE), now, zone),
        until=instant_of(address.get(UNTIL), now, zone),
    )


def instant_of(words: str | None, now: datetime, zone: tzinfo) -> datetime | None:
    """A moment as one types it: `8h` ago, `14:30` today, or `2026-03-01 14:30`; None: it is none of these.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> [f"{instant_of(words, noon, UTC):%d %H:%M}" for words in ("8h", "9:30", "2026-02-03 14:00", "2026-02-03")]
    ['01 04:00', '01 09:30', '03 14:00', '03 00:00']
    >>> instant_of("soon", noon, UTC), instant_of("25:00", noon, UTC), instant_of(None, noon, UTC)
    (None, None, None)
    """
    if not words:
        return None
    words = words.strip()
    number, unit = words[:-1], words[-1:]
    if unit in _UNITS and number.isdigit() and len(number) < 5:
        return now - int(number) * _UNITS[unit]
    hours, _, minutes = words.partition(":")
    try:
        if len(words) <= 5:
            return now.astimezone(zone).replace(
                hour=int(hours), minute=int(minutes), second=0, microsecond=0
            ).astimezone(UTC)  # fmt: skip
        said = datetime.fromisoformat(words)
    except ValueError:
        return None
    return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)


def state_chips(address: Address) -> Markup:
    """One chip a kind of state."""
    chips = (
        tag(
            "a",
            words,
            href=str(_moved(address, STATE, state)),
            aria_current="true" if address.get(STATE) == state else None,
        )
        for state, (words, _) in STATES.items()
    )
    return tag("nav", *chips, class_="filters", aria_label="States")


def menus(address: Address, offered: Offered) -> Markup:
    """A menu for each of severity, rule and camera; what is chosen stands on it."""
    titles = dict(offered.rules)
    severities = [(severity, words) for severity, (words, _) in SEVERITIES.items()]
    return together(
        _menu(address, SEVERITY, "Every severity", severities),
        _menu(address, RULE, "Every rule", list(titles.items())),
        _menu(address, CAMERA, "Every camera", [(camera, camera) for camera in offered.cameras]),
    )


def is_filtered(address: Address) -> bool:
    """Whether the address asks for less than everything that is to do."""
    return any(address.get(part) for part in (CAMERA, RULE, STATE, SEVERITY, SINCE, UNTIL))


def _one(name: str | None) -> tuple[str, ...]:
    return (name,) if name else ()


def _moved(address: Address, part: str, choice: str | None) -> Address:
    """The same list filtered otherwise; what is open stays open only if one opens it again."""
    return address.but(**{part: choice, ALERT: None})


def _menu(address: Address, part: str, everything: str, choices: Sequence[tuple[str, str]]) -> Markup:
    here = address.get(part)
    chosen = dict(choices).get(here or "", here) or everything
    links = (
        tag(
            "a",
            words,
            class_="choice",
            href=str(_moved(address, part, choice)),
            aria_current="true" if choice == here else None,
        )
        for choice, words in ((None, everything), *choices)
    )
    summary = tag("summary", tag("span", chosen), icon("arrow_drop_down"), class_="act")
    return tag("details", summary, tag("div", *links, class_="choices"), class_="menu on" if here else "menu")
