"""H.264 copies of clips in codecs that browsers do not play, made when somebody asks for one."""

import tempfile
import threading
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from consumers.evidence.footage import Piece, cut_clip
from streamer.bus.media import MediaStore

KEPT = 16  # copies; a few MB each
AT_ONCE = 2  # made side by side: whoever analyses footage needs the processor more
LONGEST = timedelta(hours=1)  # no segment is
BEGAN_AT = datetime(2000, 1, 1, tzinfo=UTC)  # of no account: one clip is copied from its first frame to its last


class Previews:
    """Makes copies and remembers the last ones. May be shared by threads."""

    def __init__(self, media: MediaStore) -> None:
        """Copy clips of `media`."""
        self._media, self._turns = media, threading.Semaphore(AT_ONCE)
        self.of = lru_cache(KEPT)(self._of)

    def _of(self, uri: str) -> bytes:
        """The whole clip at a media URI as an MP4 with H.264.

        Raises:
            VideoReadError: it cannot be read.
            MediaStoreError: there is no such clip.
        """
        with self._turns, self._media.as_file(uri) as path, tempfile.TemporaryDirectory(prefix="crewsight-") as folder:
            target = Path(folder) / "preview.mp4"
            cut_clip([Piece(path, BEGAN_AT)], BEGAN_AT, BEGAN_AT + LONGEST, target)
            return target.read_bytes()
