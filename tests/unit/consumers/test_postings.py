"""Who has a word: bitmaps beside what a scan of everybody's words says, whoever comes and goes meanwhile."""

from collections.abc import Iterator, Mapping

import hypothesis.strategies as st
from hypothesis import given

from consumers.indexer import postings
from consumers.indexer.postings import Postings

WORDS = ("hat", "vest", "ladder", "red")
PEOPLE = st.lists(st.frozensets(st.sampled_from(WORDS)), max_size=12)
ASKED = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)


class People:
    """People's words by key, and how often somebody read them."""

    def __init__(self) -> None:
        self.words: dict[int, frozenset[str]] = {}
        self.words_read: list[str] = []
        self.people_read = 0

    def having(self, word: str, through: int) -> Iterator[int]:
        self.words_read.append(word)
        return (key for key, words in self.words.items() if word in words and key <= through)

    def since(self, after: int, through: int) -> Mapping[int, frozenset[str]]:
        found = {key: words for key, words in self.words.items() if after < key <= through}
        self.people_read += len(found)
        return found


@given(st.lists(st.tuples(PEOPLE, ASKED, st.integers(0, 3)), max_size=5))
def test_they_say_what_a_scan_says_whoever_arrives(rounds: list[tuple[list[frozenset[str]], list[str], int]]) -> None:
    people = People()
    kept = Postings(people.having, people.since)
    for arriving, asked, back in rounds:
        for words in arriving:
            people.words[len(people.words) + 1] = words
        through = max(len(people.words) - back, 0)
        for word, found in zip(asked, kept.of(asked, through), strict=True):
            assert [key for key in found if key <= through] == list(people.having(word, through))


def test_a_word_is_read_once_and_of_those_who_came_since_only_they() -> None:
    people = People()
    people.words = {key: frozenset({"hat"}) for key in range(1, 101)}
    kept = Postings(people.having, people.since)
    kept.of(["hat"], 100)
    people.words |= {101: frozenset({"hat", "vest"}), 102: frozenset({"vest"})}
    assert [len(found) for found in kept.of(["hat", "vest"], 102)] == [101, 2]
    assert (people.words_read, people.people_read) == (["hat", "vest"], 2)


def test_after_very_many_newcomers_words_are_read_again() -> None:
    people = People()
    kept = Postings(people.having, people.since)
    kept.of(["hat"], 1)
    last = postings.MOST_ADDED + 2
    people.words = {key: frozenset({"hat"}) for key in range(1, last + 1)}
    assert len(kept.of(["hat"], last)[0]) == last
    assert people.people_read == 0


def test_what_is_forgotten_is_read_again_and_newcomers_are_nothing_to_forget() -> None:
    people = People()
    people.words = {1: frozenset({"hat"}), 2: frozenset({"hat"})}
    kept = Postings(people.having, people.since)
    kept.of(["hat"], 2)
    del people.words[1]
    kept.forget(from_key=3)
    assert list(kept.of(["hat"], 2)[0]) == [1, 2]
    kept.forget()
    assert list(kept.of(["hat"], 2)[0]) == [2]
