from collections.abc import Callable
from pathlib import Path

import av
import decord
import numpy as np
import pytest

from consumers.analyzer.annotate import annotate_video, place_label
from consumers.analyzer.labels import answer_lines, draw_label
from consumers.analyzer.threads import threads
from consumers.errors import VideoReadError
from model.questions import CANNOT_TELL, TOO_SMALL
from tests.builders_consumers import HAT, Box, a_manifest, a_segment, as_file, straight, walking
from tests.builders_video import make_frameless_video, make_video, turned

BOX: Box = (20, 30, 60, 100)
SEGMENT = a_segment("s0")


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_the_annotated_video_has_every_frame_at_its_own_rate_and_boxes_only_where_someone_is(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", frame_count=30, fps=10)
    manifest = a_manifest(SEGMENT, [walking(SEGMENT, 1, straight(1.0, 2.0, BOX, px_per_s=40))])
    annotate_video(source, [manifest], tmp_path / "out.mp4")
    before, after = frames_of(source), frames_of(tmp_path / "out.mp4")
    assert len(after) == 30
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, float(stream.average_rate or 0)) == ("h264", pytest.approx(10, rel=0.05))
    changed = [float(np.abs(a.astype(int) - b).mean()) > 4 for a, b in zip(before, after, strict=True)]
    assert changed[10:21] == [True] * 11
    assert not any(changed[:9] + changed[22:]), "a box is held for half a sampled frame"


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_pictures_filmed_on_their_side_are_upright_and_their_boxes_where_the_segments_have_them(
    tmp_path: Path, quarter_turns: int
) -> None:
    source = turned(make_video(tmp_path / "v.mp4", frame_count=3), quarter_turns)
    manifest = a_manifest(SEGMENT, [walking(SEGMENT, 1, straight(0.0, 0.2, BOX, px_per_s=0))])
    annotate_video(source, [], tmp_path / "plain.mp4")
    annotate_video(source, [manifest], tmp_path / "boxed.mp4")
    plain, boxed = frames_of(tmp_path / "plain.mp4")[1], frames_of(tmp_path / "boxed.mp4")[1]
    upright = decord.VideoReader(str(source))[1].asnumpy()  # decord turns by what the file says
    assert plain.shape == upright.shape
    assert np.abs(plain.astype(int) - upright).mean() < 8
    left, top, right, bottom = (round(side) for side in BOX)
    changed = np.abs(boxed.astype(int) - plain).sum(axis=2) > 60
    for side in (changed[top:bottom, left], changed[top:bottom, right], changed[top, left:right]):
        assert side.mean() > 0.8


def test_a_box_between_two_sights_is_on_the_line_between_them() -> None:
    (thread,) = threads([a_manifest(SEGMENT, [walking(SEGMENT, 1, straight(0.0, 1.0, BOX, px_per_s=100))])])
    found = thread.at(0.5, hold_s=0.1)
    assert found is not None
    assert found[0] == pytest.approx((70, 30, 110, 100))
    assert thread.at(-0.2, hold_s=0.1) is None
    assert thread.at(1.3, hold_s=0.1) is None


def test_someone_unseen_for_long_has_no_box_meanwhile() -> None:
    (thread,) = threads([a_manifest(SEGMENT, [walking(SEGMENT, 1, [(0.0, BOX), (5.0, BOX)])])])
    assert thread.at(2.5, hold_s=0.1) is None
    assert thread.at(5.0, hold_s=0.1) is not None


def test_one_person_over_two_segments_has_one_number() -> None:
    from datetime import timedelta

    following = a_segment("s1", started_at=SEGMENT.started_at + timedelta(seconds=10), previous="s0")
    manifests = [
        a_manifest(SEGMENT, [walking(SEGMENT, 1, [(9.6, BOX), (9.8, BOX)])]),
        a_manifest(following, [walking(following, 1, [(0.0, BOX), (0.2, BOX)])]),
    ]
    (thread,) = threads(manifests)
    assert thread.at_s == pytest.approx((9.6, 9.8, 10.0, 10.2))
    assert thread.at(9.9, hold_s=0.0) is not None, "no flicker at the border"


@pytest.mark.parametrize(
    ("probabilities", "reason", "mark", "word"),
    [
        ({"yes": 0.9, "no": 0.05, CANNOT_TELL: 0.05}, None, "v", "hard hat 90%"),
        ({"yes": 0.1, "no": 0.8, CANNOT_TELL: 0.1}, None, "x", "hard hat 80%"),
        ({"yes": 0.0, "no": 0.0, CANNOT_TELL: 1.0}, TOO_SMALL, "?", "hard hat: too small"),
    ],
)
def test_every_answer_has_a_mark_beside_its_colour(
    probabilities: dict[str, float], reason: str | None, mark: str, word: str
) -> None:
    manifest = a_manifest(SEGMENT)
    person = walking(SEGMENT, 1, [(0.0, BOX)]).model_copy(
        update={
            "answers": {HAT.question_id: probabilities},
            "reasons": {HAT.question_id: reason} if reason else {},
        }
    )
    (line,) = answer_lines(person, manifest.questions)
    assert (line.mark, line.text) == (mark, word)


def test_a_label_stays_inside_the_frame_wherever_its_person_is() -> None:
    frame_wh, size = (320, 240), (120, 70)
    for left in range(-20, 320, 20):
        for top in range(-20, 240, 20):
            box = (left, top, left + 40, top + 90)
            (x, y), _ = place_label(size, box, [box], frame_wh)
            assert 0 <= x <= frame_wh[0] - size[0]
            assert 0 <= y <= frame_wh[1] - size[1]


def test_a_long_caption_is_wrapped_and_no_answer_is_cut() -> None:
    manifest = a_manifest(SEGMENT, [walking(SEGMENT, 1, [(0.0, BOX)], caption="a very long caption " * 20)])
    lines = answer_lines(manifest.people[0], manifest.questions)
    label = draw_label(1, manifest.people[0].caption, lines, text_px=14, width_px=160)
    assert label.shape[1] <= 200
    assert label[:, -2:, :3].max() < 60, "nothing touches the right edge"


def test_names_with_colons_are_files_and_no_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(tmp_path / "12:30.mp4", frame_count=10, fps=10)
    monkeypatch.chdir(tmp_path)
    annotate_video(Path("12:30.mp4"), [], Path("12:30.annotated.mp4"))
    assert len(frames_of(tmp_path / "12:30.annotated.mp4")) == 10


def test_a_source_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoReadError, match="annotated"):
        annotate_video(as_file(tmp_path, "no.mp4", b"text"), [], tmp_path / "out.mp4")


def test_a_source_without_a_frame_is_refused(tmp_path: Path) -> None:
    make_frameless_video(tmp_path / "none.mp4")
    with pytest.raises(VideoReadError, match="annotated"):
        annotate_video(tmp_path / "none.mp4", [], tmp_path / "out.mp4")


def test_a_video_cut_short_is_annotated_up_to_the_break(clip: Callable[[str], Path], tmp_path: Path) -> None:
    annotate_video(clip("installer-truncated.mp4"), [], tmp_path / "out.mp4")
    assert 200 <= len(frames_of(tmp_path / "out.mp4")) <= 207
