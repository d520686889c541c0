"""Everything the streamer raises on purpose.

* StreamerError           the base of all
  * SourceError           a configured source that is not there
  * FootageReadError      a file that cannot be read as what it should be
    * VideoReadError      a file that is no video, or none that can be read
    * PictureReadError    a file that is no picture, or none that can be read
  * LedgerError           the ledger cannot be opened, read or written
  * WorkFolderError       this machine's disk takes no segment
  * CameraError           a camera that gives no usable stream
    * CameraRefusedError  a camera that does not let us in, or has no such stream
  * DemoFootageError      the packaged pictures for the demo footage are missing
"""

from pathlib import Path


class StreamerError(Exception):
    """The base of everything `streamer` raises on purpose."""


class SourceError(StreamerError):
    """A configured source that is not there."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # every argument, or it cannot cross a process boundary
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"source {self.path}: {self.reason}; correct `sources` in the settings file"


class FootageReadError(StreamerError):
    """A file that cannot be read as what it should be."""

    kind = "file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot read {self.kind} {self.path}: {self.reason}"


class VideoReadError(FootageReadError):
    """A file that is no video, or none that can be read."""

    kind = "video"


class PictureReadError(FootageReadError):
    """A file that is no picture, or none that can be read."""

    kind = "picture"


class LedgerError(StreamerError):
    """The ledger cannot be opened, read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot use the ledger {self.path}: {self.reason}; is state.folder writable?"


class WorkFolderError(StreamerError):
    """This machine's disk takes no segment, of whatever file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot write segments into {self.path}: {self.reason}; make room, or choose another state.folder"


class CameraError(StreamerError):
    """A camera that gives no usable stream; never shows a secret."""

    def __init__(self, camera_id: str, shown_url: str, reason: str) -> None:
        super().__init__(camera_id, shown_url, reason)
        self.camera_id, self.shown_url, self.reason = camera_id, shown_url, reason

    def __str__(self) -> str:
        return f"camera {self.camera_id} at {self.shown_url}: {self.reason}"


class CameraRefusedError(CameraError):
    """A camera that does not let us in, or has no such stream: trying again soon would lock it."""


class DemoFootageError(StreamerError):
    """The packaged pictures that the demo footage is made from are missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot make demo footage: {self.reason}"
