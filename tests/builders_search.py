"""A person table, an index and a service over them with a real, tiny model, for tests of searches."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from consumers.indexer.catching_up import catch_up
from consumers.indexer.local_index import LocalIndex
from consumers.indexer.people import Links, PeopleReader, PeopleTable
from consumers.indexer.rows import Person
from consumers.indexer.service import create_service, served
from consumers.listening import listen
from consumers.search.client import IndexStatus, SearchClient
from consumers.search.described import Descriptions
from consumers.search.filters import EVERYONE, PeopleFilter
from consumers.search.finding import Finder
from consumers.search.hits import NO_REASON, AlsoSeen, FoundPeople, Why
from consumers.search.query import By, SearchQuery
from consumers.search.towers import ModelTowers
from model.humanvlm import HumanVLM
from model.questions import CANNOT_TELL, Question
from streamer.bus.messages import AskedQuestion
from tests.builders_consumers import NOON, a_manifest, a_segment, walking
from tests.builders_model import tiny_humanvlm

BOX = (10.0, 20.0, 60.0, 170.0)
HAT = Question("predicate", "Is this person wearing a hard hat?")
COLOUR = Question("choice", "What colour is the hard hat?", ("yellow", "white", "none"))
Answers = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Seen:
    """Somebody whom a test wants to be found: their place is that of the words `looks`."""

    looks: str
    caption: str = "a person"
    camera: str = "gate"
    at: datetime = NOON
    hat: str | None = None
    colour: str | None = None

    @property
    def answers(self) -> Answers:
        given = {HAT: self.hat, COLOUR: self.colour}
        return {q.question_id: sure(q, answer) for q, answer in given.items() if answer is not None}


def sure(question: Question, answer: str, probability: float = 0.9) -> dict[str, float]:
    """An answer with that probability, the rest shared by the others."""
    others = [one for one in (*question.answers, CANNOT_TELL) if one != answer]
    return {**dict.fromkeys(others, (1 - probability) / len(others)), answer: probability}


@dataclass(frozen=True, slots=True)
class Hit:
    """Someone found; `score` orders the hits of one search and means nothing beside another's."""

    person: Person
    score: float
    why: Why = NO_REASON

    @property
    def person_id(self) -> str:
        """Who."""
        return self.person.person_id


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """People, best first, the words of the query that the model never learnt, and the next page's cursor."""

    hits: tuple[Hit, ...]
    unknown_words: tuple[str, ...] = ()
    next: str | None = None  # none: there is nobody more


class PeopleSearch:
    """Finds people; may be shared by threads.

    Raises: what `SearchClient` raises, and `PeopleTableError` when the table cannot be read.
    """

    def __init__(self, client: SearchClient, people: PeopleReader) -> None:
        """Ask `client` who is found, and read `people`."""
        self._client, self._people = client, people

    def search(self, query: SearchQuery) -> SearchAnswer:
        """One page of who is found; whoever was erased a moment ago is left out."""
        answer = self._client.find(query)
        people = self._people.by_key([one.key for one in answer.found])
        hits = tuple(Hit(people[one.key], one.score, one.why) for one in answer.found if one.key in people)
        return SearchAnswer(hits, answer.unknown_words, answer.next)

    def find(self, query: SearchQuery) -> FoundPeople:
        """One page of who is found, by their keys alone."""
        return self._client.find(query)

    def elsewhere(self, person_id: str, k: int) -> Sequence[AlsoSeen]:
        """Other chains that may be the same person as somebody."""
        return self._client.elsewhere(person_id, k)

    def status(self) -> IndexStatus:
        """How much is indexed."""
        return self._client.status()


class Searched:
    """What a test searches."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.model = tiny_humanvlm(folder / "vlm")
        self.tower = HumanVLM.load_text(self.model)
        self.table = PeopleTable(database_url or f"sqlite:///{folder / 'people.sqlite3'}")
        self.index = LocalIndex(folder / "index")
        towers = ModelTowers(self.tower, str(self.model))
        descriptions = Descriptions(self.table.text, self.index)
        self.finder = Finder(self.index, towers, descriptions, self.table)
        self._segments = 0

    def enter(self, *people: Seen) -> list[str]:
        """Their person ids."""
        return [self._enter(one) for one in people]

    def captions(self, words: str = "", wanted: PeopleFilter = EVERYONE, *, by: By = By.BOTH, k: int = 10) -> list[str]:
        """The captions of who is found, best first."""
        found = self.finder.find(SearchQuery(words, by=by, filter=wanted, k=k)).found
        people = self.table.by_key([one.key for one in found])
        return [people[one.key].caption for one in found]

    @contextmanager
    def served(self) -> Iterator[tuple[SearchClient, PeopleSearch]]:
        """Asked over a real socket."""
        listening = listen("127.0.0.1", 0, setting="search")
        client = SearchClient(f"http://127.0.0.1:{listening.getsockname()[1]}")
        with served(create_service(self.finder, self.table, self.index), listening):
            yield client, PeopleSearch(client, self.table)
        client.close()

    def _enter(self, seen: Seen) -> str:
        self._segments += 1
        segment = a_segment(f"s{self._segments}", camera_id=seen.camera, started_at=seen.at)
        person = walking(segment, 1, [(0.0, BOX), (4.0, BOX)], caption=seen.caption)
        person = person.model_copy(update={"answers": seen.answers})
        manifest = a_manifest(segment, [person])
        revisions = manifest.revisions.model_copy(update={"embedding_space": self.tower.embedding_space})
        asked = tuple(
            AskedQuestion(question_id=q.question_id, kind=q.kind, text=q.text, answers=q.answers) for q in (HAT, COLOUR)
        )
        manifest = manifest.model_copy(update={"revisions": revisions, "questions": asked})
        embedding = {person.person_id: self.tower.embed_text(seen.looks).vector.astype("<f2").tobytes()}
        self.table.record(manifest, "media:///m", Links({}, {}), embedding)
        catch_up(self.index, self.table)
        return person.person_id


def later(seconds: float) -> datetime:
    """An instant after noon."""
    return NOON + timedelta(seconds=seconds)
