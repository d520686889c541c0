"""In a sentence: why a rule was met, or what kept it from being met. Pure."""

from collections import Counter
from collections.abc import Sequence

from consumers.alerts.deciding import ROUNDING, Met, RuleState
from consumers.alerts.judging import Verdict, judged_by
from consumers.alerts.observing import Look, Source
from consumers.alerts.rule_questions import Clause
from consumers.alerts.rules import Rule

Judged = Sequence[tuple[Source, Look, Verdict]]
_WITH_CONDITIONS = {
    Verdict.COMPLIES: "the person complied, or a condition did not hold,",
    Verdict.NOT_ASKED: "not all of its questions were asked",
    Verdict.UNSURE: "not every answer was certain enough",
}


def because(rule: Rule, looks: Judged, best: RuleState | None, met: Met | None) -> str:
    """Why a rule was met, or not; of a rule with conditions also how often each of its questions was for a breach.

    Args:
        rule: The rule.
        looks: Every look with what it says.
        best: What was counted where the rule came nearest to being met; None where nothing was.
        met: Where it was met.
    """
    together = _together(rule, looks, best, met)
    held = [look for _, look, verdict in looks if verdict not in (Verdict.OUTSIDE, Verdict.OFF_SCHEDULE)]
    if len(rule.clauses) == 1 or not held:
        return together
    each = "; ".join(_alone(clause, held) for clause in rule.clauses)
    return f"{together}; each question by itself, in {len(held)} looks: {each}"


def _together(rule: Rule, looks: Judged, best: RuleState | None, met: Met | None) -> str:
    if met is not None:
        return f"{_counted(met.state)} (needed: {rule.persistence.share:.0%} for {rule.persistence.seconds:g} s)"
    if not looks:
        return "nobody looked at this person"
    said = Counter(verdict for _, _, verdict in looks)
    if best is None:
        return _nothing_counted(rule, looks, said)
    if best.breach_s < rule.persistence.seconds - ROUNDING:
        return f"it did not last: {_counted(best)}, needed {rule.persistence.seconds:g} s"
    untold = best.untold_looks / (best.answered_looks + best.untold_looks)
    if untold > rule.persistence.cannot_tell_at_most + ROUNDING:
        allowed = rule.persistence.cannot_tell_at_most
        return f"{untold:.0%} of the looks could not tell, and at most {allowed:.0%} may: {_counted(best)}"
    return f"its cooldown of {rule.cooldown.seconds:g} s was not over: {_counted(best)}"


def _nothing_counted(rule: Rule, looks: Judged, said: Counter[Verdict]) -> str:
    """What the looks say instead: the commonest thing."""
    commonest, count = said.most_common(1)[0]
    of = f"{count} of {len(looks)} looks"
    if len(rule.clauses) > 1 and commonest in _WITH_CONDITIONS:
        return f"{_WITH_CONDITIONS[commonest]} in {of}"
    match commonest:
        case Verdict.COMPLIES:
            return f"the person complied in {of}"
        case Verdict.OUTSIDE:
            return f"the person stood outside the zone in {of}"
        case Verdict.OFF_SCHEDULE:
            return f"{of} were outside the rule's schedule"
        case Verdict.NOT_ASKED:
            return f"“{rule.question.text}” was not asked in {of}"
        case Verdict.UNSURE:
            return f"no answer reached the certainty of {rule.certainty:g} in {of}"
    reasons = Counter(
        reason for _, look, verdict in looks if verdict is Verdict.CANNOT_TELL for reason in _reasons(rule, look)
    )
    return f"the model could not tell in {of} ({', '.join(reason for reason, _ in reasons.most_common())})"


def _reasons(rule: Rule, look: Look) -> set[str]:
    """Why a look could not tell, of each question that it could not answer."""
    untold = (clause for clause in rule.clauses if judged_by(clause, look.answers) is Verdict.CANNOT_TELL)
    return {look.reasons.get(clause.question_id, "no reason given") for clause in untold}


def _alone(clause: Clause, looks: Sequence[Look]) -> str:
    """What some looks say of one question: “Is this person wearing a safety vest?” no in 4, not in 2."""
    said = Counter(judged_by(clause, look.answers) for look in looks)
    words = {Verdict.COMPLIES: "not", Verdict.CANNOT_TELL: "could not tell", Verdict.UNSURE: "unsure"}
    rest = [f"{words.get(verdict, verdict.value)} in {n}" for verdict, n in said.items() if verdict != Verdict.BREACH]
    return ", ".join([f"“{clause.asked.text}” {' or '.join(clause.breaching)} in {said[Verdict.BREACH]}", *rest])


def _counted(state: RuleState) -> str:
    untold = f", {state.untold_looks} could not tell" if state.untold_looks else ""
    share = state.breach_looks / state.answered_looks
    return (
        f"a breach in {state.breach_looks} of {state.answered_looks} answered looks ({share:.0%}), "
        f"for {state.breach_s:.1f} s{untold}"
    )
