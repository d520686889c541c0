"""Ultralytics, loaded without what it does to Pillow.

Loading it replaces `PIL.Image.open` by a function that, given anything Pillow cannot identify, tries to install a
reader of HEIC with pip and fails with an ImportError. Nobody who opens a picture should meet that.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image


@contextmanager
def pillow_kept() -> Iterator[None]:
    """For a block that imports Ultralytics: afterwards Pillow opens pictures as it did before."""
    opens = Image.open
    try:
        yield
    finally:
        Image.open = opens
