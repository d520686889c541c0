from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from model.detector import Detections, PersonDetector
from model.tracker import Track, covered_share, track_people
from tests.builders_detector import found, walk

FRAME = (640, 480)


def followed(detections: list[Detections], fps: float = 5.0) -> list[Track]:
    return track_people(detections, sampling_fps=fps, frame_size_wh=FRAME)


def merged(*walks: list[Detections]) -> list[Detections]:
    """Several people in the same frames."""
    return [
        Detections(np.concatenate([d.boxes_xyxy for d in frame]), np.concatenate([d.scores for d in frame]))
        for frame in zip(*walks, strict=True)
    ]


def test_no_frames_and_empty_frames_give_no_tracks() -> None:
    assert followed([]) == []
    assert followed([found()] * 20) == []


@pytest.mark.parametrize("step_px", [0, 10, 25])
def test_a_walking_person_is_one_track_with_every_sighting(step_px: float) -> None:
    (track,) = followed(walk(start_x=50, step_px=step_px, frames=15))
    assert track.ordinal == 1
    np.testing.assert_array_equal(track.frame_positions, np.arange(15))
    assert track.frame_positions.dtype == np.int64
    assert track.boxes_xyxy.shape == (15, 4)


def test_boxes_are_the_detectors_own_not_smoothed_ones() -> None:
    detections = walk(start_x=50, step_px=12, frames=10)
    (track,) = followed(detections)
    np.testing.assert_array_equal(track.boxes_xyxy, np.concatenate([d.boxes_xyxy for d in detections]))


def test_the_first_frame_of_someone_who_enters_later_is_kept() -> None:
    (track,) = followed([found()] * 6 + walk(start_x=50, step_px=10, frames=8))
    assert track.frame_positions[0] == 6


def test_someone_hidden_for_a_second_stays_the_same_person() -> None:
    detections = walk(start_x=50, step_px=10, frames=20)
    detections[8:13] = [found()] * 5
    (track,) = followed(detections)
    assert len(track) == 15


def test_someone_gone_for_longer_is_a_new_track() -> None:
    detections = walk(start_x=50, step_px=0, frames=10) + [found()] * 20 + walk(start_x=50, step_px=0, frames=10)
    assert [len(track) for track in followed(detections)] == [10, 10]


def test_two_people_walking_apart_are_numbered_by_first_appearance() -> None:
    early, late = walk(start_x=400, step_px=5, frames=12), walk(start_x=50, step_px=5, frames=12)
    late[:4] = [found()] * 4
    tracks = followed(merged(early, late))
    assert [(track.ordinal, int(track.frame_positions[0])) for track in tracks] == [(1, 0), (2, 4)]


def test_a_flicker_in_the_middle_is_nobody() -> None:
    detections = [found()] * 20
    detections[9] = found((100, 100, 150, 250, 0.9))
    assert followed(detections) == []


def test_a_single_sighting_at_the_end_may_go_on_in_the_next_stretch() -> None:
    detections = [found()] * 20
    detections[-1] = found((100, 100, 150, 250, 0.9))
    assert len(followed(detections)) == 1
    detections[-1] = found((100, 100, 150, 250, 0.3))
    assert followed(detections) == []


def test_a_second_box_inside_a_persons_box_is_no_second_person() -> None:
    detections = walk(start_x=100, step_px=2, frames=20)
    for position in (9, 10, 11):
        x0, y0, x1, _ = detections[position].boxes_xyxy[0]
        half = found((x0, y0, x1, y0 + 50, 0.5))
        detections[position] = merged([detections[position]], [half])[0]
    assert [len(track) for track in followed(detections)] == [20]


def test_results_are_the_same_at_every_call() -> None:
    detections = merged(walk(start_x=50, step_px=8, frames=20), walk(start_x=500, step_px=-8, frames=20))
    first, second = followed(detections), followed(detections)
    assert [t.ordinal for t in first] == [t.ordinal for t in second] == [1, 2]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_a_box_that_nothing_else_shares_is_uncovered() -> None:
    box = np.float32([0, 0, 10, 10])
    assert covered_share(box, np.empty((0, 4), np.float32)) == 0.0
    assert covered_share(box, np.float32([[20, 20, 30, 30]])) == 0.0


@pytest.fixture(scope="module")
def persons_in(clip, tmp_path_factory) -> Callable[[str], list[Detections]]:
    """What the shipped detector finds in a real clip, looked at once for all tests."""
    from trainer.detector.evaluation import detections_on_clip

    detector = PersonDetector.load(engine="openvino", cache_dir=tmp_path_factory.mktemp("converted"))
    return cache(lambda name: detections_on_clip(detector, clip(name)))


@pytest.mark.parametrize(
    ("name", "fewest", "most"),
    [("store-aisle.mp4", 2, 5), ("worker-zone.mp4", 1, 2), ("one-by-one.mp4", 6, 7), ("classroom.mp4", 4, 4)],
)
def test_real_clips_hold_as_many_tracks_as_people(persons_in, name: str, fewest: int, most: int) -> None:
    assert fewest <= len(followed(persons_in(name))) <= most


def test_empty_stretches_of_the_corridor_hold_nobody(persons_in) -> None:
    detections = persons_in("one-by-one.mp4")
    for first, last in ((0, 28), (228, 250), (352, 371), (436, 460), (602, 616), (682, 697)):
        assert followed(detections[first:last]) == []
