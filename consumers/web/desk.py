"""What the API and the page ask for: one object over the person table, the search service and the media store.

Every method blocks; the API's threads and `asyncio.to_thread` call them.
"""

from typing import Protocol

from consumers.access.access import Access
from consumers.errors import NotSeenError, PeopleTableError, SearchUnavailableError
from consumers.indexer.people import PeopleReader, Person
from consumers.search.client import IndexStatus
from consumers.search.hits import SearchAnswer
from consumers.web.light import Standing, judge
from consumers.web.schemas import (
    CameraShape,
    HitShape,
    PeopleShape,
    PersonDetailShape,
    PersonShape,
    SearchShape,
    StatusShape,
)
from consumers.web.shaping import Questions, shape_detail, shape_person
from streamer.bus.errors import MediaStoreError
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import AskedQuestion

AT_ONCE = 200  # people in one question to the table


class Search(Protocol):
    """Finds people by words.  Raises `SearchUnavailableError` when nobody answers."""

    def search(self, text: str, k: int = 20, *, camera: str | None = None) -> SearchAnswer:
        """The `k` people nearest to `text`."""

    def status(self) -> IndexStatus:
        """How much is indexed."""


class Desk:
    """Answers what the API and the page ask.

    Raises (every method): `PeopleTableError` when the table cannot be read.
    """

    def __init__(self, search: Search, people: PeopleReader, media: MediaStore, access: Access) -> None:
        """Answer from these; searches go into the log of `access`."""
        self._search, self._people, self.media, self._access = search, people, media, access

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

    def search(self, text: str, k: int, camera: str | None = None, *, by: str) -> SearchShape:
        """The people nearest to some words; who searched for what goes into the audit log first.

        Raises:
            SearchUnavailableError: the indexer does not answer.
            DeskError: the log cannot be written.
        """
        self._access.log(by, "search", text, **({"camera": camera} if camera else {}))
        answer = self._search.search(text, k, camera=camera)
        questions = self._questions()
        hits = tuple(HitShape(score=hit.score, person=shape_person(hit.person, questions)) for hit in answer.hits)
        return SearchShape(query=text, hits=hits, unknown_words=tuple(answer.unknown_words))

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
            return judge(Standing(self._people.counts(), index, search_error=search_error))
        except PeopleTableError as error:
            return judge(Standing(table_error=str(error), search_error=search_error))

    def _questions(self) -> Questions:
        return {question.question_id: question for question in self._people.questions()}

    def _manifest(self, person: Person) -> Manifest | None:
        """The result a person stands in; None when it is gone or cannot be read, which only costs the path."""
        uri = manifest_uri(person.camera_id, person.segment_id, person.analysis_revision)
        try:
            return Manifest.model_validate_json(self.media.read(uri))
        except (MediaStoreError, ValueError):
            return None
