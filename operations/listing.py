"""A table of plain words on standard output, for whoever reads it and for `grep`."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

PIPED_WIDTH = 10_000  # piped on, a line is as long as it needs: addresses are there to be used


class Listing:
    """Rows under headings. No cell is markup, and nothing is cut off: on a terminal, what is too long goes on below."""

    def __init__(self, *headings: str) -> None:
        """Begin with no rows."""
        from rich.table import Table

        self._table = Table(box=None, header_style="bold")
        for heading in headings:
            self._table.add_column(heading, overflow="fold")

    def add(self, *cells: str) -> None:
        """Add a row, a cell for each heading."""
        self._table.add_row(*(_plain(cell) for cell in cells))

    def show(self, if_empty: str) -> None:
        """Print the table, or `if_empty` where it has no rows."""
        from rich.console import Console

        console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
        console.print(self._table if self._table.row_count else _plain(if_empty))


def _plain(words: str) -> "Text":
    from rich.text import Text

    return Text(words)
