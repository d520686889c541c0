"""One video file as a source."""

from pathlib import Path

from streamer.errors import SourceError
from streamer.sources.found import FoundFile


class FileSource:
    """Offers its one file, once."""

    def __init__(self, path: Path, *, only_present: bool = False) -> None:
        """Offer the file at `path`; one that is gone meanwhile is waited for, unless `only_present`.

        Raises:
            SourceError: there is no such file.
        """
        if not path.is_file():
            raise SourceError(path, "there is no such file")
        self._path, self._only_present, self._is_waiting = path, only_present, True

    def look(self, now_s: float) -> list[FoundFile]:
        """The file, the first time that it is there; nothing after that."""
        del now_s
        found = FoundFile.at(self._path) if self._is_waiting else None
        self._is_waiting = self._is_waiting and found is None and not self._only_present
        return [found] if found is not None else []

    def again(self, path: Path) -> None:
        """Offer the file once more: it could not be read."""
        assert path == self._path
        self._is_waiting = not self._only_present

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more will come, ever."""
        return not self._is_waiting
