"""How every process logs: one line an event on standard error, the facts behind the words."""

import logging
import sys
from datetime import UTC, datetime

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FactsFormatter(logging.Formatter):
    """`time LEVEL logger: text key=value …`, times in UTC."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 — the library's name
        """The record's time, UTC."""
        return f"{datetime.fromtimestamp(record.created, UTC):{datefmt or '%Y-%m-%dT%H:%M:%SZ'}}"

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, with what was passed as `extra` behind it."""
        facts = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _PLAIN)
        text = super().format(record)
        return f"{text} {facts}" if facts else text


def configure_logging(level: int = logging.INFO) -> None:
    """Send every logger of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactsFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it narrates every reconnect; the bus tells what matters
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it narrates every plugin that it sets up
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it narrates which of its builds it did not find
