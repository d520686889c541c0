"""Full text with PostgreSQL's tsvector and a GIN index: stems and stop words of its `english` configuration.

https://www.postgresql.org/docs/current/textsearch.html
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import Connection, Engine, bindparam, text

from consumers.indexer.full_text import MOST_COUNTED

WORDS_KEPT = 50_000
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

    def count_with(self, stem: str) -> int:
        """How many people have a word, counted up to 200,000."""
        with self._engine.connect() as connection:
            return int(connection.execute(COUNT, {"match": _quoted(stem), "most": MOST_COUNTED}).scalar_one())

    def newest_with(self, stems: Sequence[str], at_most: int, *, through_key: int) -> list[int]:
        """The greatest keys up to `through_key` of people who have every one of the words, greatest first."""
        asked = {"match": " & ".join(map(_quoted, stems)), "through": through_key, "most": at_most}
        with self._engine.connect() as connection:
            return list(connection.execute(NEWEST, asked).scalars())

    def stems_of(self, keys: Sequence[int]) -> dict[int, frozenset[str]]:
        """Every word of some people, by key."""
        with self._engine.connect() as connection:
            rows = connection.execute(SAID, {"keys": list(keys)}).all()
        return {key: frozenset(said) for key, said in rows}

    def _asked_stem(self, word: str) -> str | None:
        with self._engine.connect() as connection:
            lexemes = connection.execute(STEM, {"word": word}).scalar_one()
        return next(iter(lexemes), None)


def _quoted(stem: str) -> str:
    return "'" + stem.replace("'", "''").replace("\\", "\\\\") + "'"
