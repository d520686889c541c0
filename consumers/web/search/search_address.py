"""From the page's address to a search and back: all that decides what is found can be sent to a colleague. Pure."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from consumers.search.query import By
from consumers.web.address import (
    ANSWERS,
    BY,
    CAMERA,
    DESCRIBED,
    FRAME,
    LIKE,
    PICTURE,
    QUERY,
    SEARCH,
    SINCE,
    SURE,
    UNTIL,
    ZONE,
    Address,
    packed,
    unpacked,
)
from consumers.web.components.alert_filters import instant_of
from consumers.web.search.shapes import LONGEST, AnswerAsked, BoxAsked, FilterAsked, FrameAsked, SavedAsked, SearchAsked

EXAMPLES = (QUERY, LIKE, PICTURE, FRAME)  # what is looked for; an address has one of them or none
FILTERS = (CAMERA, SINCE, UNTIL, ANSWERS, DESCRIBED, SURE)
SURE_ENOUGH = 0.5  # from here on an answer counts where the address does not say


def zone_asked(address: Address, zone: tzinfo) -> tzinfo:
    """The zone in which the address's times are told: its own, else the site's."""
    named = address.get(ZONE)
    if named:
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(named)
    return zone


def search_of(address: Address, now: datetime, zone: tzinfo) -> SearchAsked:
    """What the address asks for, without its picture; parts that nobody can mean are left out.

    >>> from datetime import UTC
    >>> asked = search_of(Address("/search", {"q": "vest", "answers": "7f:no:0.7", "since": "9:30"}),
    ...                   datetime(2026, 3, 1, 12, tzinfo=UTC), UTC)
    >>> asked.words, asked.filter.answers[0].at_least, f"{asked.filter.since:%H:%M}"
    ('vest', 0.7, '09:30')
    """
    zone = zone_asked(address, zone)
    since, until = (instant_of(address.get(name), now, zone) for name in (SINCE, UNTIL))
    if since is not None and until is not None and until <= since:
        until = None
    example = example_of(address)
    return SearchAsked(
        words=(address.get(QUERY) or "")[:LONGEST] if example == QUERY else "",
        like=address.get(LIKE) if example == LIKE else None,
        frame=frame_of(address.get(FRAME)) if example == FRAME else None,
        by=by_of(address),
        filter=FilterAsked(
            cameras=unpacked(address.get(CAMERA)),
            since=since,
            until=until,
            answers=answers_of(address),
            described=unpacked(address.get(DESCRIBED))[:20],
            detected_at_least=_share(address.get(SURE), 0.0),
        ),
    )


def example_of(address: Address) -> str | None:
    """Which part of the address says what is looked for; None: nothing does, and the newest are shown."""
    return next((name for name in EXAMPLES if address.get(name)), None)


def by_of(address: Address) -> By:
    """What words are compared with."""
    named = address.get(BY)
    return By(named) if named in set(By) else By.BOTH


def is_asking(address: Address) -> bool:
    """Whether the address asks for anybody at all."""
    return example_of(address) is not None or any(address.get(name) for name in FILTERS)


def answers_of(address: Address) -> tuple[AnswerAsked, ...]:
    """The answers that the address wants."""
    wanted = []
    for part in (address.get(ANSWERS) or "").split(";"):
        question, answer, at_least = (*unpacked(part, ":"), "", "", "")[:3]
        if question and answer:
            wanted.append(AnswerAsked(question=question, answer=answer, at_least=_share(at_least, SURE_ENOUGH)))
    return tuple(wanted[:20])


def answers_words(answers: Sequence[AnswerAsked]) -> str | None:
    """Answers as the address has them.

    >>> answers_words([AnswerAsked(question="7f", answer="no")])
    '7f:no:0.5'
    """
    return ";".join(packed((one.question, one.answer, f"{one.at_least:g}"), ":") or "" for one in answers) or None


def frame_of(words: str | None) -> FrameAsked | None:
    """The box on a frame that the address names."""
    try:
        segment_id, at_s, *sides = unpacked(words)
        left, top, width, height = map(float, sides)
        box = BoxAsked(left=left, top=top, width=width, height=height)
        return FrameAsked(segment_id=segment_id, at_s=float(at_s), box=box)
    except (ValueError, ValidationError):
        return None


def frame_words(frame: FrameAsked) -> str:
    """A box on a frame as the address has it.

    >>> box = BoxAsked(left=0.1, top=0.2, width=0.3, height=0.4)
    >>> frame_words(FrameAsked(segment_id="5b1e", at_s=1.6, box=box))
    '5b1e;1.60;0.1000;0.2000;0.3000;0.4000'
    """
    box = frame.box
    sides = (f"{side:.4f}" for side in (box.left, box.top, box.width, box.height))
    return ";".join((packed((frame.segment_id,)) or "", f"{frame.at_s:.2f}", *sides))


def address_of(saved: SavedAsked) -> Address:
    """Where a saved search is shown."""
    wanted = saved.filter
    return Address(SEARCH).but(
        **{
            QUERY: saved.words,
            LIKE: saved.like,
            BY: None if saved.by is By.BOTH else saved.by.value,
            CAMERA: packed(wanted.cameras),
            SINCE: wanted.since.isoformat(timespec="seconds") if wanted.since else None,
            UNTIL: wanted.until.isoformat(timespec="seconds") if wanted.until else None,
            ANSWERS: answers_words(wanted.answers),
            DESCRIBED: packed(wanted.described),
            SURE: f"{wanted.detected_at_least:g}" if wanted.detected_at_least else None,
            ZONE: wanted.time_zone,
        }
    )


def saved_of(asked: SearchAsked) -> SavedAsked:
    """What of a search can be saved."""
    return SavedAsked(words=asked.words, like=asked.like, by=asked.by, filter=asked.filter)


def _share(words: str | None, otherwise: float) -> float:
    try:
        share = float(words or "")
    except ValueError:
        return otherwise
    return share if 0 <= share <= 1 else otherwise
