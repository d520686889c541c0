"""What counts as a word, for captions and for whoever asks for words in them. Pure."""

import re

_WORD = re.compile(r"\w+")


def words_of(text: str) -> frozenset[str]:
    """The words of a text, without regard to case or punctuation.

    >>> sorted(words_of("A worker, in an ORANGE vest."))
    ['a', 'an', 'in', 'orange', 'vest', 'worker']
    """
    return frozenset(_WORD.findall(text.casefold()))
