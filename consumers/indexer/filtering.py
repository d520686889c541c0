"""Who of a shard is wanted: a filter, made ready once a search, and the mask that it is in each shard. Pure."""

from dataclasses import dataclass

import numpy as np

from consumers.indexer.columns import NOBODY, Codes, Columns, Mask, Rows, certainty_codes, microseconds
from consumers.search.filters import PeopleFilter
from consumers.search.words import words_of

BEGINNING_US, END_US = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter in the terms of the columns."""

    cameras: frozenset[int] | None  # none: every camera
    since_us: int
    until_us: int
    answers: tuple[tuple[tuple[str, str], int], ...]  # and the least certainty code
    words: tuple[str, ...]
    detected_at_least: int  # a certainty code, or zero

    @property
    def is_open(self) -> bool:
        """Whether it holds for everyone."""
        return not (
            self.cameras is not None
            or self.since_us > BEGINNING_US
            or self.until_us < END_US
            or self.answers
            or self.words
            or self.detected_at_least > 0
        )


def made_ready(wanted: PeopleFilter, cameras: Codes) -> Wanted:
    """The filter in the terms of columns that share these camera codes.

    Thresholds are rounded as the columns are, so that whoever has exactly the probability asked for is found.
    """
    codes = {cameras.known(name) for name in wanted.cameras} - {None}
    words = sorted(set().union(*(words_of(text) for text in wanted.described)))
    return Wanted(
        cameras=frozenset(code for code in codes if code is not None) if wanted.cameras else None,
        since_us=BEGINNING_US if wanted.since is None else microseconds(wanted.since),
        until_us=END_US if wanted.until is None else microseconds(wanted.until),
        answers=tuple(((a.question_id, a.answer), int(certainty_codes(a.at_least))) for a in wanted.answers),
        words=tuple(words),
        detected_at_least=int(certainty_codes(wanted.detected_at_least)) if wanted.detected_at_least > 0 else 0,
    )


def may_hold(columns: Columns, wanted: Wanted) -> bool:
    """Whether anybody there can be wanted, without a look at a single row."""
    if wanted.cameras is not None and wanted.cameras.isdisjoint(columns.cameras_here):
        return False
    if any(name not in columns.answers for name, _ in wanted.answers):
        return False
    return all(len(columns.posting(word)) for word in wanted.words)


def mask(columns: Columns, count: int, wanted: Wanted, rows: Rows | None = None, *, all_there: bool = False) -> Mask:
    """Which rows are wanted, shape (n,): of the first `count`, or of these, which are increasing and below it.

    `all_there` says that every row holds somebody, which spares a look.
    """
    span: Rows | slice = slice(count) if rows is None else rows
    chosen: Mask = np.ones(count if rows is None else len(rows), dtype=np.bool_)
    if not all_there:
        chosen &= columns.key.rows[span] != NOBODY
    if wanted.since_us > BEGINNING_US:
        chosen &= columns.first_seen_us.rows[span] >= wanted.since_us
    if wanted.until_us < END_US:
        chosen &= columns.first_seen_us.rows[span] < wanted.until_us
    if wanted.cameras is not None:
        chosen &= _of_cameras(columns.camera.rows[span], wanted.cameras)
    if wanted.detected_at_least > 0:
        chosen &= columns.detection_score.rows[span] >= wanted.detected_at_least
    for name, at_least in wanted.answers:
        given = columns.answers[name].rows[:count]
        if rows is not None:
            given = given[rows[: int(np.searchsorted(rows, len(given)))]]
        chosen[: len(given)] &= given >= at_least
        chosen[len(given) :] = False
    for word in wanted.words:
        chosen &= _holding(columns.posting(word), count, rows)
    return chosen


def _holding(posting: Rows, count: int, rows: Rows | None) -> Mask:
    """Which rows a word's posting names."""
    if rows is None:
        holding = np.zeros(count, dtype=np.bool_)
        holding[posting[posting < count]] = True
        return holding
    return np.isin(rows, posting)


def _of_cameras(codes: Rows, wanted: frozenset[int]) -> Mask:
    if len(wanted) == 1:
        same: Mask = codes == next(iter(wanted))
        return same
    return np.isin(codes, list(wanted))
