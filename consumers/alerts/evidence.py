"""The numbers behind a verdict, as the desk keeps and shows them. Pure."""

from collections.abc import Iterable
from typing import Any

from consumers.alerts.chains import Decided
from consumers.alerts.deciding import RuleState, Verdict, judged
from consumers.alerts.observing import NOWHERE, Look, Source, instant
from consumers.alerts.rules import Rule
from streamer.bus.identity import alert_id as derived_id

LOOKS_SHOWN = 12
DIGITS = 3


def alert_id(decided: Decided) -> str:
    """The alert's name: the same rule, revision, person and episode always get the same."""
    rule = decided.met.rule
    return derived_id(rule.id, rule.revision, decided.chain_id, decided.episode)


def probability_of_breach(rule: Rule, look: Look) -> float:
    """How probable it is that a look shows a breach; 0 when it was not asked."""
    probabilities = look.answers.get(rule.question.question_id, {})
    return float(sum(probabilities.get(answer, 0.0) for answer in rule.question.breaching))


def verdict_of(rule: Rule, look: Look) -> Verdict:
    """What a look says of a rule, wherever and whenever it was taken."""
    question = rule.question
    probabilities = look.answers.get(question.question_id)
    if probabilities is None:
        return Verdict.NOT_ASKED
    return judged(probabilities, question.complying, question.breaching, rule.certainty)


def best_look(decided: Decided) -> tuple[Source, Look]:
    """The look that shows the breach best: the surest, and of equals the tallest."""
    rule = decided.met.rule
    until_s = decided.met.look.at_s
    counted = [(source, look) for source, look in decided.counted if look.at_s <= until_s]
    breaches = [pair for pair in counted if verdict_of(rule, pair[1]) is Verdict.BREACH]

    def worth(pair: tuple[Source, Look]) -> tuple[float, float]:
        look = pair[1]
        return round(probability_of_breach(rule, look), 1), look.box_xyxy[3] - look.box_xyxy[1]

    return max(breaches, key=worth, default=(decided.source, decided.met.look))


def numbers_of(decided: Decided) -> dict[str, Any]:
    """What led to an alert: what was asked and needed, what was counted, and the looks themselves."""
    rule, state = decided.met.rule, decided.met.state
    until_s = decided.met.look.at_s
    looks = [(source, look) for source, look in decided.counted if look.at_s <= until_s]
    return {
        **asked_of(rule),
        **counted_of(state),
        "answer_revision": decided.source.answer_revision,
        "looks": looks_of(rule, looks[-LOOKS_SHOWN:]),
    }


def asked_of(rule: Rule) -> dict[str, Any]:
    """What a rule asks and needs."""
    asked = rule.question.asked
    return {
        "question": {
            "question_id": rule.question.question_id,
            "kind": asked.kind,
            "text": asked.text,
            "answers": list(asked.answers),
        },
        "complying": list(rule.question.complying),
        "certainty": rule.certainty,
        "share_needed": rule.persistence.share,
        "seconds_needed": rule.persistence.seconds,
        "cannot_tell_at_most": rule.persistence.cannot_tell_at_most,
        "cooldown": rule.cooldown.model_dump(),
    }


def counted_of(state: RuleState | None) -> dict[str, Any]:
    """What has been counted since counting began."""
    if state is None:
        return {"share": 0.0, "seconds": 0.0, "breach_looks": 0, "answered_looks": 0, "untold_looks": 0}
    return {
        "share": round(state.breach_looks / state.answered_looks, DIGITS),
        "seconds": round(state.breach_s, DIGITS),
        "breach_looks": state.breach_looks,
        "answered_looks": state.answered_looks,
        "untold_looks": state.untold_looks,
    }


def looks_of(rule: Rule, looks: Iterable[tuple[Source, Look]]) -> list[dict[str, Any]]:
    """Each look with what it says of a rule."""
    return [_look_of(rule, source, look) for source, look in looks]


def answers_of(look: Look) -> dict[str, dict[str, float]]:
    """A look's answers as JSON holds them."""
    return {question: dict(probabilities) for question, probabilities in look.answers.items()}


def _look_of(rule: Rule, source: Source, look: Look) -> dict[str, Any]:
    question_id = rule.question.question_id
    return {
        "person_id": source.person_id,
        "segment_id": source.segment_id,
        "position": look.position,
        "at": instant(look.at_s).isoformat(),
        "seconds": round(look.seconds, DIGITS),
        "foot": [round(look.x, 4), round(look.y, 4)] if look.x != NOWHERE else None,
        "crop_uri": look.crop_uri,
        "verdict": verdict_of(rule, look).value,
        "probabilities": dict(look.answers.get(question_id, {})),
        "reason": look.reasons.get(question_id),
    }
