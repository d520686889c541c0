"""One video file as a source."""

from pathlib import Path

from streamer.errors import SourceError
from streamer.sources.found import FoundFile


class FileSource:
    """Offers its one file, once."""

    def __init__(self, path: Path) -> None:
        """Offer the file at `path`.

        Raises:
            SourceError: there is no such file.
        """
        if not path.is_file():
            raise SourceError(path, "there is no such file")
        self._waiting: list[Path] = [path]

    def look(self, now_s: float) -> list[FoundFile]:
        """The file, the first time; nothing after that."""
        del now_s
        waiting, self._waiting = self._waiting, []
        return [found for path in waiting if (found := FoundFile.at(path))]

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more will come, ever."""
        return not self._waiting
