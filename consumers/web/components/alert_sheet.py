"""One alert in full, as pieces of HTML: pictures, answers against the threshold, why, history, provenance. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.web.address import LIVE, PERSON, RULES, Address
from consumers.web.alerts.shapes import AlertDetailShape, AskedShape, ConditionShape, HistoryShape
from consumers.web.components.alert_words import (
    condition_words,
    happened,
    lasted_s,
    severity_mark,
    state_mark,
    why_met,
)
from consumers.web.components.answers import VERDICTS, answer_lengths, numbers
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.person_card import Now, crop_image, time_and_age
from consumers.web.components.person_dialog import REVISIONS, entries
from consumers.web.schemas import AnswerShape, ClipShape, StepShape
from consumers.web.wording import seen_time

CROP_HEIGHT_PX = 190


@dataclass(frozen=True, slots=True)
class Walk:
    """What the clip player shows of an alert: the clip from before the moment, and the way if it is still known."""

    id: int
    camera_id: str
    clip: ClipShape
    path: tuple[StepShape, ...]


def walk_of(alert: AlertDetailShape, path: tuple[StepShape, ...], before_s: float = 2.0) -> Walk:
    """The clip from a little before the look that shows it best."""
    box = alert.box
    alone = StepShape(at_s=alert.clip.at_s, left=box.left, top=box.top, width=box.width, height=box.height)
    clip = alert.clip.model_copy(update={"at_s": max(0.0, alert.clip.at_s - before_s)})
    return Walk(alert.id, alert.camera_id, clip, path or (alone,))


def alert_title(alert: AlertDetailShape, now: Now) -> Markup:
    """What, how bad, whose, where and when."""
    return tag(
        "div",
        tag("div", severity_mark(alert.severity), state_mark(alert), class_="line"),
        tag("h2", alert.title),
        tag("p", f"Camera {alert.camera_id}, {time_and_age(alert.met_at, now)}", class_="sum"),
        class_="alert-title",
    )


def pictures(alert: AlertDetailShape) -> Markup:
    """The whole frame with the box, and the crop."""
    box = alert.box
    place = f"left:{box.left:.2%};top:{box.top:.2%};width:{box.width:.2%};height:{box.height:.2%}"
    words = f"The frame of camera {alert.camera_id} with a box around the person"
    ratio = f"aspect-ratio:{alert.clip.width_px}/{alert.clip.height_px}"
    frame = tag("img", src=alert.frame_url, alt=words, loading="eager")
    return tag(
        "div",
        tag("div", frame, tag("span", class_="frame-box", style=place), class_="frame", style=ratio),
        tag("div", crop_image(alert.crop, CROP_HEIGHT_PX), class_="crop"),
        class_="pictures",
    )


def asked(alert: AlertDetailShape) -> Markup:
    """What the rule asks with its answers as lengths against its thresholds, conditions after it; then all others."""
    answered = {answer.question_id: answer for answer in alert.answers}
    rules_own: tuple[AskedShape, ...] = (*([alert.question] if alert.question else []), *alert.only_if)
    first = [_against(answered.pop(one.question_id), one) for one in rules_own if one.question_id in answered]
    rest = list(answered.values())
    others = tag("details", tag("summary", "Other answers"), answer_lengths(rest)) if rest else Markup()
    return tag("div", tag("h3", "What was answered"), tag("ul", *first, class_="questions"), others)


def why(alert: AlertDetailShape, now: Now) -> Markup:
    """Why the rule was met, and where to look further."""
    began, met = (seen_time(at, now.zone, now.instant) for at in (alert.began_at, alert.met_at))
    told = {
        "Rule": alert.rule_id,
        "Began": began,
        "Met": f"{met}, {lasted_s(alert.began_at, alert.met_at)} later",
        "Told": "" if alert.is_sent else f"nobody: {alert.unsent_reason or 'only recorded'}",
    }
    return tag(
        "div",
        tag("h3", "Why"),
        tag("p", why_met(alert.numbers), class_="told"),
        entries({name: words for name, words in told.items() if words}),
        _looks(alert),
        tag(
            "div",
            _link("rule", "The rule", Address(RULES, {"rule": alert.rule_id})),
            _link("person_search", "The person", Address(LIVE, {PERSON: alert.person_id})),
            class_="line",
        ),
    )


def history(alert: AlertDetailShape, now: Now) -> Markup:
    """What happened, the newest last."""
    lines = (_line(line, now) for line in alert.history)
    return tag("div", tag("h3", "History"), tag("ol", *lines, class_="history"))


def provenance(alert: AlertDetailShape) -> Markup:
    """Which model said what, and what was copied for good."""
    said = {words: alert.revisions[name] for name, words in REVISIONS.items() if name in alert.revisions}
    ids = {"Rule revision": alert.rule_revision, "Track": alert.track_id, "Alert": alert.alert_id}
    copies = {
        f"Copy: {copy.kind}": f"sha256 {copy.sha256[:16]}…{', held' if copy.legal_hold else ''}"
        for copy in alert.evidence
    }
    return tag("details", tag("summary", "Which model said what"), entries({**said, **ids, **copies}))


def _against(answer: AnswerShape, question: AskedShape) -> Markup:
    """One question: each answer's probability as a length of its own, with the threshold as a notch on each."""
    notch, words, complying = question.certainty, answer.text, question.against
    if isinstance(question, ConditionShape):
        words = f"Only if {condition_words(answer.text, question.given)}"
    bars = (
        tag(
            "li",
            tag("span", icon(_drawing(name, complying)), tag("span", name), class_=f"name {_style(name, complying)}"),
            tag(
                "span",
                tag("i", class_=_style(name, complying), style=f"--p:{probability:.3f}"),
                role="img",
                aria_label=f"{name}: {probability:.0%}, {notch:.0%} needed",
                title=f"{name}: {probability:.0%}, {notch:.0%} needed",
                class_="lengths marked",
                style=f"--mark:{notch:.3f}",
            ),
        )
        for name, probability in answer.probabilities.items()
    )
    return tag("li", tag("span", words), tag("ul", *bars, class_="bars"), class_="asked", title=numbers(answer))


