"""Full text with SQLite's FTS5 (https://sqlite.org/fts5.html): stems by its Porter tokenizer.

Ranking by FTS5's own bm25 reads every row that matches: a common word over a million people takes 270-715 ms, and
whoever has several common words another 20. So FTS5 is asked for each word once, and the rest is bitmaps.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence

from pyroaring import BitMap
from sqlalchemy import Connection, Engine

from consumers.indexer.postings import Postings
from consumers.search.terms import words_of

TOKENIZER = "porter unicode61 remove_diacritics 2"
WORDS_KEPT = 200_000
LAYOUT = (
    # detail=none keeps no places of words in a text: a third of the size, and nobody asks for phrases.
    f"CREATE VIRTUAL TABLE IF NOT EXISTS people_text USING fts5(said, tokenize='{TOKENIZER}', detail=none)",
    # Asked by stem: MATCH would stem a stem once more (turquoise, turquois, turquoi), and find nobody or others.
    "CREATE VIRTUAL TABLE IF NOT EXISTS people_terms USING fts5vocab(people_text, instance)",
    "CREATE TRIGGER IF NOT EXISTS people_text_goes AFTER DELETE ON people "
    "BEGIN DELETE FROM people_text WHERE rowid = old.id; END",
)
HAVING = "SELECT doc FROM people_terms WHERE term = ? AND doc <= ?"
SAID = "SELECT id, c0 FROM people_text_content WHERE id > ? AND id <= ?"


class SqliteText:
    """Full text in one SQLite database; may be shared by threads."""

    def __init__(self, engine: Engine) -> None:
        """Read and write through `engine`."""
        self._engine = engine
        self._stems = _Stems()
        self._postings = Postings(self._having, self._said)

    def lay_out(self, connection: Connection) -> None:
        """Make the table, where it is missing."""
        for statement in LAYOUT:
            connection.exec_driver_sql(statement)

    def write(self, connection: Connection, texts: Mapping[int, str]) -> None:
        """Enter the texts of people, by key, into the connection's transaction; each key once."""
        if texts:
            rows = list(texts.items())
            connection.exec_driver_sql("INSERT INTO people_text(rowid, said) VALUES (?, ?)", rows)
            self._postings.forget(from_key=min(texts))

    def leave_no_trace(self, connection: Connection) -> None:
        """Merge FTS5's segments: until then those that were written keep the words of rows that are gone.

        It takes some seconds a million people; SQLite 3.42's `secure-delete` would spare them, and is too new.
        """
        connection.exec_driver_sql("INSERT INTO people_text(people_text) VALUES ('optimize')")
        self._postings.forget()

    def last_key(self, connection: Connection) -> int:
        """The greatest key that has a text; 0: none has."""
        return int(connection.exec_driver_sql("SELECT coalesce(max(rowid), 0) FROM people_text").scalar_one())

    def stems(self, words: Sequence[str]) -> list[str | None]:
        """What each word is compared by."""
        return [self._stems[word] or None for word in words]

    def count_with(self, stem: str, *, through_key: int) -> int:
        """How many people up to about `through_key` have a word."""
        return len(self._postings.of([stem], through_key)[0])

    def newest_with(self, stems: Sequence[str], at_most: int, *, through_key: int) -> list[int]:
        """The greatest keys up to `through_key` of people who have every one of the words, greatest first."""
        having = BitMap.intersection(*self._postings.of(stems, through_key))
        end = having.rank(through_key)
        return list(having[max(end - at_most, 0) : end])[::-1]

    def sharing(self, stems: Sequence[str], keys: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Which of the words some people have, by key; whoever has none of them is left out."""
        among, shared = BitMap(keys), dict[int, tuple[str, ...]]()
        for stem, having in zip(stems, self._postings.of(stems, max(keys, default=0)), strict=True):
            for key in having & among:
                shared[key] = (*shared.get(key, ()), stem)
        return shared

    def _having(self, stem: str, through_key: int) -> Iterator[int]:
        with self._engine.connect() as connection:
            yield from connection.exec_driver_sql(HAVING, (stem, through_key)).scalars()

    def _said(self, after_key: int, through_key: int) -> dict[int, frozenset[str]]:
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql(SAID, (after_key, through_key)).all()
        return {key: frozenset(map(self._stems.__getitem__, words_of(said))) for key, said in rows}


class _Stems(dict[str, str]):
    """What FTS5 itself makes of a word, so that both agree; empty: nothing. A word is asked about once."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._scratch = sqlite3.connect(":memory:", check_same_thread=False)
        self._scratch.execute(f"CREATE VIRTUAL TABLE scratch USING fts5(said, tokenize='{TOKENIZER}')")
        self._scratch.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(scratch, row)")

    def __missing__(self, word: str) -> str:
        with self._lock:
            if len(self) >= WORDS_KEPT:
                self.clear()
            self._scratch.execute("INSERT INTO scratch(rowid, said) VALUES (1, ?)", (word,))
            found = self._scratch.execute("SELECT term FROM terms").fetchone()
            self._scratch.execute("DELETE FROM scratch WHERE rowid = 1")
            stem = self[word] = "" if found is None else str(found[0])
        return stem
