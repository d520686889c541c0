"""Who is the same person from frame to frame, within one stretch of video. Pure.

ByteTrack (https://arxiv.org/abs/2110.06864, as in Ultralytics), begun anew at every call: its numbers never leave. At a
few frames a second the boxes of a walking person hardly overlap, so boxes are widened while they are matched by as far
as a person walks from frame to frame (the buffered overlap of https://arxiv.org/abs/2211.14317).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from model.detector import Detections
from model.ultralytics_loading import ultralytics_tamed

LOST_FOR_S = 2.0  # how long a person may be hidden and still be the same track
STRIDE_HEIGHTS_PER_S = 0.82  # a walk of 1.4 m/s, in heights of a person of 1.7 m
WIDEST_MARGIN_HEIGHTS = 0.25  # beyond it, neighbours in a queue would be taken for each other
IN_VIEW_S = 0.4  # someone inside a stretch for less is a flicker of the detector; at its ends they may go on elsewhere
BRIEF_S = 1.0  # a track shorter than this that lies inside other boxes is a second box of somebody
COVERED = 0.8
SURE_SCORE, LIKELY_SCORE = 0.5, 0.35  # what the best sighting must reach: of one alone, of several


@dataclass(frozen=True, slots=True)
class Track:
    """One person's way through a stretch of video.

    `frame_positions` (n,) int64 are positions in the frames given, strictly increasing; `boxes_xyxy` (n, 4) and
    `scores` (n,) float32 are the detections there.
    """

    ordinal: int
    frame_positions: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


def track_people(
    detections: Sequence[Detections], *, sampling_fps: float, frame_size_wh: tuple[int, int]
) -> list[Track]:
    """The persons of one stretch of video, numbered from 1 in the order they first appear.

    Args:
        detections: Of every sampled frame, evenly spaced, empty ones included.
        sampling_fps: Sampled frames per second.
        frame_size_wh: Width and height of the frames in pixels.
    """
    tracks = [_track(sightings, detections) for sightings in _associate(detections, sampling_fps)]
    people = [track for track in tracks if _is_person(track, detections, sampling_fps)]
    width, height = frame_size_wh
    people.sort(key=lambda track: (track.frame_positions[0], *(track.boxes_xyxy[0] / max(width, height)).tolist()))
    return [replace(track, ordinal=ordinal) for ordinal, track in enumerate(people, 1)]


class _FrameBoxes:
    """One frame's detections in the form ByteTrack reads them."""

    def __init__(self, xywh: NDArray[np.float32], conf: NDArray[np.float32]) -> None:
        self.xywh, self.conf = xywh, conf
        self.cls = np.zeros_like(conf)

    @classmethod
    def of(cls, detections: Detections, margin_heights: float) -> "_FrameBoxes":
        corners = detections.boxes_xyxy
        size = corners[:, 2:] - corners[:, :2]
        # People move sideways further than up and down.
        widened = size + size[:, 1:] * np.asarray([2 * margin_heights, margin_heights / 2], dtype=np.float32)
        return cls(np.concatenate([corners[:, :2] + size / 2, widened], axis=1), detections.scores)

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "_FrameBoxes":
        return _FrameBoxes(self.xywh[chosen], self.conf[chosen])


def _associate(detections: Sequence[Detections], sampling_fps: float) -> list[list[tuple[int, int]]]:
    """For each track, (frame position, position in that frame's detections) of every sighting."""
    with ultralytics_tamed():
        from ultralytics.trackers.byte_tracker import BYTETracker

    settings = SimpleNamespace(
        track_high_thresh=0.0,  # the detector's threshold has already been applied
        track_low_thresh=0.0,
        new_track_thresh=0.0,
        track_buffer=max(1, round(LOST_FOR_S * sampling_fps)),
        match_thresh=0.9,  # an overlap of 0.1 with where the person was expected
        fuse_score=False,  # at few frames a second, weighing by score loses turned and half-hidden people
    )
    margin_heights = min(STRIDE_HEIGHTS_PER_S / sampling_fps, WIDEST_MARGIN_HEIGHTS)
    tracker = BYTETracker(settings)
    sightings: dict[int, list[tuple[int, int]]] = {}
    for position, found in enumerate(detections):
        tracker.update(_FrameBoxes.of(found, margin_heights))
        for track in tracker.tracked_stracks:
            if track.frame_id == tracker.frame_id:
                sightings.setdefault(track.track_id, []).append((position, int(track.idx)))
    return list(sightings.values())


def _track(sightings: Sequence[tuple[int, int]], detections: Sequence[Detections]) -> Track:
    return Track(
        ordinal=0,
        frame_positions=np.asarray([position for position, _ in sightings], dtype=np.int64),
        boxes_xyxy=np.stack([detections[position].boxes_xyxy[i] for position, i in sightings]),
        scores=np.asarray([detections[position].scores[i] for position, i in sightings], dtype=np.float32),
    )


def _is_person(track: Track, detections: Sequence[Detections], sampling_fps: float) -> bool:
    """Whether a track is more than a flicker of the detector or a second box of somebody."""
    if track.scores.max() < (LIKELY_SCORE if len(track) > 1 else SURE_SCORE):
        return False
    at_an_end = track.frame_positions[0] == 0 or track.frame_positions[-1] == len(detections) - 1
    if len(track) < round(IN_VIEW_S * sampling_fps) and not at_an_end:
        return False
    if len(track) > BRIEF_S * sampling_fps:
        return True
    covered = [
        covered_share(box, detections[position].boxes_xyxy) > COVERED
        for position, box in zip(track.frame_positions, track.boxes_xyxy, strict=True)
    ]
    return sum(covered) <= len(covered) / 2


def covered_share(box_xyxy: NDArray[np.float32], others_xyxy: NDArray[np.float32]) -> float:
    """The largest share of a box (4,) that one of the others (n, 4) covers; a box equal to it is not another.

    >>> covered_share(np.float32([0, 0, 10, 10]), np.float32([[0, 0, 10, 10], [0, 0, 5, 10]]))
    0.5
    """
    others = others_xyxy[(others_xyxy != box_xyxy).any(axis=1)]
    if not len(others):
        return 0.0
    shared = np.minimum(others[:, 2:], box_xyxy[2:]) - np.maximum(others[:, :2], box_xyxy[:2])
    area = max(float(np.prod(box_xyxy[2:] - box_xyxy[:2])), 1e-6)
    return float(shared.clip(min=0).prod(axis=1).max() / area)
