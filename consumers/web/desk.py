"""What the API and the page ask for: one object over the person table, the search service and the media store.

Every method blocks; the API's threads and `asyncio.to_thread` call them.
"""

import hashlib
import time
from collections.abc import Sequence
from typing import Protocol

import orjson

from consumers.access.access import Access
from consumers.errors import NotSeenError, PeopleTableError, SearchUnavailableError
from consumers.indexer.people import PeopleReader, Person
from consumers.search.client import IndexStatus
from consumers.search.hits import AlsoSeen, FoundPeople
from consumers.search.likeness import CLAIM, level_of
from consumers.search.query import SearchQuery
from consumers.web.cameras.cameras_desk import CamerasDesk
from consumers.web.light import Standing, judge
from consumers.web.schemas import CameraShape, PeopleShape, PersonDetailShape, PersonShape, StatusShape
from consumers.web.search.people_json import PeopleJson
from consumers.web.search.shapes import AlsoSeenShape, ElsewhereShape, QuestionShape, SearchShape
from consumers.web.shaping import Questions, shape_detail, shape_person
from streamer.bus.errors import MediaStoreError
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import AskedQuestion

AT_ONCE = 200  # people in one question to the table
QUESTIONS_KEPT_S = 1.0  # a new question is asked a few times a year, and read at every search


class Search(Protocol):
    """Finds people.  Raises `SearchUnavailableError` when nobody answers."""

    def find(self, query: SearchQuery) -> FoundPeople:
        """One page of who is found, by their keys."""

    def elsewhere(self, person_id: str, k: int) -> Sequence[AlsoSeen]:
        """Other chains that may be the same person as somebody."""

    def status(self) -> IndexStatus:
        """How much is indexed."""


