"""Words and the numbers that the language model knows them by. Pure.

Hyphens are spaces ("hi-vis" is "hi vis") and case is ignored, so that spelling never makes a known word unknown.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BEGIN, END, UNKNOWN, PAD = "<begin>", "<end>", "<unknown>", "<pad>"
CAPTION, SUMMARY, CANNOT_TELL_WORD = "<caption>", "<summary>", "<cannot-tell>"
SPECIAL_WORDS = (PAD, BEGIN, END, UNKNOWN, CAPTION, SUMMARY, CANNOT_TELL_WORD)

_WORD = re.compile(r"[^\W_]+|[.,?!]")  # letters of every alphabet: what is not known can only be named if it is seen
_PUNCTUATION = frozenset(".,?!")


def split_words(text: str) -> list[str]:
    """The words and punctuation marks of a text, lower case.

    >>> split_words("Is this person wearing a hi-vis vest?")
    ['is', 'this', 'person', 'wearing', 'a', 'hi', 'vis', 'vest', '?']
    """
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class WordTokens:
    """A vocabulary: `words[i]` is the word of token i; the special words come first.

    Raises:
        ValueError: the special words are missing or a word is there twice.

    >>> tokens = WordTokens.of(["a yellow hat"])
    >>> tokens.text(tokens.ids("a yellow giraffe"))
    'a yellow <unknown>'
    >>> tokens.unknown("a yellow giraffe, a zebra")
    ('giraffe', 'zebra')
    >>> tokens.unknown("grüne каска")
    ('grüne', 'каска')
    """

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL_WORDS)] != SPECIAL_WORDS:
            raise ValueError("a vocabulary begins with the special words")
        object.__setattr__(self, "_ids", {word: index for index, word in enumerate(self.words)})
        if len(self._ids) != len(self.words):
            raise ValueError("a vocabulary names each word once")

    @classmethod
    def of(cls, texts: Iterable[str]) -> "WordTokens":
        """The vocabulary of some texts, in alphabetical order."""
        words = {word for text in texts for word in split_words(text)}
        return cls((*SPECIAL_WORDS, *sorted(words)))

    def __len__(self) -> int:
        return len(self.words)

    def id_of(self, word: str) -> int:
        """The token of one word or special word; that of `<unknown>` for any other."""
        return self._ids.get(word, self._ids[UNKNOWN])

    def ids(self, text: str) -> list[int]:
        """The tokens of a text."""
        return [self.id_of(word) for word in split_words(text)]

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of a text that the vocabulary lacks, each once, in the order of the text."""
        words = (word for word in split_words(text) if word not in _PUNCTUATION)
        return tuple(dict.fromkeys(word for word in words if word not in self._ids))

    def text(self, ids: Sequence[int]) -> str:
        """The text of some tokens."""
        words = [self.words[index] for index in ids]
        spaced = "".join(word if word in _PUNCTUATION else f" {word}" for word in words)
        return spaced.strip()
