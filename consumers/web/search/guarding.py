"""From a saved search to the rule that stands guard: alerts follow answers, so only answers make a rule. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from consumers.alerts.rules import Rule, Schedule
from consumers.errors import SavedSearchError, SearchQueryError
from consumers.search.terms import DENIES, WITHOUT, terms_of, words_of
from consumers.web.search.asking import wanted_question
from consumers.web.search.shapes import AnswerAsked, SavedAsked
from model.questions import CANNOT_TELL
from streamer.bus.faults import first_fault
from streamer.bus.messages import AskedQuestion

CERTAIN = 0.7  # where the search says nothing: what rules begin with
LEAST_CERTAIN = 0.5  # a rule needs more than even odds
_NOBODY_IN_PARTICULAR = (
    "worker workers somebody someone anybody anyone everybody man woman person people a an the who with in"
)
_WHOEVER = frozenset(_NOBODY_IN_PARTICULAR.split())
_BETWEEN_PHRASES = re.compile(  # a denial begins a phrase of its own, as `terms_of` reads it
    rf"[,;]|\b(?:and|but|with|in)\b|(?=\b(?:{'|'.join(sorted(DENIES))})\b)", re.IGNORECASE
)


def guard_id(search_id: int) -> str:
    """What the rule of a saved search is called."""
    return f"search-{search_id}"


@dataclass(frozen=True, slots=True)
class _Watched:
    """One answer that a guard watches for."""

    kind: str
    text: str
    answers: tuple[str, ...]
    answer: str
    certainty: float

    def question(self) -> dict[str, Any]:
        """As a rule states what it asks."""
        allowed = {"answers": list(self.answers)} if self.kind == "choice" else {}
        return {"kind": self.kind, "text": self.text, **allowed}


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

    Everything that a search asks for has to hold of somebody at once: its first answer is what the rule asks, the
    others are its conditions. Words become answers of questions that were asked already where they name them (“without
    a vest”), else a question of their own, which the rules then hold against what the model was measured on, as they do
    with every rule.

    Raises:
        SavedSearchError: It cannot be: says why.
    """
    _refuse_what_no_answer_tells(search)
    first, *others = _watched(search, questions)
    rule: dict[str, Any] = {
        "id": guard_id(search_id),
        "title": name,
        "question": {**first.question(), "complying": [one for one in first.answers if one != first.answer]},
        **({"only_if": [_condition(one, first.certainty) for one in others]} if others else {}),
        "certainty": first.certainty,
        "severity": "info",
        "status": "in force",
    }
    if search.filter.cameras:
        rule["cameras"] = list(search.filter.cameras)
    if schedule is not None:
        rule["schedule"] = schedule.model_dump(mode="json", exclude_defaults=True)
    if channels:
        rule["channels"] = list(channels)
    return _checked(rule)


def _watched(search: SavedAsked, questions: Sequence[AskedQuestion]) -> list[_Watched]:
    """All that is watched for, each question once: there is at least one."""
    in_words = _asked_in_words(search.words, questions)
    meant: dict[str, tuple[AskedQuestion, str]] = {}
    sure: dict[str, float] = {}
    for asked in (*search.filter.answers, *in_words):
        question = _meant(asked, questions)
        _, before = meant.setdefault(question.question_id, (question, asked.answer))
        if before != asked.answer:
            raise SavedSearchError(
                f"“{question.text}” has one answer at a time: {before} and {asked.answer} never hold together, "
                "so there is nothing to watch for. Save one search for each."
            )
        sure[question.question_id] = max(asked.at_least, sure.get(question.question_id, 0.0))
    watched = [
        _Watched(one.kind, one.text, one.answers, answer, sure[name] if sure[name] > LEAST_CERTAIN else CERTAIN)
        for name, (one, answer) in meant.items()
    ]
    if not in_words and (_says_something(search.words) or not watched):
        text = f"Is this person {search.words.strip().rstrip('?.')}?"
        watched.append(_Watched("predicate", text, ("yes", "no"), "yes", CERTAIN))
    return watched


def _condition(one: _Watched, certainty: float) -> dict[str, Any]:
    own = {} if one.certainty == certainty else {"certainty": one.certainty}
    return {**one.question(), "given": [one.answer], **own}


def _refuse_what_no_answer_tells(search: SavedAsked) -> None:
    wanted = search.filter
    reasons: Mapping[str, bool] = {
        "Alerts follow answers, not likeness: a search for whoever looks like somebody cannot stand guard.": search.like
        is not None,
        "A guard looks ahead: leave since and until out, and give it a schedule.": bool(wanted.since or wanted.until),
        "Alerts follow answers: words that a caption must hold cannot stand guard.": bool(wanted.described),
        "Alerts follow answers, and that the model cannot tell is none.": any(
            one.answer == CANNOT_TELL for one in wanted.answers
        ),
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


def _says_something(words: str) -> bool:
    return any(word not in _WHOEVER for word in words_of(words))


def _asked_in_words(words: str, questions: Sequence[AskedQuestion]) -> list[AnswerAsked]:
    """The answers that words name, where all of them do: “no hard hat”, “yellow hard hat and no vest”.

    >>> hat = AskedQuestion(question_id="1", kind="predicate", text="Wearing a hard hat?", answers=("yes", "no"))
    >>> vest = AskedQuestion(question_id="2", kind="predicate", text="Wearing a vest?", answers=("yes", "no"))
    >>> [(one.question, one.answer) for one in _asked_in_words("worker without a hard hat in a vest", [hat, vest])]
    [('1', 'no'), ('2', 'yes')]
    >>> _asked_in_words("a vest and a ladder", [hat, vest])
    []
    """
    if (one := _asked_in_phrase(words, questions)) is not None:
        return [one]
    named = [_asked_in_phrase(phrase, questions) for phrase in _BETWEEN_PHRASES.split(words) if _says_something(phrase)]
    found = [one for one in named if one is not None]
    return found if len(found) == len(named) else []


def _asked_in_phrase(phrase: str, questions: Sequence[AskedQuestion]) -> AnswerAsked | None:
    """The one answer that a few words name; None where they name none, or several."""
    terms = [term.indexed for term in terms_of(phrase) if term.indexed not in _WHOEVER]
    denied = [term.removeprefix(WITHOUT) for term in terms if term.startswith(WITHOUT)]
    if not terms or (denied and len(denied) < len(terms)):
        return None
    wished = [("no" if denied else "yes", denied or terms)]
    wished += [(term, [one for one in terms if one != term]) for term in terms if not denied]
    for answer, named in wished:
        having = [q for q in questions if answer in q.answers and named and set(named) <= set(words_of(q.label))]
        if len(having) == 1 and (answer not in ("yes", "no") or having[0].kind == "predicate"):
            return AnswerAsked(question=having[0].question_id, answer=answer)
    return None


def _checked(rule: dict[str, Any]) -> dict[str, Any]:
    try:
        Rule.model_validate(rule)
    except ValidationError as error:
        place, reason = first_fault(error)
        raise SavedSearchError(f"{'.'.join(map(str, place))}: {reason}") from error
    return rule
