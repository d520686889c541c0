"""The topics, each paired with the one message that travels on it. Pure."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from streamer.bus.camera_report import CamerasReport
from streamer.bus.errors import MessageError
from streamer.bus.faults import first_fault
from streamer.bus.messages import Message, QuestionSet, Rejected, SegmentAnalyzed, SegmentReady

M = TypeVar("M", bound=Message)

INCARNATION = "incarnation"  # its first record names this broker's memory; see `streamer.bus.incarnation`


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """A topic's name and its one message class.

    A topic with a `key` is compacted and has one partition: all its messages carry that key, the broker keeps the last.
    """

    name: str
    message: type[M]
    key: bytes | None = None

    def encode(self, message: M) -> bytes:
        """The bytes that travel."""
        return message.model_dump_json(exclude_none=True).encode()

    def decode(self, payload: bytes | None) -> M:
        """The message that the bytes hold.

        Raises:
            MessageError: the bytes are not this topic's message; the reason names the field.
        """
        if payload is None:
            raise MessageError(self.name, "it has no bytes at all")
        try:
            return self.message.model_validate_json(payload)
        except ValidationError as error:
            raise MessageError(self.name, _first_reason(error)) from error


SEGMENTS: Topic[SegmentReady] = Topic("segments", SegmentReady)
PEOPLE: Topic[SegmentAnalyzed] = Topic("people", SegmentAnalyzed)
DEAD_LETTERS: Topic[Rejected] = Topic("dead-letters", Rejected)
QUESTIONS: Topic[QuestionSet] = Topic("questions", QuestionSet, key=b"in force")
CAMERAS: Topic[CamerasReport] = Topic("cameras", CamerasReport, key=b"now")

# Those without a key have one partition count: a camera keeps its number in each.
ALL: tuple[Topic[Any], ...] = (SEGMENTS, PEOPLE, DEAD_LETTERS, QUESTIONS, CAMERAS)


def _first_reason(error: ValidationError) -> str:
    at, reason = first_fault(error)
    place = ".".join(str(part) for part in at)
    return f"{place}: {reason}" if place else reason