def _style(name: str, complying: tuple[str, ...]) -> str:
    if name == "cannot tell":
        return "unsure"
    return "yes" if name in complying else "no"


def _drawing(name: str, complying: tuple[str, ...]) -> str:
    return VERDICTS["cannot tell" if name == "cannot tell" else _style(name, complying)][1]


def _looks(alert: AlertDetailShape) -> Markup:
    """The looks that were counted, as a row of marks."""
    looks = alert.numbers.get("looks")
    if not isinstance(looks, list):
        return Markup()
    marks = [_look(look) for look in looks if isinstance(look, dict) and isinstance(look.get("verdict"), str)]
    return tag("ul", *marks, class_="looks", aria_label="The looks that were counted")


def _look(look: Mapping[str, object]) -> Markup:
    verdict = str(look["verdict"])
    style, drawing = {"breach": ("no", "close"), "complies": ("yes", "check")}.get(verdict, ("unsure", "question_mark"))
    conditions = look.get("only_if")
    told = [_figures(look), *(map(_condition_figures, conditions) if isinstance(conditions, list) else ())]
    words = "; ".join(part for part in told if part)
    return tag("li", icon(drawing), tag("span", verdict), class_=f"look {style}", title=words or None)


def _figures(answered: Mapping[str, object]) -> str:
    shown = answered.get("probabilities")
    told = shown.items() if isinstance(shown, dict) else ()
    return ", ".join(f"{name} {probability:.0%}" for name, probability in told)


def _condition_figures(condition: Mapping[str, object]) -> str:
    return f"condition {condition['verdict']}: {_figures(condition) or '-'}"


def _line(line: HistoryShape, now: Now) -> Markup:
    words = tag("p", line.comment, class_="comment") if line.comment else Markup()
    at = tag("span", seen_time(line.at, now.zone, now.instant), class_="at")
    return tag("li", together(tag("span", happened(line)), at), words)


def _link(drawing: str, words: str, address: Address) -> Markup:
    return tag("a", icon(drawing), tag("span", words), class_="act", href=str(address))
