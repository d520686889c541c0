"""Whether a written answer says what the reference says: both normalised, then matched. Pure."""

import re
from collections import Counter

WORDS_OF_A_SHORT_ANSWER = 5
_SAME_FROM = 0.5  # of the words' F1, for references too long to be found word by word

_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
}
_SAME = {
    "gray": "grey",
    "hardhat": "hard hat",
    "helmet": "hard hat",
    "colored": "coloured",
    "yeah": "yes",
    "nope": "no",
}
_DENIALS = frozenset({"no", "not", "without", "none", "never"})


def normalised(text: str) -> list[str]:
    """The words that count: lower case, no punctuation or articles, numbers as digits, one spelling.

    >>> normalised("The worker wears TWO gray gloves.")
    ['worker', 'wears', '2', 'grey', 'gloves']
    """
    words = re.findall(r"[a-z0-9]+", text.lower().replace("n't", " not"))
    spelt = " ".join(_SAME.get(word, _NUMBERS.get(word, word)) for word in words if word not in _ARTICLES)
    return spelt.split()


def is_match(answer: str, reference: str) -> bool:
    """Whether an answer gives the reference's answer.

    Yes and no are read from the first of them that is said; a short reference must be found whole in an answer that
    does not deny more than it does; of a longer one half of the words must be shared.

    >>> is_match("It is a yellow hard hat.", "yellow")
    True
    >>> is_match("No, she is not.", "yes")
    False
    >>> is_match("there is no hard hat", "hard hat")
    False
    """
    said, meant = normalised(answer), normalised(reference)
    if meant and meant[0] in ("yes", "no"):
        return next((word for word in said if word in ("yes", "no")), None) == meant[0]
    if len(meant) > WORDS_OF_A_SHORT_ANSWER:
        return word_f1(answer, reference) >= _SAME_FROM
    is_denied = bool(_DENIALS & set(said)) and not _DENIALS & set(meant)
    return f" {' '.join(meant)} " in f" {' '.join(said)} " and not is_denied


def word_f1(answer: str, reference: str) -> float:
    """How many words answer and reference share: the F1 of one read as a bag of words against the other.

    >>> word_f1("a yellow hat", "yellow helmet").__round__(2)
    0.8
    """
    said, meant = Counter(normalised(answer)), Counter(normalised(reference))
    shared = sum((said & meant).values())
    return 2 * shared / max(said.total() + meant.total(), 1)
