"""What of a person full text can find, and what of a query it looks for. Pure.

What is denied is a word of its own: somebody without a vest is found by “without a vest” and not by “vest”.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.questions import CANNOT_TELL
from streamer.bus.messages import AskedQuestion

MOST_TERMS = 16  # of one query
WITHOUT = "without"
_WORD = re.compile(r"[^\W_]+")
_WORD_OR_STOP = re.compile(r"[^\W_]+|[,.;:!?]")
DENIES = frozenset({"no", "not", "without", "missing", "lacking"})
_ENDS_DENIAL = frozenset({"and", "in", "with", "but", "wearing", "carrying", "near", "on"})
_SAYS_NOTHING = frozenset(
    re.findall(
        r"\w+", "a an the of in on at by for to from and or but is are be has have with this that who there it its"
    )
)
_NAMES_NOTHING = _SAYS_NOTHING | {"colour", "color", "kind", "type"}  # beside what is not there
_DENYING_ANSWERS = frozenset({"no", "none", "nothing"})
_OF_COURSE = frozenset({"wearing", "worn", "person", "people"})  # said of everybody: a search for them finds nobody


@dataclass(frozen=True, slots=True)
class Term:
    """A word to look for as the index has it, and as whoever asked said it.

    `place`: which word of the query it is; `denial`: which denial of the query it is part of, zero: of none.
    """

    indexed: str
    said: str
    place: int = 0
    denial: int = 0


def words_of(text: str) -> list[str]:
    """The words of a text in lower case.

    >>> words_of("A hard-hat, yellow.")
    ['a', 'hard', 'hat', 'yellow']
    """
    return _WORD.findall(text.lower())


def terms_of(query: str) -> tuple[Term, ...]:
    """What to look for, each once; words that say nothing are left out, unless there are no others.

    >>> [term.indexed for term in terms_of("a worker without a hard hat in an orange vest")]
    ['worker', 'withouthard', 'withouthat', 'orange', 'vest']
    >>> [term.indexed for term in terms_of("no vest, dark trousers")], [term.indexed for term in terms_of("a person")]
    (['withoutvest', 'dark', 'trousers'], ['a', 'person'])
    """
    terms: dict[str, Term] = {}
    for place, (word, denial) in enumerate(_with_denials(query)):
        if word not in _SAYS_NOTHING and word not in _OF_COURSE and word not in _ENDS_DENIAL:
            term = Term(WITHOUT + word, word, place, denial) if denial else Term(word, word, place)
            terms.setdefault(term.indexed, term)
    return tuple(terms.values() or {word: Term(word, word) for word in words_of(query)}.values())[:MOST_TERMS]


def _with_denials(text: str) -> Iterator[tuple[str, int]]:
    """The words of a text but those that deny, each with the denial that it is part of; zero: of none."""
    is_denied, denial = False, 0
    for word in _WORD_OR_STOP.findall(text.lower()):
        if word in DENIES:
            is_denied, denial = True, denial + 1
            continue
        if word in _ENDS_DENIAL and word != "wearing":
            is_denied = False
        if _WORD.match(word):
            yield word, denial if is_denied else 0
        else:
            is_denied = False


def said_of(terms: Iterable[Term]) -> tuple[str, ...]:
    """Terms as whoever asked said them; what one denial denies stands together.

    >>> hard, hat, ladder = terms_of("without a hard hat on a ladder")
    >>> said_of([ladder, hat, hard]), said_of([hat])
    (('ladder', 'without hard hat'), ('without hat',))
    """
    said: dict[tuple[int, int], list[Term]] = {}
    for term in terms:
        said.setdefault((term.denial, 0 if term.denial else term.place), []).append(term)
    return tuple(
        " ".join(([WITHOUT] if denial else []) + [term.said for term in sorted(some, key=lambda term: term.place)])
        for (denial, _), some in said.items()
    )


def searchable_text(
    caption: str, answers: Mapping[str, Mapping[str, float]], questions: Sequence[AskedQuestion]
) -> str:
    """What full text finds a person by: the caption, what is answered with yes, choices, and what is denied.

    >>> ask = lambda id, kind, text, *answers: AskedQuestion(question_id=id, kind=kind, text=text, answers=answers)
    >>> hat = ask("h", "predicate", "Is this person wearing a hat?", "yes", "no")
    >>> top = ask("t", "choice", "What colour is the top?", "red", "blue")
    >>> searchable_text("A person.", {"h": {"yes": 0.1, "no": 0.9}, "t": {"red": 0.7, "blue": 0.3}}, [hat, top])
    'a person withouthat red top colour'
    >>> searchable_text("A person without a hard hat, no safety vest, dark trousers.", {}, [])
    'a person withouthard withouthat withoutsafety withoutvest dark trousers'
    """
    said = [
        WITHOUT + word if denial else word
        for word, denial in _with_denials(caption)
        if not (denial and word in _SAYS_NOTHING | _OF_COURSE)
    ]
    for question in questions:
        given = answers.get(question.question_id)
        answer = max(given, key=given.__getitem__) if given else CANNOT_TELL
        if answer == CANNOT_TELL:
            continue
        if answer in _DENYING_ANSWERS:
            said += [WITHOUT + word for word in words_of(question.label) if word not in _NAMES_NOTHING]
        else:
            said.append(question.label if question.kind == "predicate" else f"{answer} {question.label}")
    return " ".join(said)
