"""One frame of a clip, as a picture."""

from functools import lru_cache

from consumers.evidence.footage import frame_at, jpeg
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore

KEPT = 64  # pictures; some hundred kB each


class Frames:
    """Takes frames out of clips; remembers the last ones. May be shared by threads."""

    def __init__(self, media: MediaStore) -> None:
        """Read clips from `media`."""
        self._media = media
        self._kept = lru_cache(KEPT)(self._jpeg)

    def jpeg(self, uri: str, at_s: float) -> bytes:
        """The frame shown `at_s` seconds from the clip's first, as JPEG.

        Raises:
            VideoReadError: it cannot be read, or ends before that.
            MediaStoreError: there is no such clip.
        """
        self.refuse_gone(uri)
        return self._kept(uri, at_s)

    def refuse_gone(self, uri: str) -> None:
        """Return if the clip is there: of one that was erased, nothing that is remembered may be shown.

        Raises:
            MediaStoreError: there is no such clip.
        """
        if not self._media.exists(uri):
            raise MediaStoreError(uri, "is gone")

    def _jpeg(self, uri: str, at_s: float) -> bytes:
        with self._media.as_file(uri) as path:
            return jpeg(frame_at(path, at_s))
