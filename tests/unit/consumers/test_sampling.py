import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.analyzer.sampling import sampled_indices
from consumers.errors import SamplingError


@pytest.mark.parametrize(
    ("frame_count", "source_fps", "target_fps", "expected"),
    [
        (0, 10.0, 5.0, []),
        (1, 10.0, 5.0, [0]),
        (10, 10.0, 5.0, [0, 2, 4, 6, 8]),
        (7, 30.0, 10.0, [0, 3, 6]),
        (4, 5.0, 5.0, [0, 1, 2, 3]),
        (4, 2.0, 5.0, [0, 1, 2, 3]),
    ],
)
def test_a_clip_is_brought_down_to_the_rate_and_a_slower_one_is_left_whole(
    frame_count: int, source_fps: float, target_fps: float, expected: list[int]
) -> None:
    assert sampled_indices(frame_count, source_fps=source_fps, target_fps=target_fps).tolist() == expected


@given(st.integers(0, 5000), st.floats(0.5, 240), st.floats(0.5, 60))
def test_indices_always_increase_and_stay_inside_the_clip(count: int, source_fps: float, target_fps: float) -> None:
    indices = sampled_indices(count, source_fps=source_fps, target_fps=target_fps)
    assert (np.diff(indices) > 0).all()
    assert len(indices) == 0 or (indices[0] == 0 and indices[-1] < count)


@pytest.mark.parametrize(("source_fps", "target_fps"), [(0.0, 5.0), (10.0, 0.0), (10.0, -1.0)])
def test_a_rate_that_no_video_has_is_refused(source_fps: float, target_fps: float) -> None:
    with pytest.raises(SamplingError, match="above 0"):
        sampled_indices(10, source_fps=source_fps, target_fps=target_fps)
