"""How alerts are told: states, severities, what happened, why a rule was met. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from consumers.web.alerts.shapes import AlertShape, HistoryShape
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.wording import count

STATES: Mapping[str, tuple[str, str]] = {  # state -> words and drawing
    "open": ("Open", "radio_button_unchecked"),
    "acknowledged": ("Acknowledged", "visibility"),
    "snoozed": ("Snoozed", "snooze"),
    "resolved": ("Resolved", "check_circle"),
    "false_alarm": ("False alarm", "block"),
}
SEVERITIES: Mapping[str, tuple[str, str]] = {
    "critical": ("Critical", "error"),
    "high": ("High", "keyboard_double_arrow_up"),
    "medium": ("Medium", "drag_handle"),
    "low": ("Low", "keyboard_double_arrow_down"),
    "info": ("Info", "info"),
}


def severity_mark(severity: str) -> Markup:
    """How bad, as a drawing and a word."""
    words, drawing = SEVERITIES.get(severity, (severity, "help"))
    return tag("span", icon(drawing), tag("span", words), class_=f"severity {severity}")


def state_mark(alert: AlertShape) -> Markup:
    """The state as a drawing and a word, with whose it is."""
    words, drawing = STATES[alert.state]
    own = tag("span", f"· {alert.assignee}", class_="whose") if alert.assignee else Markup()
    return tag("span", icon(drawing), tag("span", words), own, class_=f"state {alert.state}")


def happened(line: HistoryShape) -> str:
    """One line of an alert's history as a sentence.

    >>> from datetime import UTC
    >>> line = HistoryShape(at=datetime(2026, 3, 1, tzinfo=UTC), who="anna", action="assigned", comment=None,
    ...                     right_answer=None, details={"to": "ben"}, version=2)
    >>> happened(line)
    'anna assigned it to ben'
    """
    details = line.details
    match line.action:
        case "raised":
            return "The rule was met"
        case "escalated":
            told = ", ".join(details.get("channels", ())) or "nobody: no channel is named"
            return f"Nobody had acknowledged it: told {told}"
        case "woke":
            return "The snooze is over"
        case "assigned":
            return f"{line.who} assigned it to {details['to']}" if details.get("to") else f"{line.who} let go of it"
        case "commented":
            return f"{line.who} wrote"
        case "false alarm":
            asked = f" to “{details['question']}”" if details.get("question") else ""
            return f"{line.who} called it a false alarm; right is “{line.right_answer}”{asked}"
        case "snoozed":
            return f"{line.who} snoozed it"
        case "acknowledged" | "resolved" | "reopened":
            return f"{line.who} {line.action} it"
    return f"{line.who}: {line.action}"


def why_met(numbers: Mapping[str, Any]) -> str:
    """What was counted when the rule was met, in a sentence; empty where nothing of it is known.

    >>> why_met({"seconds": 2.6, "seconds_needed": 2, "share": 0.9, "share_needed": 0.7, "breach_looks": 9,
    ...          "answered_looks": 10, "untold_looks": 1})
    'Seen in breach for 2.6 s (2 s needed), in 9 of 10 answered looks: 90% (70% needed). 1 look could not tell.'

    Of a rule with conditions it also says what else had to be answered.
    """
    try:
        untold = numbers["untold_looks"]
        told = f" {count(untold, 'look')} could not tell." if untold else ""
        return (
            f"Seen in breach for {numbers['seconds']:g} s ({numbers['seconds_needed']:g} s needed), "
            f"in {numbers['breach_looks']} of {numbers['answered_looks']} answered looks: "
            f"{numbers['share']:.0%} ({numbers['share_needed']:.0%} needed).{told}{_conditions(numbers)}"
        )
    except (KeyError, TypeError, ValueError):  # written by a version that counted otherwise
        return ""


def condition_words(text: str, given: Sequence[str]) -> str:
    """What else has to be answered.

    >>> condition_words("What colour is the hard hat?", ["red", "blue"])
    '“What colour is the hard hat?” is answered red or blue'
    """
    return f"“{text}” is answered {' or '.join(given)}"


def _conditions(numbers: Mapping[str, Any]) -> str:
    told = " and ".join(condition_words(one["text"], one["given"]) for one in numbers.get("only_if", ()))
    return f" A look is a breach only if {told}." if told else ""


def lasted_s(since: datetime, until: datetime) -> str:
    """A short span in words.

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> lasted_s(noon, noon + timedelta(seconds=95))
    '1 min 35 s'
    """
    return seconds_words((until - since).total_seconds())


def seconds_words(seconds: float) -> str:
    """Seconds as one says them.

    >>> [seconds_words(s) for s in (8.4, 95, 7300)]
    ['8 s', '1 min 35 s', '2 h 1 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
