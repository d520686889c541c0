"""The questions that the rules in force ask, on their way from the rules to the analyzers.

Whoever keeps the rules publishes the whole set whenever it changes, at every start, and to every new broker; analyzers
read the topic from its beginning, and the last set that fits takes the place of those before.
"""

import logging
import time
from collections.abc import Iterable

from model.questions import Question
from streamer.bus.client import Bus, Received, Unreadable
from streamer.bus.identity import revision_of
from streamer.bus.latest import LatestReader
from streamer.bus.messages import AskedQuestion, QuestionSet, Rejected
from streamer.bus.topics import QUESTIONS

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # a look costs up to 20 ms; a batch of segments takes about as long as this
MOST_QUESTIONS = 200  # each one more is more work for every look at everyone


def question_set(questions: Iterable[Question]) -> QuestionSet:
    """The set of some questions, each once, in an order of its own.

    >>> hat, vest = Question("predicate", "A hat?"), Question("predicate", "A vest?")
    >>> question_set([hat, vest, hat]) == question_set([vest, hat])
    True
    """
    by_id = {question.question_id: question for question in questions}
    asked = tuple(asked_question(by_id[name]) for name in sorted(by_id))
    return QuestionSet(revision=revision_of(*sorted(by_id)), questions=asked)


def asked_question(question: Question) -> AskedQuestion:
    """A question as messages and manifests state it."""
    return AskedQuestion(
        question_id=question.question_id, kind=question.kind, text=question.text, answers=question.answers
    )


def publish_questions(bus: Bus, questions: QuestionSet) -> None:
    """Put a set in force for every analyzer, whether it runs already or not.

    Raises:
        BrokerUnreachableError: No broker took it in time.
        MessageError: It is larger than a message may be.
    """
    publisher = bus.publisher()
    try:
        publisher.publish(QUESTIONS, questions, partition=0)
        publisher.flush()
    finally:
        publisher.close()


def questions_of(stated: QuestionSet) -> tuple[Question, ...]:
    """The questions that a set states.

    Raises:
        ValueError: One of them cannot be asked; says which and why.

    >>> questions_of(question_set([Question("predicate", "A hat?")]))
    (Question(kind='predicate', text='A hat?', answers=('yes', 'no')),)
    """
    if len(stated.questions) > MOST_QUESTIONS:
        raise ValueError(f"{len(stated.questions)} questions, expected at most {MOST_QUESTIONS}")
    return tuple(_question(asked) for asked in stated.questions)


def _question(asked: AskedQuestion) -> Question:
    question = Question(asked.kind, asked.text, asked.answers)
    if not asked.text.strip():
        raise ValueError(f"question {asked.question_id} has no text")
    if asked.kind == "predicate" and asked.answers != ("yes", "no"):
        raise ValueError(f"{asked.text!r} is a predicate, expected the answers yes and no, got {asked.answers}")
    if len(set(asked.answers)) < max(2, len(asked.answers)) or not all(a.strip() for a in asked.answers):
        raise ValueError(f"{asked.text!r} needs two or more different answers, got {asked.answers}")
    if question.question_id != asked.question_id:
        raise ValueError(f"{asked.text!r} is called {asked.question_id}, expected {question.question_id}")
    return question


class QuestionsInForce:
    """What is to be asked beside a model's own questions, as the topic says it; belongs to one thread.

    A set that cannot be asked leaves the one before in force. So does a broker that has lost its memory, until somebody
    publishes to the new one.
    """

    def __init__(self, reader: LatestReader[QuestionSet], *, look_every_s: float = LOOK_EVERY_S) -> None:
        """Read from `reader`, at most every `look_every_s` seconds."""
        self._reader, self._look_every_s = reader, look_every_s
        self._incarnation: str | None = None
        self._looked_at_s = 0.0
        self.questions: tuple[Question, ...] = ()

    def look(self, incarnation: str) -> list[Rejected]:
        """Bring `questions` up to date; returns the dead letters of sets that cannot be asked."""
        now_s = time.monotonic()
        if incarnation == self._incarnation and now_s - self._looked_at_s < self._look_every_s:
            return []
        refused = [rejected for arrived in self._reader.arrived(incarnation) if (rejected := self._take(arrived))]
        self._incarnation, self._looked_at_s = incarnation, time.monotonic()
        return refused

    def _take(self, arrived: Received[QuestionSet] | Unreadable) -> Rejected | None:
        if isinstance(arrived, Unreadable):
            return arrived.rejected()
        try:
            self.questions = questions_of(arrived.message)
        except ValueError as error:
            logger.warning("questions refused", extra={"offset": arrived.offset, "reason": str(error)})
            return arrived.rejected(f"these questions cannot be asked: {error}")
        revision = arrived.message.revision
        logger.info("questions in force", extra={"revision": revision, "count": len(self.questions)})
        return None
