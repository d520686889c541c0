"""A folder whose videos belong to one camera, watched while the streamer runs."""

from pathlib import Path

from streamer.errors import SourceError
from streamer.sources.found import FoundFile

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".h264", ".hevc", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ts", ".webm", ".wmv"}
)


class FolderSource:
    """Offers each video once it rests: a file that still grows is somebody's unfinished recording or copy.

    The clock is the caller's: `look` is told what time it is.
    """

    def __init__(self, folder: Path, *, rest_s: float, only_present: bool = False) -> None:
        """Watch `folder`, not the folders in it.

        Args:
            folder: what to watch.
            rest_s: how long size and modification time must stay the same.
            only_present: offer what lies there at the first look and rests, then nothing more.

        Raises:
            SourceError: there is no such folder.
        """
        if not folder.is_dir():
            raise SourceError(folder, "there is no such folder")
        self._folder, self._rest_s, self._only_present = folder, rest_s, only_present
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
        try:
            paths = [path for path in self._folder.iterdir() if _is_video(path)]
        except OSError:
            return []  # a share that is away for a moment
        return [found for path in paths if (found := FoundFile.at(path))]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
