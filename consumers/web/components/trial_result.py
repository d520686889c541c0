"""What rules would have raised on stored footage, beside those in force. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from consumers.alerts.trying import RuleTrial, Trial, WouldRaise
from consumers.web.address import LIVE, PERSON, Address
from consumers.web.components.alert_words import severity_mark
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.person_card import Now
from consumers.web.components.rule_card import spark_line
from consumers.web.shaping import media_address
from consumers.web.wording import count, seen_time

SHOWN = 12  # pictures a rule
PICTURE_PX = 120


def trial_result(trial: Trial, now: Now) -> Markup:
    """The whole result."""
    if not trial.segments:
        return tag("p", icon("videocam_off"), tag("span", _nothing(trial)), class_="note warn")
    gone = f" {count(trial.segments_gone, 'clip')} had no result left." if trial.segments_gone else ""
    asked = (
        f" The model was asked again about {count(trial.looks_asked_again, 'look')}." if trial.looks_asked_again else ""
    )
    summary = (
        f"{count(trial.segments, 'clip')}, {trial.hours * 60:.1f} minutes of footage, "
        f"{count(trial.people, 'person', 'people')} in {count(trial.looks, 'look')}.{gone}{asked}"
    )
    rules = (_rule(one, trial.beside(one.rule_id), now) for one in trial.tried)
    return tag("div", tag("p", summary, class_="sum"), *rules, class_="trial")


def _nothing(trial: Trial) -> str:
    gone = f" {count(trial.segments_gone, 'clip')} had no result left." if trial.segments_gone else ""
    return f"No footage is stored of that time.{gone}"


def _rule(tried: RuleTrial, in_force: RuleTrial | None, now: Now) -> Markup:
    beside = "not in force now" if in_force is None else f"in force now: {len(in_force.alerts)}"
    hours = [number for _, number in _every_hour(tried)]
    per_hour = (
        tag("div", spark_line(hours), tag("span", f"per hour, at most {max(hours)}"), class_="week")
        if len(hours) > 1
        else Markup()
    )
    cannot = (
        tag("p", icon("info"), tag("span", f"It would stay a draft: {tried.cannot_tell_why}."), class_="why-draft")
        if tried.cannot_tell_why
        else Markup()
    )
    more = len(tried.alerts) - SHOWN
    rest = tag("p", f"and {count(more, 'more', 'more')}", class_="sum") if more > 0 else Markup()
    return tag(
        "section",
        tag("div", severity_mark(tried.severity), tag("h3", tried.title), class_="line"),
        tag("p", tag("b", f"{count(len(tried.alerts), 'alert')}"), tag("span", f" would have come; {beside}.")),
        cannot,
        per_hour,
        _pictures(tried.alerts[:SHOWN], now),
        rest,
        class_="tried",
    )


def _pictures(alerts: Sequence[WouldRaise], now: Now) -> Markup:
    pictures = (
        tag(
            "a",
            tag("img", src=media_address(alert.crop_uri), alt="", height=PICTURE_PX, loading="lazy"),
            tag("span", f"{alert.camera_id}, {seen_time(alert.met_at, now.zone, now.instant)}", class_="at"),
            href=str(Address(LIVE, {PERSON: alert.person_id})),
        )
        for alert in alerts
    )
    return tag("div", *pictures, class_="strip") if alerts else Markup()


def _every_hour(tried: RuleTrial) -> list[tuple[object, int]]:
    """Every hour from the first alert to the last, those without any too."""
    counted = tried.per_hour
    if not counted:
        return []
    first, last = min(counted), max(counted)
    hours = int((last - first) / timedelta(hours=1)) + 1
    return [(at, counted.get(at, 0)) for at in (first + timedelta(hours=n) for n in range(hours))]
