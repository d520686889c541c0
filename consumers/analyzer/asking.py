"""Which questions a segment is asked: decided once for each segment, by whoever takes it first.

The questions in force change while segments wait, are repeated and are worked on by several analyzers at once. Each
segment's set is therefore written down, exclusively, before anyone looks at the segment; every later delivery and the
loser of a race read it there. So a segment has one result by one set of models, whatever is in force by then.
"""

from typing import Protocol

from pydantic import ValidationError

from consumers.analyzer.eyes import Eyes
from consumers.questions import question_set, questions_of
from model.questions import Question
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore, asked_uri
from streamer.bus.messages import QuestionSet, Rejected, SegmentReady


class QuestionSource(Protocol):
    """Where questions come from that a model does not bring itself."""

    questions: tuple[Question, ...]

    def look(self, incarnation: str) -> list[Rejected]:
        """Bring `questions` up to date; returns the dead letters of sets that cannot be asked."""


class NoMoreQuestions:
    """Only the model's own."""

    questions: tuple[Question, ...] = ()

    def look(self, incarnation: str) -> list[Rejected]:
        """Nothing to read."""
        del incarnation
        return []


class AskedOnce:
    """The eyes for each segment.

    Raises (from `eyes_for`): `MediaStoreError`: the store cannot be read or written, or holds something else there.
    """

    def __init__(self, eyes: Eyes, store: MediaStore, source: QuestionSource) -> None:
        """Ask what `eyes` ask by themselves, and what `source` adds."""
        self._eyes, self._store, self._source = eyes, store, source
        self._models_revision = eyes.models_revision
        self._made: dict[tuple[Question, ...], Eyes] = {}

    def look(self, incarnation: str) -> list[Rejected]:
        """Take what is in force now, for segments that nobody has taken yet."""
        return self._source.look(incarnation)

    def eyes_for(self, ready: SegmentReady) -> Eyes:
        """The eyes with the questions that this segment is asked."""
        uri = asked_uri(ready.camera_id, ready.segment_id, self._models_revision)
        if not self._store.exists(uri):
            added = question_set(self._source.questions)
            if self._store.write_once(uri, added.model_dump_json().encode()):
                return self._asking(self._source.questions)
        return self._asking(_read(self._store, uri))

    def _asking(self, added: tuple[Question, ...]) -> Eyes:
        if added not in self._made:
            self._made[added] = self._eyes.asking_also(added)
        return self._made[added]


def _read(store: MediaStore, uri: str) -> tuple[Question, ...]:
    try:
        return questions_of(QuestionSet.model_validate_json(store.read(uri)))
    except (ValidationError, ValueError) as error:
        raise MediaStoreError(uri, "no set of questions; remove the file to have the segment asked anew") from error
