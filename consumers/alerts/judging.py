"""What one look says of one rule. Pure.

A rule is a breach of its own question *and* of every condition that it has. Each of these is certain, certainly not, or
neither, so what they say together follows Kleene's logic of three values: one that certainly does not hold settles that
there is no breach, whatever the others are; a breach takes all of them; what lies between is told by nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from consumers.alerts.rule_questions import Clause
from model.questions import CANNOT_TELL


class Verdict(StrEnum):
    """What one look says of one rule."""

    BREACH = "breach"
    COMPLIES = "complies"
    CANNOT_TELL = "cannot tell"
    UNSURE = "unsure"
    NOT_ASKED = "not asked"
    OUTSIDE = "outside the zone"
    OFF_SCHEDULE = "off schedule"


# What decides, before what it decides over. What was asked in vain goes before what was not: it keeps alerts back.
_DECIDES = (Verdict.COMPLIES, Verdict.CANNOT_TELL, Verdict.UNSURE, Verdict.NOT_ASKED, Verdict.BREACH)
_RANK = {verdict: rank for rank, verdict in enumerate(_DECIDES)}


def judged(
    probabilities: Mapping[str, float], complying: Sequence[str], breaching: Sequence[str], certainty: float
) -> Verdict:
    """What the probabilities of a question's answers say.

    >>> judged({"yes": 0.1, "no": 0.75, "cannot tell": 0.15}, ("yes",), ("no",), 0.7).value
    'breach'
    """
    complies, breaches = shared(probabilities, complying), shared(probabilities, breaching)
    return verdict_by(complies, breaches, probabilities.get(CANNOT_TELL, 0.0), certainty)


def judged_by(clause: Clause, answers: Mapping[str, Mapping[str, float]]) -> Verdict:
    """What a look's answers, by question id, say of one clause."""
    probabilities = answers.get(clause.question_id)
    if probabilities is None:
        return Verdict.NOT_ASKED
    return judged(probabilities, clause.complying, clause.breaching, clause.certainty)


def joined(verdicts: Iterable[Verdict]) -> Verdict:
    """What the verdicts of a rule's clauses say together; there is at least one.

    >>> [joined(verdicts).value for verdicts in (
    ...     (Verdict.BREACH, Verdict.BREACH),
    ...     (Verdict.UNSURE, Verdict.COMPLIES),
    ...     (Verdict.BREACH, Verdict.CANNOT_TELL),
    ... )]
    ['breach', 'complies', 'cannot tell']
    """
    return _DECIDES[min(_RANK[verdict] for verdict in verdicts)]


def judged_by_all(clauses: Iterable[Clause], answers: Mapping[str, Mapping[str, float]]) -> Verdict:
    """What a look's answers, by question id, say of a rule with these clauses."""
    return joined(judged_by(clause, answers) for clause in clauses)


def shared(probabilities: Mapping[str, float], answers: Sequence[str]) -> float:
    """How probable it is that one of some answers is right."""
    total = 0.0
    for answer in answers:
        total += probabilities.get(answer, 0.0)
    return total


def verdict_by(complies: float, breaches: float, cannot_tell: float, certainty: float) -> Verdict:
    """What three probabilities say: that a complying, a breaching or no answer is right."""
    if complies >= certainty:
        return Verdict.COMPLIES
    if breaches >= certainty:
        return Verdict.BREACH
    return Verdict.CANNOT_TELL if cannot_tell >= max(complies, breaches) else Verdict.UNSURE