class Desk:
    """Answers what the API and the page ask.

    Raises (every method): `PeopleTableError` when the table cannot be read.
    """

    def __init__(
        self,
        search: Search,
        people: PeopleReader,
        media: MediaStore,
        access: Access,
        cameras: CamerasDesk | None = None,
    ) -> None:
        """Answer from these; searches go into the log of `access`. Without `cameras`, `status` says nothing of them."""
        self._cameras = cameras
        self._search, self._people, self.media, self._access = search, people, media, access
        self._known: tuple[float, Questions] | None = None
        self._json = PeopleJson(people, self._kept_questions)

    def newest(
        self, limit: int, *, before: int | None = None, after: int | None = None, camera: str | None = None
    ) -> PeopleShape:
        """The people who arrived last, newest first."""
        found = self._people.newest(limit + 1, before_id=before, after_id=after, camera=camera)
        page, has_more = found[:limit], len(found) > limit
        questions = self._questions()
        return PeopleShape(
            people=tuple(shape_person(person, questions) for person in page),
            before=page[-1].id if page and has_more else None,
            after=page[0].id if page else after,
        )

    def since(self, after: int) -> list[PersonShape]:
        """Everyone who came after the cursor, newest first, however many there are."""
        page = self.newest(AT_ONCE, after=after)
        people = list(page.people)
        while page.before is not None:
            page = self.newest(AT_ONCE, before=page.before, after=after)
            people += page.people
        return people

    def person(self, person_id: str) -> PersonDetailShape | None:
        """One person with the way they took and the chain they belong to; None: nobody of that id."""
        person = self._people.person(person_id)
        if person is None:
            return None
        return shape_detail(person, self._questions(), self._manifest(person), self._people.chain(person.chain_id))

    def search(self, query: SearchQuery, *, by: str) -> SearchShape:
        """One page of who is found; who searched for what goes into the audit log first.

        Raises:
            SearchUnavailableError: the indexer does not answer.
            SearchQueryError: the query, its cursor or its picture makes no sense.
            NotSeenError: nobody has the id that somebody should be like.
            DeskError: the log cannot be written.
        """
        return SearchShape.model_validate_json(self.find_json(query, by=by))

    def number_found(self, query: SearchQuery) -> int:
        """How many a query finds on its first page, with no names.

        It goes into no log: it is asked to say why a search, which went into it, found nobody.

        Raises:
            SearchUnavailableError: the indexer does not answer.
            SearchQueryError: the query makes no sense.
            NotSeenError: nobody has the id that somebody should be like.
        """
        return len(self._search.find(query).found)

    def find_json(self, query: SearchQuery, *, by: str) -> bytes:
        """The same as the JSON of a `SearchShape`."""
        self._access.note(by, "search", query.words or query.like or "", **told(query))
        answer = self._search.find(query)
        people = self._json.of([one.key for one in answer.found])
        shape = {
            "query": query.words,
            "hits": [
                {"score": one.score, "why": one.why, "person": orjson.Fragment(people[one.key])}
                for one in answer.found
                if one.key in people  # erased a moment ago
            ],
            "unknown_words": answer.unknown_words,
            "next": answer.next,
        }
        return orjson.dumps(shape)

    def elsewhere(self, person_id: str, k: int, *, by: str) -> ElsewhereShape:
        """Where else somebody may have been seen, the most alike first; goes into the audit log as a search does.

        Raises:
            SearchUnavailableError: the indexer does not answer.
            NotSeenError: nobody has that id.
            DeskError: the log cannot be written.
        """
        self._access.note(by, "search", person_id, elsewhere=True)
        chains = self._search.elsewhere(person_id, k)
        people, questions = self._people.by_key([one.key for one in chains]), self._questions()
        found = tuple(
            AlsoSeenShape(
                person=shape_person(people[one.key], questions),
                chain_id=one.chain_id,
                tracks=one.tracks,
                similarity=one.similarity,
                level=level_of(one.similarity),
            )
            for one in chains
            if one.key in people
        )
        return ElsewhereShape(person_id=person_id, claim=CLAIM, found=found)

    def asked_questions(self) -> Sequence[AskedQuestion]:
        """Every question that was ever answered, as it was asked."""
        return list(self._questions().values())

    def questions(self) -> tuple[QuestionShape, ...]:
        """Every question that was ever answered."""
        return tuple(
            QuestionShape(question_id=q.question_id, text=q.text, label=q.label, kind=q.kind, answers=q.answers)
            for q in self._questions().values()
        )

    def asked(self, person_id: str, question_id: str) -> tuple[Person, AskedQuestion]:
        """Somebody and a question that was asked about them.

        Raises:
            NotSeenError: nobody has that id, or was asked that.
        """
        person = self._people.person(person_id)
        question = self._questions().get(question_id)
        if person is None or question is None or question_id not in person.answers:
            raise NotSeenError(person_id)
        return person, question

    def cameras(self) -> tuple[CameraShape, ...]:
        """Every camera that has sent something, by name."""
        return tuple(
            CameraShape(camera_id=seen.camera_id, people=seen.people, last_segment_at=seen.last_segment_at)
            for seen in self._people.cameras()
        )

    def status(self) -> StatusShape:
        """How the system stands; never raises."""
        index, search_error = None, None
        try:
            index = self._search.status()
        except SearchUnavailableError as error:
            search_error = str(error)
        try:
            watched = self._cameras.cameras() if self._cameras is not None else None
            return judge(Standing(self._people.counts(), index, watched, search_error=search_error))
        except PeopleTableError as error:
            return judge(Standing(table_error=str(error), search_error=search_error))

    def _questions(self) -> Questions:
        return {question.question_id: question for question in self._people.questions()}

    def _kept_questions(self) -> Questions:
        """The same for searches, of which there are many a second."""
        known, now = self._known, time.monotonic()
        if known is None or now - known[0] > QUESTIONS_KEPT_S:
            known = self._known = (now, self._questions())
        return known[1]

    def _manifest(self, person: Person) -> Manifest | None:
        """The result a person stands in; None when it is gone or cannot be read, which only costs the path."""
        uri = manifest_uri(person.camera_id, person.segment_id, person.analysis_revision)
        try:
            return Manifest.model_validate_json(self.media.read(uri))
        except (MediaStoreError, ValueError):
            return None


def told(query: SearchQuery) -> dict[str, object]:
    """What the audit log says of a search beside its words.

    >>> from consumers.search.filters import PeopleFilter
    >>> told(SearchQuery("vest", filter=PeopleFilter(cameras=frozenset({"yard"}))))
    {'cameras': ['yard']}
    """
    wanted = query.filter
    said = {
        "cameras": sorted(wanted.cameras),
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat() if wanted.until else None,
        "answers": [f"{one.question_id}={one.answer}@{one.at_least:g}" for one in wanted.answers],
        "described": list(wanted.described),
        "detected_at_least": wanted.detected_at_least,
        "like": query.like,
        "picture": hashlib.sha256(query.picture).hexdigest() if query.picture is not None else None,
        "after": query.after,
    }
    return {name: value for name, value in said.items() if value}
