"""Full text with SQLite's FTS5 (https://sqlite.org/fts5.html): stems by its Porter tokenizer.

Ranking by FTS5's own bm25 reads every row that matches: a common word over a million people takes 270-715 ms. So
matches are taken newest first and ranked by whoever asks.
"""

import sqlite3
import threading
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine, text

from consumers.indexer.full_text import MOST_COUNTED
from consumers.search.terms import words_of

TOKENIZER = "porter unicode61 remove_diacritics 2"
WORDS_KEPT = 200_000
LAYOUT = (
    # detail=none keeps no places of words in a text: a third of the size, and nobody asks for phrases.
    f"CREATE VIRTUAL TABLE IF NOT EXISTS people_text USING fts5(said, tokenize='{TOKENIZER}', detail=none)",
    "CREATE TRIGGER IF NOT EXISTS people_text_goes AFTER DELETE ON people "
    "BEGIN DELETE FROM people_text WHERE rowid = old.id; END",
)
NEWEST = text(
    "SELECT rowid FROM people_text WHERE people_text MATCH :match AND rowid <= :through ORDER BY rowid DESC LIMIT :most"
)
COUNT = text("SELECT count(*) FROM (SELECT 1 FROM people_text WHERE people_text MATCH :match LIMIT :most)")


class SqliteText:
    """Full text in one SQLite database; may be shared by threads."""

    def __init__(self, engine: Engine) -> None:
        """Read and write through `engine`."""
        self._engine = engine
        self._stems = _Stems()

    def lay_out(self, connection: Connection) -> None:
        """Make the table, where it is missing."""
        for statement in LAYOUT:
            connection.exec_driver_sql(statement)

    def write(self, connection: Connection, texts: Mapping[int, str]) -> None:
        """Enter the texts of people, by key, into the connection's transaction; each key once."""
        if texts:
            rows = list(texts.items())
            connection.exec_driver_sql("INSERT INTO people_text(rowid, said) VALUES (?, ?)", rows)

    def leave_no_trace(self, connection: Connection) -> None:
        """Merge FTS5's segments: until then those that were written keep the words of rows that are gone.

        It takes some seconds a million people; SQLite 3.42's `secure-delete` would spare them, and is too new.
        """
        connection.exec_driver_sql("INSERT INTO people_text(people_text) VALUES ('optimize')")

    def last_key(self, connection: Connection) -> int:
        """The greatest key that has a text; 0: none has."""
        return int(connection.exec_driver_sql("SELECT coalesce(max(rowid), 0) FROM people_text").scalar_one())

    def stems(self, words: Sequence[str]) -> list[str | None]:
        """What each word is compared by."""
        return [self._stems[word] or None for word in words]

    def count_with(self, stem: str) -> int:
        """How many people have a word, counted up to 200,000."""
        with self._engine.connect() as connection:
            return int(connection.execute(COUNT, {"match": _quoted(stem), "most": MOST_COUNTED}).scalar_one())

    def newest_with(self, stems: Sequence[str], at_most: int, *, through_key: int) -> list[int]:
        """The greatest keys up to `through_key` of people who have every one of the words, greatest first."""
        asked = {"match": " AND ".join(map(_quoted, stems)), "through": through_key, "most": at_most}
        with self._engine.connect() as connection:
            return list(connection.execute(NEWEST, asked).scalars())

    def stems_of(self, keys: Sequence[int]) -> dict[int, frozenset[str]]:
        """Every word of some people, by key."""
        with self._engine.connect() as connection:
            among = ",".join(map(str, map(int, keys)))  # as parameters, hundreds take longer than the query
            rows = connection.exec_driver_sql(f"SELECT id, c0 FROM people_text_content WHERE id IN ({among})").all()
        return {key: frozenset(map(self._stems.__getitem__, words_of(said))) for key, said in rows}


def _quoted(stem: str) -> str:
    return f'"{stem}"'


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
