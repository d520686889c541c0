"""What a server may say to a question, and how it becomes probabilities. Pure.

Legend: an answer is a mapping from every allowed answer to its probability, or a `Refusal`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from model.questions import CANNOT_TELL, Question

REFUSED = "refused by the model server"
REASON_LENGTH = 160

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's no to one request or one question, in one line."""

    reason: str

    def __str__(self) -> str:
        return f"{REFUSED}: {self.reason}" if self.reason else REFUSED


Answer = Mapping[str, float] | Refusal


def refusal_in(status: int, body: bytes) -> Refusal:
    """The reason that a refusing server gives, in any of the forms in use.

    >>> refusal_in(400, b'{"error": {"message": "no pictures here"}}').reason
    '400, no pictures here'
    >>> refusal_in(422, b'{"detail": [{"loc": ["body"], "msg": "too many options"}]}').reason
    '422, too many options'
    >>> refusal_in(413, b'<html>').reason
    '413, <html>'
    """
    said = _said(body)
    return Refusal(f"{status}, {said}" if said else str(status))


def shares(named: Mapping[str, float], answers: Sequence[str]) -> dict[str, float]:
    """The probabilities of exactly these answers, made to sum to 1.

    Raises:
        ValueError: one of them is missing, or none has any.

    >>> shares({"no": 0.25, "yes": 0.75}, ["yes", "no"])
    {'yes': 0.75, 'no': 0.25}
    """
    missing = [answer for answer in answers if answer not in named]
    if missing:
        raise ValueError(f"no probability for the answer {missing[0]!r}")
    total = sum(named[answer] for answer in answers)
    if total <= 0:
        raise ValueError("no answer has any probability")
    return {answer: named[answer] / total for answer in answers}


def offering_cannot_tell(question: Question) -> Question:
    """The question with *cannot tell* among its answers, so that a model can say so; a score has no such level.

    >>> offering_cannot_tell(Question("predicate", "Is it a hat?")).answers
    ('yes', 'no', 'cannot tell')
    """
    if question.kind == "score":
        return question
    return Question("choice", question.text, (*question.answers, CANNOT_TELL))


def _said(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        stated = json.loads(text)
    except ValueError:
        stated = text
    while isinstance(stated, dict | list) and stated:
        inner = stated[0] if isinstance(stated, list) else _message_in(stated)
        if inner is None:
            break
        stated = inner
    return " ".join(str(stated).split())[:REASON_LENGTH]


def _message_in(stated: Mapping[str, object]) -> object:
    return next((stated[key] for key in ("error", "detail", "message", "msg") if stated.get(key)), None)
