"""How every process logs: one line an event on standard error, the facts behind the words, for people or for machines.

Facts are what a call passes as `extra`, and what `about` says of the work in hand, such as the camera and the segment.
Whatever line comes out, addresses in it have lost their user and password: the last defence, not the first.
"""

import contextvars
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

Form = Literal["auto", "console", "json"]

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRETS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s\"']*@", re.IGNORECASE), r"\1***@"),
    (re.compile(r"([?&](?:[a-z_-]*(?:password|passwd|token|secret|key))=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\bBearer\s+)[\w.~+/=-]+", re.IGNORECASE), r"\1***"),
)
_about: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("about", default={})  # noqa: B039 — replaced, never changed


@contextmanager
def about(**facts: str | None) -> Iterator[None]:
    """Say what every event within the block, in this thread or task, is about: camera_id, segment_id, person_id."""
    token = _about.set({**_about.get(), **{name: value for name, value in facts.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


def redacted(text: str) -> str:
    """The text without users and passwords in addresses, keys in queries, and bearer tokens.

    >>> redacted("cannot open rtsp://admin:pw@10.0.0.7/h264?key=abc")
    'cannot open rtsp://***@10.0.0.7/h264?key=***'
    """
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text


class FactsFormatter(logging.Formatter):
    """`time LEVEL logger: text key=value …`, times in UTC."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 — the library's name
        """The record's time, UTC."""
        return f"{datetime.fromtimestamp(record.created, UTC):{datefmt or '%Y-%m-%dT%H:%M:%SZ'}}"

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, with its facts behind it."""
        facts = " ".join(f"{key}={value}" for key, value in facts_of(record).items())
        text = super().format(record)
        return redacted(f"{text} {facts}" if facts else text)


class MachineFormatter(JsonFormatter):
    """One JSON object a line: time, level, logger, process, message, and the facts by their names."""

    def __init__(self, process: str) -> None:
        super().__init__(json_ensure_ascii=False)
        self._process = process

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put our own fields first."""
        log_data["time"] = f"{datetime.fromtimestamp(record.created, UTC).isoformat(timespec='milliseconds')}"
        log_data["level"], log_data["logger"] = record.levelname, record.name
        if self._process:
            log_data["process"] = self._process
        super().add_fields(log_data, record, message_dict)
        log_data.update(facts_of(record))

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        return redacted(str(super().format(record)))


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What is known beside the words: of the work in hand, and what the call passed, which wins."""
    passed = {key: value for key, value in vars(record).items() if key not in _PLAIN}
    return {**_about.get(), **passed}


def configure_logging(level: int = logging.INFO, *, form: Form = "auto", process: str = "") -> None:
    """Send every logger of this process to standard error.

    Args:
        level: Events below it are left out.
        form: For people, or one JSON object a line; auto: for people on a terminal, else JSON.
        process: What JSON calls this process.
    """
    is_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MachineFormatter(process) if is_json else FactsFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it narrates every reconnect; the bus tells what matters
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it narrates every plugin that it sets up
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it narrates which of its builds it did not find
