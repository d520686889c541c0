"""A filter as Milvus reads it. Pure."""

import json

from consumers.indexer.columns import certainty_codes, microseconds
from consumers.search.filters import PeopleFilter
from consumers.search.words import words_of

LONGEST_WORD = 60  # characters; what is longer is cut, in captions as in questions


def expression(wanted: PeopleFilter, *more: str) -> str:
    """The boolean expression of a filter, and of whatever else has to hold; empty: everyone.

    >>> expression(PeopleFilter(cameras=frozenset(["gate"])), "key < 7")
    'camera_id in ["gate"] and key < 7'
    """
    parts: list[str] = []
    if wanted.cameras:
        parts.append(f"camera_id in {_quoted(sorted(wanted.cameras))}")
    if wanted.since is not None:
        parts.append(f"first_seen_us >= {microseconds(wanted.since)}")
    if wanted.until is not None:
        parts.append(f"first_seen_us < {microseconds(wanted.until)}")
    if wanted.detected_at_least > 0:
        parts.append(f"detection_score >= {int(certainty_codes(wanted.detected_at_least))}")
    for asked in wanted.answers:
        name = _quoted(answer_name(asked.question_id, asked.answer))
        parts.append(f"answers[{name}] >= {int(certainty_codes(asked.at_least))}")
    words = sorted(set().union(*(words_of(text) for text in wanted.described)))
    if words:
        parts.append(f"ARRAY_CONTAINS_ALL(words, {_quoted([word[:LONGEST_WORD] for word in words])})")
    return " and ".join([*parts, *more])


def answer_name(question_id: str, answer: str) -> str:
    """What an answer to a question is called in the field `answers`."""
    return f"{question_id}/{answer}"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
