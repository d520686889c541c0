"""A folder whose videos and pictures belong to one camera, watched while the streamer runs."""

import os
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import SourceError
from streamer.pictures import is_picture
from streamer.sources.found import FoundFile

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".h264", ".hevc", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ts", ".webm", ".wmv"}
)


class FolderSource:
    """Offers each video and picture once it rests: a file that still grows is somebody's unfinished recording or copy.

    The clock is the caller's: `look` is told what time it is.
    """

    def __init__(
        self, folder: Path, *, rest_s: float, only_present: bool = False, with_subfolders: bool = False
    ) -> None:
        """Watch `folder`.

        Args:
            folder: what to watch.
            rest_s: how long size and modification time must stay the same.
            only_present: offer what lies there at the first look and rests, then nothing more.
            with_subfolders: watch the folders in it too, but no hidden ones and no links to folders.

        Raises:
            SourceError: there is no such folder.
        """
        if not folder.is_dir():
            raise SourceError(folder, "there is no such folder")
        self._folder, self._rest_s, self._only_present = folder, rest_s, only_present
        self._with_subfolders = with_subfolders
        self._resting: dict[Path, tuple[FoundFile, float]] = {}  # the file as it is, and since when
        self._offered: dict[Path, FoundFile] = {}
        self._has_looked = False

    def look(self, now_s: float) -> list[FoundFile]:
        """The files that have come to rest since the last look, oldest first; one that changed is offered again."""
        present = {found.path: found for found in self._present()}
        if self._only_present and self._has_looked:
            present = {path: found for path, found in present.items() if path in self._resting or path in self._offered}
        self._has_looked = True
        self._resting = {
            path: self._since(found, now_s) for path, found in present.items() if self._offered.get(path) != found
        }
        ready = [found for found, since_s in self._resting.values() if self._rests(found, now_s - since_s)]
        for found in ready:
            del self._resting[found.path]
            self._offered[found.path] = found
        return sorted(ready, key=lambda found: (found.mtime_ns, found.path))

    def again(self, path: Path) -> None:
        """Offer the file at `path` once more when it is there: it could not be read."""
        self._offered.pop(path, None)

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more will come, ever."""
        return self._only_present and self._has_looked and not self._resting

    def _rests(self, found: FoundFile, unchanged_s: float) -> bool:
        # A long rest that began before we came counts where nothing will be looked at twice; elsewhere it does not:
        # a copy may carry its original's old time while it still grows.
        return unchanged_s >= self._rest_s or (self._only_present and found.age_s >= self._rest_s)

    def _since(self, found: FoundFile, now_s: float) -> tuple[FoundFile, float]:
        before = self._resting.get(found.path)
        return before if before is not None and before[0] == found else (found, now_s)

    def _present(self) -> list[FoundFile]:
        # A share that is away for a moment, or a folder closed to us, is empty: os.walk says nothing of it.
        return [found for path in self._paths() if (found := FoundFile.at(path))]

    def _paths(self) -> Iterator[Path]:
        for folder, inner, names in os.walk(self._folder):
            inner[:] = [name for name in inner if self._with_subfolders and not name.startswith(".")]
            yield from (path for path in (Path(folder, name) for name in names) if _is_footage(path))


def _is_footage(path: Path) -> bool:
    is_known = path.suffix.lower() in VIDEO_SUFFIXES or is_picture(path)
    return is_known and not path.name.startswith(".")
