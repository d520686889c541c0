"""The numbers behind a verdict, as the desk keeps and shows them. Pure."""

from collections.abc import Iterable
from typing import Any

from consumers.alerts.chains import Decided
from consumers.alerts.deciding import RuleState
from consumers.alerts.judging import Verdict, judged_by, judged_by_all, shared
from consumers.alerts.observing import NOWHERE, Look, Source, instant
from consumers.alerts.rule_questions import Clause, Condition
from consumers.alerts.rules import Rule
from model.questions import Question
from streamer.bus.identity import alert_id as derived_id

LOOKS_SHOWN = 12
HOLDS, HOLDS_NOT = "holds", "does not hold"  # of a condition
DIGITS = 3


def alert_id(decided: Decided) -> str:
    """The alert's name: the same rule, revision, person and episode always get the same."""
    rule = decided.met.rule
    return derived_id(rule.id, rule.revision, decided.chain_id, decided.episode)


def probability_of_breach(rule: Rule, look: Look) -> float:
    """How probable it is that a look shows a breach; 0 when it was not asked. With conditions, as the least of them.

    Not their product: answers about one person lean on each other, and the least is a bound that needs no assumption.
    """
    return min(shared(look.answers.get(clause.question_id, {}), clause.breaching) for clause in rule.clauses)


def verdict_of(rule: Rule, look: Look) -> Verdict:
    """What a look says of a rule, wherever and whenever it was taken."""
    return judged_by_all(rule.clauses, look.answers)


def holding_of(clause: Clause, look: Look) -> str:
    """What a look says of a condition, in a word or two."""
    verdict = judged_by(clause, look.answers)
    return {Verdict.BREACH: HOLDS, Verdict.COMPLIES: HOLDS_NOT}.get(verdict, verdict.value)


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
    """What a rule asks and needs; `only_if` is there where it has conditions."""
    conditions = {"only_if": [_condition_of(one, rule) for one in rule.only_if]} if rule.only_if else {}
    return {
        "question": _stated(rule.question.asked),
        "complying": list(rule.question.complying),
        **conditions,
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


def _condition_of(condition: Condition, rule: Rule) -> dict[str, Any]:
    certainty = condition.certainty or rule.certainty
    return {**_stated(condition.asked), "given": list(condition.given), "certainty": certainty}


def _stated(question: Question) -> dict[str, Any]:
    return {
        "question_id": question.question_id,
        "kind": question.kind,
        "text": question.text,
        "answers": list(question.answers),
    }


def _look_of(rule: Rule, source: Source, look: Look) -> dict[str, Any]:
    own, *conditions = rule.clauses
    held = [{"verdict": holding_of(one, look), **_answered(one, look)} for one in conditions]
    return {
        "person_id": source.person_id,
        "segment_id": source.segment_id,
        "position": look.position,
        "at": instant(look.at_s).isoformat(),
        "seconds": round(look.seconds, DIGITS),
        "foot": [round(look.x, 4), round(look.y, 4)] if look.x != NOWHERE else None,
        "crop_uri": look.crop_uri,
        "verdict": verdict_of(rule, look).value,
        **_answered(own, look),
        **({"only_if": held} if held else {}),
    }


def _answered(clause: Clause, look: Look) -> dict[str, Any]:
    return {
        "probabilities": dict(look.answers.get(clause.question_id, {})),
        "reason": look.reasons.get(clause.question_id),
    }
