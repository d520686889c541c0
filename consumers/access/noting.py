"""Lines of the audit log that are written together: a search is noted without waiting for the disk.

A line is durable within half a second, and before the process ends. While the log cannot be written, nothing more is
noted: whoever wants to note is told, and does not do what would have been noted.
"""

import logging
import threading
import time

from consumers.access.audit import Line, note_acts
from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import DeskError

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 0.5
MOST_WAITING = 1000  # lines; whoever brings one more waits for the disk


class Noting:
    """Gathers lines and writes them; may be shared by threads."""

    def __init__(self, desk: DeskDatabase, *, every_s: float = WRITE_EVERY_S) -> None:
        """Write into the log of `desk`, from a thread that lives as long as there are lines."""
        self._desk, self._every_s = desk, every_s
        self._waiting: list[Line] = []
        self._has_failed = False
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # one batch at a time, or a failed one would come back out of order
        self._writer: threading.Thread | None = None

    def note(self, line: Line) -> None:
        """Add a line.

        Raises:
            DeskError: The log cannot be written; the line is not in it.
        """
        if self._has_failed:
            self.write()
        with self._lock:
            self._waiting.append(line)
            is_full = len(self._waiting) >= MOST_WAITING
            if self._writer is None:
                self._writer = threading.Thread(target=self._keep_writing, name="audit", daemon=True)
                self._writer.start()
        if is_full:
            self.write()

    def write(self) -> None:
        """Make durable every line that waits.

        Raises:
            DeskError: The log cannot be written; the lines wait on.
        """
        with self._writing:
            with self._lock:
                lines, self._waiting = self._waiting, []
            if not lines:
                return
            try:
                with self._desk.writing() as session:
                    note_acts(session, lines)
            except DeskError:
                with self._lock:
                    self._waiting = lines + self._waiting
                self._has_failed = True
                raise
            self._has_failed = False

    def _keep_writing(self) -> None:
        while True:
            time.sleep(self._every_s)
            try:
                self.write()
            except DeskError as error:
                logger.warning("the audit log cannot be written", extra={"reason": error.reason})
            with self._lock:
                if not self._waiting:
                    self._writer = None
                    return
