import cv2
import numpy as np
import pytest

from model.crops import best_looks, crop_person, crop_sharpness
from model.tracker import Track
from tests.builders_detector import packaged_picture

FPS = 5.0
WHOLE = (230, 400, 340, 860)  # a whole person of bus.jpg, 810x1080


def track(*boxes: tuple[float, float, float, float], first: int = 0) -> Track:
    n = len(boxes)
    return Track(
        1, np.arange(first, first + n, dtype=np.int64), np.asarray(boxes, np.float32), np.full(n, 0.9, np.float32)
    )


def seconds(frames: int) -> np.ndarray:
    return np.arange(frames) / FPS


def blurred(frame: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(frame, (0, 0), 6)


def test_a_crop_is_a_copy_with_a_small_margin() -> None:
    frame = packaged_picture("bus.jpg").copy()
    crop = crop_person(frame, np.float32(WHOLE))
    assert crop.person_height_px == 460
    assert 460 * 1.05 < crop.pixels.shape[0] < 460 * 1.15
    before = crop.pixels.copy()
    frame[:] = 0
    np.testing.assert_array_equal(crop.pixels, before)


@pytest.mark.parametrize("box", [(-50, -50, 900, 1200), (0, 0, 0, 0), (809, 1079, 830, 1090), (900, 1200, 950, 1300)])
def test_a_crop_never_leaves_the_frame_and_is_never_empty(box: tuple[float, ...]) -> None:
    crop = crop_person(packaged_picture("bus.jpg"), np.float32(box))
    assert min(crop.pixels.shape[:2]) >= 1
    assert crop.pixels.shape[0] <= 1080
    assert crop.person_height_px >= 1


def test_one_look_for_each_second_in_view_in_time_order() -> None:
    frames = [packaged_picture("bus.jpg")] * 17
    looks = best_looks(track(*[WHOLE] * 12, first=3), frames, seconds(17))
    assert [int(look.frame_position / FPS) for look in looks] == [0, 1, 2]


def test_at_most_so_many_looks_and_they_are_the_best() -> None:
    sharp = packaged_picture("bus.jpg")
    frames = [sharp if second in (4, 9) else blurred(sharp) for second in range(12) for _ in range(2)]
    looks = best_looks(track(*[WHOLE] * 24), frames, np.arange(24) / 2, at_most=2)
    assert [look.frame_position // 2 for look in looks] == [4, 9]


def test_no_looks_of_a_track_are_asked_for() -> None:
    assert best_looks(track(WHOLE), [packaged_picture("bus.jpg")], seconds(1), at_most=0) == []


def test_a_sharp_look_beats_a_blurred_one() -> None:
    sharp = packaged_picture("bus.jpg")
    frames = [blurred(sharp), sharp, blurred(sharp)]
    (look,) = best_looks(track(*[WHOLE] * 3), frames, seconds(3))
    assert look.frame_position == 1
    assert look.sharpness > 2 * crop_sharpness(frames[0], np.float32(WHOLE))


def test_a_whole_body_beats_one_cut_by_the_frames_border() -> None:
    frames = [packaged_picture("bus.jpg")] * 2
    cut = (0, WHOLE[1], 110, WHOLE[3])
    (look,) = best_looks(track(cut, WHOLE), frames, seconds(2))
    assert look.frame_position == 1


def test_a_free_view_beats_one_that_somebody_hides() -> None:
    frames = [packaged_picture("bus.jpg")] * 2
    passer_by = track((200, 500, 360, 1000))
    (look,) = best_looks(track(WHOLE, WHOLE), frames, seconds(2), others=[passer_by, track(WHOLE, WHOLE)])
    assert look.frame_position == 1


def test_somebody_behind_hides_nothing() -> None:
    frames = [packaged_picture("bus.jpg"), blurred(packaged_picture("bus.jpg"))]
    behind = track((200, 300, 360, 700))
    (look,) = best_looks(track(WHOLE, WHOLE), frames, seconds(2), others=[behind])
    assert look.frame_position == 0


def test_a_larger_view_beats_a_smaller_one() -> None:
    near = packaged_picture("bus.jpg")
    far = np.zeros_like(near)
    small = cv2.resize(near, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    far[: small.shape[0], : small.shape[1]] = small
    small_box = tuple(side * 0.2 for side in WHOLE)
    (look,) = best_looks(track(small_box, WHOLE), [far, near], seconds(2))
    assert look.frame_position == 1


def test_contrast_alone_does_not_make_a_look_sharper() -> None:
    frame = packaged_picture("bus.jpg")
    faint = (frame.astype(np.float32) * 0.5 + 60).astype(np.uint8)
    full, half = crop_sharpness(frame, np.float32(WHOLE)), crop_sharpness(faint, np.float32(WHOLE))
    assert half == pytest.approx(full, rel=0.1)


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (5, 5, 6, 300), (900, 1200, 950, 1300)])
def test_a_box_with_nothing_in_it_has_no_sharpness(box: tuple[float, ...]) -> None:
    assert crop_sharpness(packaged_picture("bus.jpg"), np.float32(box)) == 0.0


def test_a_look_says_how_much_of_it_the_frames_border_leaves() -> None:
    frames = [packaged_picture("bus.jpg")] * 2
    headless, whole = best_looks(track((230, 0, 340, 460), WHOLE), frames, np.asarray([0.0, 1.0]))
    assert whole.wholeness == 1.0
    assert headless.wholeness < 0.5
