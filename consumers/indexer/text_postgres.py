"""Full text with PostgreSQL's tsvector and a GIN index: stems and stop words of its `english` configuration.

https://www.postgresql.org/docs/current/textsearch.html
"""

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache

from cachetools import TTLCache
from sqlalchemy import Connection, Engine, bindparam, text

WORDS_KEPT = 50_000
MOST_COUNTED = 200_000  # people with a word that are counted; a word that more have tells little anyway
COUNTED_FOR_S = 600.0  # how common a word is changes slowly
LAYOUT = (
    "CREATE TABLE IF NOT EXISTS people_text (person_key integer PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE, "
    "said tsvector NOT NULL)",
    "CREATE INDEX IF NOT EXISTS people_text_said ON people_text USING gin (said)",
)
WRITE = text("INSERT INTO people_text (person_key, said) VALUES (:key, to_tsvector('english', :said))")
NEWEST = text(
    "SELECT person_key FROM people_text WHERE said @@ CAST(:match AS tsquery) AND person_key <= :through "
    "ORDER BY person_key DESC LIMIT :most"
)
COUNT = text(
    "SELECT count(*) FROM (SELECT 1 FROM people_text WHERE said @@ CAST(:match AS tsquery) LIMIT :most) AS matching"
)
SAID = text("SELECT person_key, tsvector_to_array(said) FROM people_text WHERE person_key IN :keys").bindparams(
    bindparam("keys", expanding=True)
)
STEM = text("SELECT tsvector_to_array(to_tsvector('english', :word))")


class PostgresText:
    """Full text in one PostgreSQL database; may be shared by threads."""

    def __init__(self, engine: Engine) -> None:
        """Read and write through `engine`."""
        self._engine = engine
        self._stem = lru_cache(WORDS_KEPT)(self._asked_stem)
        self._counts: TTLCache[str, int] = TTLCache(WORDS_KEPT, COUNTED_FOR_S)
        self._counting = threading.Lock()

    def lay_out(self, connection: Connection) -> None:
        """Make the table, where it is missing."""
        for statement in LAYOUT:
            connection.exec_driver_sql(statement)

    def write(self, connection: Connection, texts: Mapping[int, str]) -> None:
        """Enter the texts of people, by key, into the connection's transaction; each key once."""
        if texts:
            connection.execute(WRITE, [{"key": key, "said": said} for key, said in texts.items()])

    def leave_no_trace(self, connection: Connection) -> None:
        """Nothing to do: PostgreSQL's own vacuum gives back what is gone."""

    def last_key(self, connection: Connection) -> int:
        """The greatest key that has a text; 0: none has."""
        return int(connection.exec_driver_sql("SELECT coalesce(max(person_key), 0) FROM people_text").scalar_one())

    def stems(self, words: Sequence[str]) -> list[str | None]:
        """What each word is compared by; None: a stop word."""
        return [self._stem(word) for word in words]

    def count_with(self, stem: str, *, through_key: int) -> int:
        """How many people have a word, or had some minutes ago, counted up to 200,000."""
        del through_key
        with self._counting:
            if (known := self._counts.get(stem)) is not None:
                return known
        with self._engine.connect() as connection:
            counted = int(connection.execute(COUNT, {"match": _quoted(stem), "most": MOST_COUNTED}).scalar_one())
        if counted:  # a word that nobody has may be somebody's in a moment
            with self._counting:
                self._counts[stem] = counted
        return counted

    def newest_with(self, stems: Sequence[str], at_most: int, *, through_key: int) -> list[int]:
        """The greatest keys up to `through_key` of people who have every one of the words, greatest first."""
        asked = {"match": " & ".join(map(_quoted, stems)), "through": through_key, "most": at_most}
        with self._engine.connect() as connection:
            return list(connection.execute(NEWEST, asked).scalars())

    def sharing(self, stems: Sequence[str], keys: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Which of the words some people have, by key; whoever has none of them is left out."""
        with self._engine.connect() as connection:
            rows = connection.execute(SAID, {"keys": list(keys)}).all()
        having = {key: frozenset(said) for key, said in rows}
        shared = {key: tuple(stem for stem in stems if stem in said) for key, said in having.items()}
        return {key: some for key, some in shared.items() if some}

    def _asked_stem(self, word: str) -> str | None:
        with self._engine.connect() as connection:
            lexemes = connection.execute(STEM, {"word": word}).scalar_one()
        return next(iter(lexemes), None)


def _quoted(stem: str) -> str:
    return "'" + stem.replace("'", "''").replace("\\", "\\\\") + "'"
