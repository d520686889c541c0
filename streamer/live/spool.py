"""Finished live segments on this machine's disk, until the media store has them.

Each is a video, and beside it what is told of it until the ledger knows it: so a kill at any moment loses no segment
that was finished. Cameras write here and nowhere else, and no server can keep them from reading on.
"""

import logging
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from streamer.bus.errors import MediaStoreError
from streamer.live.state import LiveSegment

logger = logging.getLogger(__name__)

SEGMENT = TypeAdapter(LiveSegment)


class Spool:
    """One folder that is ours alone; may be used from several threads.

    Raises (every method): `MediaStoreError` naming the folder and what its disk said.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when missing, on the disk where cameras write their files."""
        self._folder = folder

    def keep(self, segment: LiveSegment, video: Path) -> None:
        """Take over the finished file `video`; from then on the segment survives a kill."""
        told = self._told(segment.ready.segment_id)
        written = told.with_suffix(".writing")
        with self._disk():
            self._folder.mkdir(parents=True, exist_ok=True)
            video.replace(self.path(segment.ready.segment_id))
            written.write_bytes(SEGMENT.dump_json(segment))
            written.replace(told)

    def path(self, segment_id: str) -> Path:
        """Where the segment's video lies, as long as it is kept."""
        return self._folder / f"{segment_id}.mp4"

    def entered(self, segment_id: str) -> None:
        """Note that the ledger knows what is told of the segment."""
        with self._disk():
            self._told(segment_id).unlink(missing_ok=True)

    def drop(self, segment_id: str) -> None:
        """Delete the segment's video; none there is no error."""
        with self._disk():
            self.path(segment_id).unlink(missing_ok=True)

    def unentered(self) -> list[LiveSegment]:
        """What a streamer before us kept and did not live to enter, in the order of time."""
        found: list[LiveSegment] = []
        with self._disk():
            for told in self._folder.glob("*.json"):
                try:
                    found.append(SEGMENT.validate_json(told.read_bytes()))
                except ValidationError:  # torn by a power cut: its time becomes part of the restart's gap
                    logger.warning("what was told of a segment cannot be read", extra={"segment_id": told.stem})
        return sorted(found, key=lambda segment: segment.ready.started_at)

    def clean(self, wanted: Set[str]) -> None:
        """Delete everything but the videos of the `wanted` segments."""
        with self._disk():
            for path in self._folder.glob("*"):
                if path.suffix != ".mp4" or path.stem not in wanted:
                    path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """How much room the disk has left."""
        with self._disk():
            self._folder.mkdir(parents=True, exist_ok=True)
            return shutil.disk_usage(self._folder).free

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MediaStoreError(str(self._folder), error.strerror or str(error)) from error

    def _told(self, segment_id: str) -> Path:
        return self._folder / f"{segment_id}.json"
