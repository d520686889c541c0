"""Cuts a video file into segments that each play by themselves, from their first frame on.

H.264 is copied, cut at keyframes; everything else, and stretches without a keyframe for too long, is encoded anew with
settings that always give the same bytes. No frame is lost or doubled at a border.
"""

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import av.error

from streamer.bus.identity import file_segment_id
from streamer.bus.media import segment_uri
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.errors import VideoReadError, WorkFolderError
from streamer.planning import FAST, LIVE, Cadence, Piece, plan_pieces
from streamer.scanning import Scan, said, scanning
from streamer.steps import Steps, made_at_once
from streamer.writing import WrittenVideo, copied_videos, encoded_videos

__all__ = [
    "FAST",
    "LIVE",
    "Cadence",
    "CutPlan",
    "CutSegment",
    "Piece",
    "content_sha256",
    "cut",
    "cut_file",
    "hashing",
    "plan_cuts",
    "planning",
]

READ_BYTES = 1 << 20
DISK_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})  # of who writes, never of who reads


@dataclass(frozen=True, slots=True)
class CutSegment:
    """A finished segment in a local file that is the receiver's to move or delete."""

    path: Path
    index: int
    segment_id: str
    previous_segment_id: str | None
    start_s: float  # from the source's first frame
    duration_s: float
    fps: float
    width_px: int
    height_px: int
    frame_count: int
    is_copy: bool

    def ready(self, camera_id: str, file_began_at: datetime, origin: TimeOrigin) -> SegmentReady:
        """What is published of this segment once it lies where the message says."""
        started_at = file_began_at + timedelta(seconds=self.start_s)
        return SegmentReady(
            segment_id=self.segment_id,
            previous_segment_id=self.previous_segment_id,
            camera_id=camera_id,
            uri=segment_uri(camera_id, f"{started_at:%Y-%m-%d}", self.segment_id, ending=self.path.suffix),
            started_at=started_at,
            time_origin=origin,
            duration_s=self.duration_s,
            fps=self.fps,
            width_px=self.width_px,
            height_px=self.height_px,
        )


@dataclass(frozen=True, slots=True)
class CutPlan:
    """Where one file is cut; the same content and cadence always give the same plan."""

    scan: Scan
    pieces: tuple[Piece, ...]
    content_key: str  # the content's hash, and the cadence where it is not the usual one

    def segment_id(self, camera_id: str, index: int) -> str:
        """The id of the segment that piece `index` becomes."""
        start_us = round(self.scan.seconds(self.pieces[index].start_pts) * 1e6)
        return file_segment_id(camera_id, self.content_key, start_us)


def content_sha256(path: Path) -> str:
    """The hash that names a file whatever it is called.

    Raises:
        VideoReadError: the file cannot be read.
    """
    return made_at_once(hashing(path))


def hashing(path: Path) -> Steps[str]:
    """`content_sha256` in steps."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                digest.update(chunk)
                yield
    except OSError as error:
        raise VideoReadError(path, error.strerror or str(error)) from error
    return digest.hexdigest()


def plan_cuts(path: Path, *, sha256: str, cadence: Cadence = FAST) -> CutPlan:
    """Where to cut the file at `path`, whose content hashes to `sha256`.

    Raises:
        VideoReadError: it is no video, or holds no frame.
    """
    return made_at_once(planning(path, sha256=sha256, cadence=cadence))


def planning(path: Path, *, sha256: str, cadence: Cadence) -> Steps[CutPlan]:
    """`plan_cuts` in steps."""
    found = yield from scanning(path)
    key = sha256 if cadence == FAST else f"{sha256}/{cadence.target_s:g}s"
    return CutPlan(found, plan_pieces(found, cadence), key)


def cut(
    plan: CutPlan,
    *,
    camera_id: str,
    folder: Path,
    from_index: int = 0,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Iterator[CutSegment]:
    """The segments of `plan` from piece `from_index` on, each written into `folder` just before it is yielded.

    A piece in which nothing decodes is left out. Encoding takes a while: as soon as `is_stopping`, what it was at is
    given up and nothing more comes.

    Raises:
        VideoReadError: the file cannot be read any more, or holds what cannot be written.
        WorkFolderError: the disk under `folder` takes nothing.
    """

    def name(piece: Piece) -> Path:
        return folder / f"{plan.segment_id(camera_id, piece.index)}.mp4"

    left = [piece for piece in plan.pieces if piece.index >= from_index]
    with _errors_told(plan.scan.path, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for must_encode, run in groupby(left, key=lambda piece: piece.packet_count is None):
            pieces = list(run)
            if must_encode:
                videos = encoded_videos(plan.scan, pieces, name, is_stopping)
            else:
                videos = copied_videos(plan.scan, pieces, name)
            yield from (_segment(plan, video, camera_id) for video in videos)


@contextmanager
def _errors_told(path: Path, folder: Path) -> Iterator[None]:
    """Tell what is wrong with the file at `path`, and ends it, from what would end every other as well."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        if error.errno in DISK_ERRNO or not isinstance(error, av.error.FFmpegError):
            raise WorkFolderError(folder, said(error)) from error
        raise VideoReadError(path, f"cutting broke off: {said(error)}") from error


def cut_file(path: Path, *, camera_id: str, folder: Path, cadence: Cadence = FAST) -> Iterator[CutSegment]:
    """The segments of the file at `path`, each written into `folder` just before it is yielded.

    Raises:
        VideoReadError: it is no video, or no frame of it can be read.
        WorkFolderError: the disk under `folder` takes nothing.
    """
    plan = plan_cuts(path, sha256=content_sha256(path), cadence=cadence)
    is_empty = True
    for segment in cut(plan, camera_id=camera_id, folder=folder):
        is_empty = False
        yield segment
    if is_empty:
        raise VideoReadError(path, "no frame of it can be decoded")


def _segment(plan: CutPlan, video: WrittenVideo, camera_id: str) -> CutSegment:
    index = video.piece.index
    return CutSegment(
        path=video.path,
        index=index,
        segment_id=plan.segment_id(camera_id, index),
        previous_segment_id=plan.segment_id(camera_id, index - 1) if index else None,
        start_s=max(0.0, plan.scan.seconds(video.first_pts)),
        duration_s=video.duration_s,
        fps=video.frame_count / video.duration_s,
        width_px=video.width_px,
        height_px=video.height_px,
        frame_count=video.frame_count,
        is_copy=video.piece.packet_count is not None,
    )
