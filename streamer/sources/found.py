"""A file that a source offers."""

import time
from dataclasses import dataclass, field
from pathlib import Path


def shown_path(path: Path) -> str:
    r"""The path as one line that can be stored and sent: what is no UTF-8 in it, and no letter, is an escape.

    >>> import os
    >>> print(shown_path(Path(os.fsdecode(b"caf\xe9\n\xc3\xa9.mp4"))))
    caf\udce9\né.mp4
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(path))


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it was when it was looked at; two looks at an unchanged file are equal."""

    path: Path
    size_bytes: int
    mtime_ns: int
    age_s: float = field(compare=False)  # since its last modification, when it was looked at

    @classmethod
    def at(cls, path: Path) -> "FoundFile | None":
        """The file at `path`; None when it is gone, or no file."""
        try:
            status = path.stat()
        except OSError:
            return None
        if not path.is_file():
            return None
        return cls(path, status.st_size, status.st_mtime_ns, time.time() - status.st_mtime)
