"""One rule in the list: what it asks, whether it is in force, how often it was broken. Pure."""

from collections.abc import Sequence

from consumers.alerts.rule_questions import Condition
from consumers.alerts.rules import IN_FORCE, Rule
from consumers.alerts.standing import RuleStanding
from consumers.web.address import ALERTS, RULE, STATE, Address
from consumers.web.components.alert_words import condition_words, severity_mark
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.wording import count

SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 140, 34, 3


def rule_body(one: RuleStanding, days: Sequence[int]) -> Markup:
    """All of a card that does not change; `days`: alerts on each of the last days, today last."""
    rule = one.rule
    return together(
        tag("div", severity_mark(rule.severity), _status(one), class_="line"),
        tag("h3", rule.title),
        tag("p", f"“{rule.question.text}” {_complying(rule)}", class_="asked-of"),
        *(tag("p", only_if(one, rule), class_="asked-of") for one in rule.only_if),
        tag("p", when_met(rule), class_="conditions"),
        tag("p", icon("info"), tag("span", _why(one)), class_="why-draft") if _why(one) else Markup(),
        tag("div", spark_line(days), tag("span", _weekly(days)), class_="week"),
    )


def when_met(rule: Rule) -> str:
    """When and where a rule is met, in a sentence."""
    lasting = rule.persistence
    where = f"cameras {', '.join(rule.cameras)}" if rule.cameras else "every camera"
    zone = f", in {count(len(rule.zones), 'zone')}" if rule.zones else ""
    when = f", by schedule in {rule.schedule.time_zone}" if rule.schedule else ""
    return (
        f"Met after {lasting.seconds:g} s in {lasting.share:.0%} of looks, at {rule.certainty:.0%} certainty; "
        f"{where}{zone}{when}."
    )


def only_if(condition: Condition, rule: Rule) -> str:
    """A condition of a rule in a sentence, with its certainty where that is another than the rule's."""
    certainty = condition.certainty or rule.certainty
    sure = f", at {certainty:.0%} certainty" if certainty != rule.certainty else ""
    return f"Only if {condition_words(condition.text, condition.given)}{sure}."


def spark_line(days: Sequence[int]) -> Markup:
    """A line with a point a day; a screen reader hears the numbers."""
    most = max([1, *days])
    step = (SPARK_WIDTH - 2 * SPARK_EDGE) / max(1, len(days) - 1)
    places = [
        (SPARK_EDGE + number * step, SPARK_HEIGHT - SPARK_EDGE - (SPARK_HEIGHT - 2 * SPARK_EDGE) * alerts / most)
        for number, alerts in enumerate(days)
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    last = places[-1] if places else (0.0, 0.0)
    return tag(
        "svg",
        tag("polyline", points=points, fill="none", stroke="currentColor", stroke_width="2"),
        tag("circle", cx=f"{last[0]:.1f}", cy=f"{last[1]:.1f}", r="3", fill="currentColor"),
        width=SPARK_WIDTH,
        height=SPARK_HEIGHT,
        viewBox=f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}",
        role="img",
        aria_label=f"Alerts a day, today last: {', '.join(map(str, days))}",
        class_="spark",
    )


def _status(one: RuleStanding) -> Markup:
    if one.status == IN_FORCE:
        return tag("span", icon("check_circle"), tag("span", "In force"), class_="status on")
    return tag("span", icon("edit_note"), tag("span", "Draft"), class_="status")


def _why(one: RuleStanding) -> str:
    """Why it is a draft, or would stay one."""
    if one.status == IN_FORCE:
        return ""
    if one.cannot_tell_why is None:
        return "A draft: nobody has put it in force. Try it first."
    return f"A draft, because {one.cannot_tell_why}."


def _complying(rule: Rule) -> str:
    return f"Complies: {', '.join(rule.question.complying)}."


def _weekly(days: Sequence[int]) -> str:
    return f"{count(sum(days), 'alert')} in 7 days, {days[-1] if days else 0} today"


def alerts_link(rule: Rule) -> Markup:
    """The way to what the rule has raised."""
    address = Address(ALERTS, {RULE: rule.id, STATE: "all"})
    return tag("a", icon("notifications"), tag("span", "Its alerts"), class_="act", href=str(address))
