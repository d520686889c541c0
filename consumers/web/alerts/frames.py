"""One frame of a clip, as a picture."""

import io
import math
from functools import lru_cache
from pathlib import Path

import av
from av.error import FFmpegError

from consumers.errors import VideoReadError
from streamer.bus.media import MediaStore

KEPT = 64  # pictures; some hundred kB each
QUALITY = 88


class Frames:
    """Takes frames out of clips; remembers the last ones. May be shared by threads."""

    def __init__(self, media: MediaStore) -> None:
        """Read clips from `media`."""
        self._media = media
        self.jpeg = lru_cache(KEPT)(self._jpeg)

    def _jpeg(self, uri: str, at_s: float) -> bytes:
        """The frame shown `at_s` seconds from the clip's first, as JPEG.

        Raises:
            VideoReadError: it cannot be read, or ends before that.
            MediaStoreError: there is no such clip.
        """
        with self._media.open(uri) as file:
            try:
                with av.open(file) as container:
                    return _encoded(_frame_at(container, at_s, uri))
            except FFmpegError as error:
                raise VideoReadError(Path(uri), str(error)) from error


def _frame_at(container: "av.container.InputContainer", at_s: float, uri: str) -> av.VideoFrame:
    stream = container.streams.video[0]
    assert stream.time_base is not None
    start = stream.start_time or 0
    wanted = start + math.floor(at_s / stream.time_base)
    container.seek(max(start, wanted), stream=stream)  # to the keyframe before
    shown = None
    for frame in container.decode(stream):
        if shown is not None and frame.pts is not None and frame.pts > wanted:
            break
        shown = frame
    if shown is None:
        raise VideoReadError(Path(uri), f"has no frame at {at_s:.2f} s")
    return shown


def _encoded(frame: av.VideoFrame) -> bytes:
    picture = io.BytesIO()
    frame.to_image().save(picture, "JPEG", quality=QUALITY)
    return picture.getvalue()
