"""Work behind the searches, in threads of their own: keeping the index fast, completing erasures, embedding anew."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator

from consumers.errors import ConsumerError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
FAILED_WAIT_S = 10.0
NICENESS = 10  # of these threads alone: searches come first
STOP_WITHIN_S = 5.0


@contextlib.contextmanager
def tended(name: str, step: Callable[[], bool]) -> Iterator[None]:
    """Call `step` again and again as long as the block runs; when it returns false there is nothing to do for now."""
    stopping = threading.Event()
    thread = threading.Thread(target=_tend, args=(step, stopping), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(STOP_WITHIN_S)  # what takes longer is harmless when it is broken off


def _tend(step: Callable[[], bool], stopping: threading.Event) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux alone gives a thread a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    while not stopping.is_set():
        try:
            if not step():
                stopping.wait(LOOK_EVERY_S)
        except ConsumerError as error:
            logger.warning("work on the index failed, it is tried again", extra={"reason": str(error)})
            stopping.wait(FAILED_WAIT_S)
