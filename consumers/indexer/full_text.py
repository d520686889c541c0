"""Full text over people's captions and answers, in the person table's own database: SQLite's FTS5 or PostgreSQL's.

A row of text is written in the transaction of its person and goes with them. Words are compared by their English stems,
as the database's own tokenizer makes them.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection, Engine


class FullText(Protocol):
    """What one database's full text can do; may be shared by threads.

    Raises (every method): `SQLAlchemyError` when the database does not answer.
    """

    def lay_out(self, connection: Connection) -> None:
        """Make the table, where it is missing."""

    def write(self, connection: Connection, texts: Mapping[int, str]) -> None:
        """Enter the texts of people, by key, into the connection's transaction; each key once."""

    def leave_no_trace(self, connection: Connection) -> None:
        """Let no word stay in files that only people who are gone were described with."""

    def last_key(self, connection: Connection) -> int:
        """The greatest key that has a text; 0: none has."""

    def stems(self, words: Sequence[str]) -> list[str | None]:
        """What each word is compared by; None: nothing, as the database takes it for one that says nothing."""

    def count_with(self, stem: str, *, through_key: int) -> int:
        """How many people up to about `through_key` have a word; of a word that very many have, at least how many."""

    def newest_with(self, stems: Sequence[str], at_most: int, *, through_key: int) -> list[int]:
        """The greatest keys up to `through_key` of people who have every one of the words, greatest first."""

    def sharing(self, stems: Sequence[str], keys: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Which of the words some people have, by key; whoever has none of them is left out."""


def full_text_of(engine: Engine) -> FullText:
    """The full text of an engine's database."""
    if engine.dialect.name == "postgresql":
        from consumers.indexer.text_postgres import PostgresText

        return PostgresText(engine)
    from consumers.indexer.text_sqlite import SqliteText

    return SqliteText(engine)
