"""Rows of a data set, counted: what can be read, and what was skipped and why."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from trainer.errors import RecipeError

logger = logging.getLogger(__name__)
READABLE_AT_LEAST = 0.9


@dataclass(slots=True)
class RowCount:
    """How many rows of a source can be read, and how many cannot, by reason."""

    readable: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """All."""
        return self.readable + self.skipped.total()

    def report(self, source: Path) -> None:
        """Say what was skipped."""
        for reason, count in sorted(self.skipped.items()):
            logger.warning("%s: %d of %d rows skipped: %s", source, count, self.rows, reason)

    def refuse_unreadable(self, source: Path) -> None:
        """Stop before a run that would learn from what is left of a broken data set.

        Raises:
            RecipeError: there are no rows, or fewer than nine in ten can be read.
        """
        self.report(source)
        if not self.rows:
            raise RecipeError(source, "there are no rows in it")
        if self.readable < READABLE_AT_LEAST * self.rows:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.skipped.most_common())
            raise RecipeError(
                source, f"only {self.readable} of {self.rows} rows can be read, 90% are needed: {reasons}"
            )
