"""Which cameras are watched: follows the cameras file while it changes."""

import logging
import queue
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from streamer.bus.camera_file import CameraFile, CameraSpec
from streamer.bus.errors import CameraFileError
from streamer.bus.settings import Live
from streamer.live.camera import LiveCamera
from streamer.live.spool import Spool
from streamer.live.state import Told

logger = logging.getLogger(__name__)


class Roster:
    """The cameras of one file, each in its thread; belongs to one thread itself."""

    def __init__(
        self,
        file: CameraFile,
        live: Live,
        *,
        spool: Spool,
        work_folder: Path,
        outbox: "queue.SimpleQueue[Told]",
        last_end: Callable[[str], datetime | None],
    ) -> None:
        """Watch the cameras of `file` as `live` says.

        Args:
            file: The cameras.
            live: How they are watched.
            spool: Where finished segments go.
            work_folder: A folder of ours for unfinished files.
            outbox: Where cameras put what they made.
            last_end: Where a camera's footage ended when it was last watched.
        """
        self._file, self._live, self._spool, self._work_folder = file, live, spool, work_folder
        self._outbox, self._last_end = outbox, last_end
        self._stamp: object = ()  # unlike any
        self._wanted: dict[str, CameraSpec] = {}
        self._watched: dict[str, LiveCamera] = {}
        self._leaving: list[LiveCamera] = []
        self.fault: str | None = None
        shutil.rmtree(work_folder, ignore_errors=True)

    @property
    def cameras(self) -> list[LiveCamera]:
        """The cameras that are watched, in the file's order."""
        return [self._watched[name] for name in self._wanted if name in self._watched]

    def follow(self) -> None:
        """Start what is new, stop what is gone, and both for what changed.

        A file that cannot be read changes nothing: the cameras go on as they are, and `fault` says why.
        """
        stamp = self._file.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._read()
        for name, camera in list(self._watched.items()):
            if self._wanted.get(name) != camera.spec:
                logger.info("camera is not watched any more", extra={"camera_id": name, "url": camera.spec.shown_url})
                camera.stop()
                self._leaving.append(self._watched.pop(name))
        self._leaving = [camera for camera in self._leaving if camera.is_alive]
        busy = {camera.spec.camera for camera in self._leaving}
        for name, spec in self._wanted.items():
            if name not in self._watched and name not in busy:
                self._watched[name] = self._started(spec)

    def close(self, timeout_s: float) -> None:
        """Stop all; those that hang in the network are left behind after `timeout_s`."""
        leaving = [*self._watched.values(), *self._leaving]
        for camera in leaving:
            camera.stop()
        share_s = timeout_s / max(1, len(leaving))
        for camera in leaving:
            camera.join(share_s if camera.is_alive else 0)

    def _read(self) -> None:
        try:
            self._wanted = {spec.camera: spec for spec in self._file.read() if spec.is_enabled}
            self.fault = None
        except CameraFileError as error:
            self.fault = str(error)
            logger.warning("cameras stay as they are", extra={"reason": self.fault})

    def _started(self, spec: CameraSpec) -> LiveCamera:
        camera = LiveCamera(
            spec,
            self._live,
            spool=self._spool,
            work_folder=self._work_folder / spec.camera,
            outbox=self._outbox,
            last_end=self._last_end(spec.camera),
        )
        logger.info("camera is watched", extra={"camera_id": spec.camera, "url": spec.shown_url})
        camera.start()
        return camera
