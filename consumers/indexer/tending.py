"""Keeps an index fast from a thread of its own, behind the searches."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator

from consumers.errors import VectorIndexError
from consumers.indexer.kept_index import KeptIndex

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
NICENESS = 10  # of this thread alone: searches come first
STOP_WITHIN_S = 5.0


@contextlib.contextmanager
def tended(index: KeptIndex) -> Iterator[None]:
    """Tend `index` as long as the block runs."""
    stopping = threading.Event()
    thread = threading.Thread(target=_tend, args=(index, stopping), name="tending", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(STOP_WITHIN_S)  # a list that is being fitted ends by itself; it is not worth waiting for


def _tend(index: KeptIndex, stopping: threading.Event) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux alone gives a thread a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    while not stopping.is_set():
        try:
            if not index.tend():
                stopping.wait(LOOK_EVERY_S)
        except VectorIndexError as error:
            logger.warning("the index cannot be tended", extra={"reason": str(error)})
            stopping.wait(LOOK_EVERY_S * 40)
