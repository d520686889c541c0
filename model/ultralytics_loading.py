"""Ultralytics, loaded without what it does to Pillow and to standard output.

Loading it replaces `PIL.Image.open` by a function that, given anything Pillow cannot identify, tries to install a
reader of HEIC with pip and fails with an ImportError. Nobody who opens a picture should meet that. And its log goes to
standard output, where `crewsight analyze` writes JSON: the first time on a machine, it greets the user there.
"""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image


@contextmanager
def ultralytics_tamed() -> Iterator[None]:
    """For a block that imports Ultralytics: Pillow opens pictures as before, and it logs to standard error for good."""
    opens = Image.open
    try:
        with contextlib.redirect_stdout(sys.stderr):  # its handler keeps the stream that it finds
            yield
    finally:
        Image.open = opens
