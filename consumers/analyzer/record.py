"""What was seen and said of a segment, written down as its manifest. Pure."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import cv2
import numpy as np
import numpy.typing as npt

from consumers.analyzer.combine import COMBINATION, combined, mean_direction, rounded
from consumers.analyzer.decode import SampledFrames
from consumers.analyzer.eyes import Eyes
from consumers.analyzer.sampling import wanted_fps
from model.crops import Look
from model.questions import Decision
from model.tracker import Track
from streamer.bus.identity import person_id, track_id
from streamer.bus.manifest import LookSeen, Manifest, PathPoint, PersonSeen
from streamer.bus.media import crop_uri
from streamer.bus.messages import SegmentReady

JPEG_QUALITY = 90

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Described:
    """What HumanVLM says of one person: the caption of one look, decisions [look][question], vectors (looks, d)."""

    caption: str
    best_look: int
    decisions: list[list[Decision]]
    vectors: npt.NDArray[np.float32]


def manifest_of(
    ready: SegmentReady,
    sampled: SampledFrames,
    people: Sequence[tuple[Track, Sequence[Look]]],
    described: Sequence[Described],
    eyes: Eyes,
    *,
    timings_s: dict[str, float],
) -> Manifest:
    """The manifest of one segment."""
    scribe = _Scribe(ready, sampled, eyes)
    return Manifest(
        segment_id=ready.segment_id,
        previous_segment_id=ready.previous_segment_id,
        camera_id=ready.camera_id,
        segment_uri=ready.uri,
        started_at=ready.started_at,
        time_origin=ready.time_origin,
        duration_s=ready.duration_s,
        width_px=ready.width_px,
        height_px=ready.height_px,
        analysis_revision=scribe.analysis_revision,
        revisions=eyes.revisions,
        sampling_fps=wanted_fps(eyes.sampling_fps, ready.sampling_fps_at_most),
        frame_count=len(sampled.at_s),
        question_set_revision=eyes.question_set_revision,
        questions=eyes.asked,
        people=tuple(scribe.person(track, looks, said) for (track, looks), said in zip(people, described, strict=True)),
        timings_s=timings_s,
        truncated_after_s=sampled.truncated_after_s,
    )


def crop_jpegs(manifest: Manifest, people: Sequence[tuple[Track, Sequence[Look]]]) -> dict[str, bytes]:
    """The JPEG of every crop that the manifest names, by URI."""
    return {
        seen.crop_uri: _jpeg(look.crop.pixels)
        for person, (_, looks) in zip(manifest.people, people, strict=True)
        for seen, look in zip(person.looks, looks, strict=True)
    }


class _Scribe:
    """Writes down the people of one segment."""

    def __init__(self, ready: SegmentReady, sampled: SampledFrames, eyes: Eyes) -> None:
        self._ready, self._sampled, self._eyes = ready, sampled, eyes
        self.analysis_revision = eyes.analysis_revision

    def person(self, track: Track, looks: Sequence[Look], said: Described) -> PersonSeen:
        name = track_id(self._ready.segment_id, track.ordinal)
        path = tuple(self._point(int(p), box) for p, box in zip(track.frame_positions, track.boxes_xyxy, strict=True))
        decisions = self._combined(looks, said)
        return PersonSeen(
            person_id=person_id(name, self.analysis_revision),
            track_id=name,
            first_seen_at=self._ready.started_at + timedelta(seconds=path[0].at_s),
            last_seen_at=self._ready.started_at + timedelta(seconds=path[-1].at_s),
            looks=tuple(
                self._look(track.ordinal, look, decisions)
                for look, decisions in zip(looks, said.decisions, strict=True)
            ),
            best_look=said.best_look,
            path=path,
            answers={d.question_id: dict(d.probabilities) for d in decisions},
            reasons={d.question_id: d.reason for d in decisions if d.reason},
            unmeasured=tuple(d.question_id for d in decisions if not d.is_measured),
            combination=COMBINATION,
            caption=said.caption,
            embedding_base64=base64.b64encode(mean_direction(said.vectors).astype("<f2").tobytes()).decode(),
            detection_score=round(float(np.clip(track.scores.mean(), 0, 1)), 4),
        )

    def _look(self, ordinal: int, look: Look, decisions: Sequence[Decision]) -> LookSeen:
        at_s = self._at_s(look.frame_position)
        height, width = look.crop.pixels.shape[:2]
        return LookSeen(
            at=self._ready.started_at + timedelta(seconds=at_s),
            at_s=at_s,
            box_xyxy=self._full_box(look.box_xyxy),
            sharpness=round(max(look.sharpness, 0.0), 4),
            crop_uri=crop_uri(
                self._ready.camera_id, self._ready.segment_id, self.analysis_revision, ordinal, round(at_s * 1000)
            ),
            crop_size_wh=(width, height),
            answers={d.question_id: rounded(d.probabilities) for d in decisions},
            reasons={d.question_id: d.reason for d in decisions if d.reason},
        )

    def _combined(self, looks: Sequence[Look], said: Described) -> list[Decision]:
        heights_px = [look.crop.person_height_px for look in looks]
        return [combined(about, heights_px) for about in zip(*said.decisions, strict=True)]

    def _point(self, position: int, box: npt.NDArray[np.float32]) -> PathPoint:
        width, height = self._sampled.size_wh
        return PathPoint(
            at_s=self._at_s(position),
            x=round(float(box[0] + box[2]) / 2 / width, 5),
            y=round(float(box[3]) / height, 5),
            box_xyxy=self._full_box(box),
        )

    def _at_s(self, position: int) -> float:
        return round(float(self._sampled.at_s[position]), 4)

    def _full_box(self, box: npt.NDArray[np.float32]) -> Box:
        left, top, right, bottom = (round(float(side) * self._sampled.scale, 1) for side in box)
        return left, top, right, bottom


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    written, encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert written, "OpenCV encodes every 8-bit picture"
    return encoded.tobytes()
