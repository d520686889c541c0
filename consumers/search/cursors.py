"""Where one page of a search ended, so that the next begins there whatever has arrived meanwhile. Pure.

A cursor names the greatest key at the first page (whoever came later belongs to no page of this search), the place
reached, and the query it belongs to. It opens nothing that the query does not, so it is checked and not signed.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace

import orjson

from consumers.errors import SearchQueryError
from consumers.search.query import SearchQuery

MOST_KEY = 2**63 - 1
DEEPEST = 100_000  # places in one search


@dataclass(frozen=True, slots=True)
class Cursor:
    """People up to key `horizon` alone, after the first `place` of them; of a list by key `place` is the last key."""

    horizon: int
    place: int


def cursor_text(query: SearchQuery, cursor: Cursor) -> str:
    """The cursor as a client carries it.

    >>> query = SearchQuery("vest")
    >>> read_cursor(SearchQuery("vest", after=cursor_text(query, Cursor(99, 24))))
    Cursor(horizon=99, place=24)
    """
    content = orjson.dumps([cursor.horizon, cursor.place, _digest(query)])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def read_cursor(query: SearchQuery) -> Cursor | None:
    """The cursor that a query carries; None: it asks for the first page.

    Raises:
        SearchQueryError: It is none, or belongs to another query.
    """
    if query.after is None:
        return None
    try:
        content = base64.b64decode(query.after + "=" * (-len(query.after) % 4), altchars=b"-_", validate=True)
        horizon, place, digest = orjson.loads(content)
    except (binascii.Error, ValueError, TypeError) as error:
        raise SearchQueryError("after: this is no cursor; send `next` of the page before, unchanged") from error
    if not (_is_number(horizon, MOST_KEY) and _is_number(place, MOST_KEY)):
        raise SearchQueryError("after: this is no cursor; send `next` of the page before, unchanged")
    if digest != _digest(query):
        raise SearchQueryError("after: this cursor belongs to another search; send it with the same query")
    return Cursor(horizon, place)


def _is_number(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _digest(query: SearchQuery) -> str:
    """The name of all that decides the order: not of how many are on a page."""
    wanted = query.filter
    stated = replace(query, k=1, after=None, picture=None)
    picture = hashlib.sha256(query.picture).hexdigest() if query.picture is not None else ""
    told = repr((stated.words, stated.like, picture, stated.by.value, sorted(wanted.cameras)))
    rest = repr((wanted.since, wanted.until, wanted.answers, wanted.described, wanted.detected_at_least))
    return hashlib.sha256((told + rest).encode()).hexdigest()[:16]
