"""A file that a source offers."""

import time
from dataclasses import dataclass, field
from pathlib import Path


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
