"""From a saved search to the rule that stands guard: alerts follow answers, so only answers make a rule. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from consumers.alerts.rules import Rule, Schedule
from consumers.errors import SavedSearchError, SearchQueryError
from consumers.search.terms import WITHOUT, terms_of, words_of
from consumers.web.search.asking import wanted_question
from consumers.web.search.shapes import AnswerAsked, SavedAsked
from streamer.bus.messages import AskedQuestion

CERTAIN = 0.7  # where the search says nothing: what rules begin with
LEAST_CERTAIN = 0.5  # a rule needs more than even odds
_WHOEVER = frozenset({"worker", "workers", "somebody", "someone", "anybody", "anyone", "everybody", "man", "woman"})


def guard_id(search_id: int) -> str:
    """What the rule of a saved search is called."""
    return f"search-{search_id}"


def guard_rule(
    search_id: int,
    name: str,
    search: SavedAsked,
    questions: Sequence[AskedQuestion],
    *,
    schedule: Schedule | None = None,
    channels: Sequence[str] = (),
) -> dict[str, Any]:
    """The rule, as it is written into the rules file: in force, of severity `info`.

    Words become a question: one that was asked already where they name its answer (“without a vest”), else one of
    their own, which the rules then hold against what the model was measured on, as they do with every rule.

    Raises:
        SavedSearchError: It cannot be: says why.
    """
    _refuse_what_no_answer_tells(search)
    asked = [*search.filter.answers, *_asked_in_words(search.words, questions)]
    meant = {(wanted.question_id, one.answer): (wanted, one) for one in asked for wanted in [_meant(one, questions)]}
    if len(meant) > 1:
        raise SavedSearchError("A guard watches for one answer, and this search asks for several: save one for each.")
    if meant:
        ((question, answer),) = meant.values()
        kind, text, answers = question.kind, question.text, question.answers
        complying = [one for one in answers if one != answer.answer]
        certainty = answer.at_least if answer.at_least > LEAST_CERTAIN else CERTAIN
    else:
        kind, text, answers = "predicate", f"Is this person {search.words.strip().rstrip('?.')}?", ("yes", "no")
        complying, certainty = ["no"], CERTAIN
    rule: dict[str, Any] = {
        "id": guard_id(search_id),
        "title": name,
        "question": {"kind": kind, "text": text, "complying": complying},
        "certainty": certainty,
        "severity": "info",
        "status": "in force",
    }
    if kind == "choice":
        rule["question"]["answers"] = list(answers)
    if search.filter.cameras:
        rule["cameras"] = list(search.filter.cameras)
    if schedule is not None:
        rule["schedule"] = schedule.model_dump(mode="json", exclude_defaults=True)
    if channels:
        rule["channels"] = list(channels)
    return _checked(rule)


def _refuse_what_no_answer_tells(search: SavedAsked) -> None:
    wanted = search.filter
    reasons: Mapping[str, bool] = {
        "Alerts follow answers, not likeness: a search for whoever looks like somebody cannot stand guard.": search.like
        is not None,
        "A guard looks ahead: leave since and until out, and give it a schedule.": bool(wanted.since or wanted.until),
        "Alerts follow answers: words that a caption must hold cannot stand guard.": bool(wanted.described),
        "Alerts follow answers: how sure the detector was cannot stand guard.": wanted.detected_at_least > 0,
        "There is nothing to watch for: this search asks for no answer and has no words.": not (
            wanted.answers or search.words.strip()
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            raise SavedSearchError(reason)


def _meant(asked: AnswerAsked, questions: Sequence[AskedQuestion]) -> AskedQuestion:
    try:
        return wanted_question(asked.question, asked.answer, questions)
    except SearchQueryError as error:
        raise SavedSearchError(str(error)) from error


def _asked_in_words(words: str, questions: Sequence[AskedQuestion]) -> list[AnswerAsked]:
    """The answer that words name, where they name one: “no hard hat”, “yellow hard hat”.

    >>> hat = AskedQuestion(question_id="1", kind="predicate", text="Wearing a hard hat?", answers=("yes", "no"))
    >>> [(one.question, one.answer) for one in _asked_in_words("worker without a hard hat", [hat])]
    [('1', 'no')]
    """
    terms = [term.indexed for term in terms_of(words) if term.indexed not in _WHOEVER]
    denied = [term.removeprefix(WITHOUT) for term in terms if term.startswith(WITHOUT)]
    if not terms or (denied and len(denied) < len(terms)):
        return []
    wished = [("no" if denied else "yes", denied or terms)]
    wished += [(term, [one for one in terms if one != term]) for term in terms if not denied]
    for answer, named in wished:
        having = [q for q in questions if answer in q.answers and named and set(named) <= set(words_of(q.label))]
        if len(having) == 1 and (answer not in ("yes", "no") or having[0].kind == "predicate"):
            return [AnswerAsked(question=having[0].question_id, answer=answer)]
    return []


def _checked(rule: dict[str, Any]) -> dict[str, Any]:
    try:
        Rule.model_validate(rule)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise SavedSearchError(f"{where}: {fault['msg'].removeprefix('Value error, ')}") from error
    return rule
