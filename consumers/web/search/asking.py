"""From what somebody asks to a query: camera groups, question words, wall-clock times, pictures and boxes on frames."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumers.errors import NotSeenError, SearchQueryError, VideoReadError
from consumers.indexer.people import PeopleReader
from consumers.search.filters import AnswerWanted, PeopleFilter
from consumers.search.pictures import MOST_BYTES, cut_out, decoded, encoded
from consumers.search.query import SearchQuery
from consumers.search.terms import words_of
from consumers.web.alerts.frames import Frames
from consumers.web.search.shapes import AnswerAsked, FilterAsked, FrameAsked, SearchAsked
from model.questions import CANNOT_TELL
from streamer.bus.errors import MediaStoreError
from streamer.bus.messages import AskedQuestion

Groups = Mapping[str, Sequence[str]]


class Asking:
    """Makes queries of what is asked; may be shared by threads.

    Raises (every method): `SearchQueryError` for what cannot be, `PeopleTableError` when the table cannot be read.
    """

    def __init__(
        self,
        people: PeopleReader,
        questions: Callable[[], Sequence[AskedQuestion]],
        groups: Callable[[], Groups],
        frames: Frames,
    ) -> None:
        """Ask about `people` and `questions`, with the camera groups of the rules and frames of footage."""
        self._people, self._questions, self._groups, self._frames = people, questions, groups, frames

    def query(self, asked: SearchAsked) -> SearchQuery:
        """The query.

        Raises:
            NotSeenError: There is no such segment, or no such frame of it.
        """
        if (
            sum((bool(asked.words.strip()), asked.like is not None, asked.picture is not None, asked.frame is not None))
            > 1
        ):
            raise SearchQueryError("search by words, by a person, by a picture or by a frame: one at a time")
        picture = _picture(asked.picture)
        if asked.frame is not None:
            picture = self._boxed(asked.frame)
        return SearchQuery(
            words=" ".join(asked.words.split()),
            like=asked.like,
            picture=picture,
            by=asked.by,
            filter=self.filter(asked.filter),
            k=asked.k,
            after=asked.after,
        )

    def filter(self, asked: FilterAsked) -> PeopleFilter:
        """The filter."""
        return PeopleFilter(
            cameras=self._cameras(asked.cameras),
            since=_instant("since", asked.since, asked.time_zone),
            until=_instant("until", asked.until, asked.time_zone),
            answers=tuple(_answer(one, self._questions()) for one in asked.answers),
            described=tuple(word for said in asked.described for word in words_of(said)),
            detected_at_least=asked.detected_at_least,
        )

    def _cameras(self, names: Sequence[str]) -> frozenset[str]:
        groups = self._groups() if names else {}
        return frozenset(camera for name in names for camera in groups.get(name, (name,)))

    def _boxed(self, asked: FrameAsked) -> bytes:
        segment = self._people.segment(asked.segment_id)
        if segment is None:
            raise NotSeenError(f"segment {asked.segment_id}")
        try:
            frame = decoded(self._frames.jpeg(segment.uri, asked.at_s))
        except (VideoReadError, MediaStoreError) as error:
            raise NotSeenError(f"second {asked.at_s:g} of segment {asked.segment_id}") from error
        box = asked.box
        return encoded(cut_out(frame, left=box.left, top=box.top, width=box.width, height=box.height))


def wanted_question(named: str, answer: str, questions: Sequence[AskedQuestion]) -> AskedQuestion:
    """The one question that somebody means by its id, its label or words of it, among those with such an answer.

    Raises:
        SearchQueryError: There is none, or several; names them.

    >>> ask = lambda id, kind, text, *answers: AskedQuestion(question_id=id, kind=kind, text=text, answers=answers)
    >>> hat = ask("1", "predicate", "Is this person wearing a hard hat?", "yes", "no")
    >>> which = ask("2", "choice", "What colour is the hard hat?", "red", "none")
    >>> wanted_question("hat", "no", [hat, which]).label, wanted_question("hat", "red", [hat, which]).label
    ('hard hat', 'hard hat colour')
    """
    having = [one for one in questions if answer in (*one.answers, CANNOT_TELL)]
    words = set(words_of(named))
    tries = (
        [one for one in having if one.question_id == named],
        [one for one in having if named.strip().lower() in (one.label.lower(), one.text.lower())],
        [one for one in having if words and words <= set(words_of(one.label))],
        [one for one in having if words and words <= set(words_of(one.text))],
    )
    meant = next((found for found in tries if found), [])
    if len(meant) == 1:
        return meant[0]
    if meant:
        told = ", ".join(f"{one.label} ({one.question_id})" for one in meant)
        raise SearchQueryError(f"answers: {named!r} may mean {told}; name one of them")
    known = ", ".join(dict.fromkeys(f"{one.label}: {'/'.join(one.answers)}" for one in questions))
    raise SearchQueryError(
        f"answers: nothing was asked that {named!r} names and {answer!r} answers; asked: {known or '-'}"
    )


def _answer(asked: AnswerAsked, questions: Sequence[AskedQuestion]) -> AnswerWanted:
    question = wanted_question(asked.question, asked.answer, questions)
    return AnswerWanted(question.question_id, asked.answer, asked.at_least)


def _instant(name: str, said: datetime | None, time_zone: str | None) -> datetime | None:
    if said is None or said.tzinfo is not None:
        return said
    if time_zone is None:
        raise SearchQueryError(f"{name}: needs an offset such as +01:00, or say `time_zone`")
    try:
        return said.replace(tzinfo=ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SearchQueryError(f"time_zone: {time_zone!r} is none; write one such as Europe/Berlin") from error


def _picture(encoded_picture: str | None) -> bytes | None:
    """The picture, decoded once here so that what is none is refused before anybody else sees it."""
    if encoded_picture is None:
        return None
    try:
        picture = base64.b64decode(encoded_picture, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SearchQueryError("picture: this is no base64") from error
    if len(picture) > MOST_BYTES:
        raise SearchQueryError(f"picture: at most {MOST_BYTES >> 20} MiB, got {len(picture) / 2**20:.1f}")
    return picture
