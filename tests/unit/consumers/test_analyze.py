"""The analyzer's stage: real detector, real (tiny, random) HumanVLM, real clips."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from consumers.analyzer.analyze import Analyzed, Segment, analyze_batch, best_position
from consumers.analyzer.eyes import Eyes
from consumers.errors import WorkAbandonedError
from consumers.linking import link
from model.crops import Crop, Look
from model.humanvlm import HumanVLM
from model.questions import Question
from streamer.bus.manifest import Manifest
from streamer.bus.messages import Rejected, SegmentReady
from streamer.segmenting import cut_file
from tests.builders_consumers import NOON, a_segment, as_file, people_video
from tests.builders_llava import tiny_llava
from tests.builders_model import tiny_humanvlm
from tests.builders_video import make_video

Clip = Callable[[str], Path]


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Eyes:
    folder = tmp_path_factory.mktemp("models")
    return Eyes.open(cache_dir=folder / "cache", vlm=str(tiny_humanvlm(folder / "vlm")))


def test_once_warm_a_camera_of_a_usual_shape_waits_for_no_conversion(tmp_path: Path) -> None:
    Eyes.open(cache_dir=tmp_path, engine="openvino", vlm=str(tiny_humanvlm(tmp_path / "vlm"))).warm_up()
    canvases = {path.name.split("-")[1] for path in tmp_path.glob("*-openvino-*")}
    assert canvases == {"640x384", "640x480"}


def whole(path: Path, name: str = "whole", *, size_wh: tuple[int, int] = (480, 270)) -> Segment:
    return Segment(a_segment(name).model_copy(update={"width_px": size_wh[0], "height_px": size_wh[1]}), path)


def cut(path: Path, folder: Path, camera_id: str = "gate") -> list[Segment]:
    return [
        Segment(
            SegmentReady(
                segment_id=part.segment_id,
                previous_segment_id=part.previous_segment_id,
                camera_id=camera_id,
                uri=f"media:///media/{part.segment_id}.mp4",
                started_at=NOON + timedelta(seconds=part.start_s),
                time_origin="file",
                duration_s=part.duration_s,
                fps=part.fps,
                width_px=part.width_px,
                height_px=part.height_px,
            ),
            part.path,
        )
        for part in cut_file(path, camera_id=camera_id, folder=folder)
    ]


def manifests(results: list[Analyzed | Rejected]) -> list[Manifest]:
    assert all(isinstance(result, Analyzed) for result in results)
    return [result.manifest for result in results if isinstance(result, Analyzed)]


def test_everyone_in_a_picture_has_looks_crops_answers_and_a_path(eyes: Eyes, tmp_path: Path) -> None:
    video = people_video(tmp_path / "v.mp4", frame_count=11)
    (analyzed,) = analyze_batch([whole(video, size_wh=(480, 640))], eyes)
    assert isinstance(analyzed, Analyzed)
    manifest = analyzed.manifest
    assert len(manifest.people) == 4, "the packaged picture shows four people"
    assert max(len(person.looks) for person in manifest.people) == 3, "one in each of three seconds"
    for person in manifest.people:
        assert 1 <= len(person.looks) <= 8
        assert len({int(look.at_s) for look in person.looks}) == len(person.looks), "one look a second"
        assert set(person.answers) == {question.question_id for question in manifest.questions}
        for probabilities in person.answers.values():
            assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert all(-0.01 <= point.x <= 1.01 and -0.01 <= point.y <= 1.01 for point in person.path)
        assert person.first_seen_at == NOON + timedelta(seconds=person.path[0].at_s)
    for person, look in ((p, look) for p in manifest.people for look in p.looks):
        picture = cv2.imdecode(np.frombuffer(analyzed.crops[look.crop_uri], np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None, person.track_id
        assert picture.shape[1::-1] == look.crop_size_wh
    assert len(analyzed.crops) == sum(len(person.looks) for person in manifest.people)


def test_what_nobody_measured_is_marked_in_the_manifest(eyes: Eyes, tmp_path: Path) -> None:
    """A LLaVA without a sheet answers anything; nothing else in the analyzer knows which layout it has."""
    llava = HumanVLM.load(tiny_llava(tmp_path / "llava"), device="cpu")
    hat, floor = Question("predicate", "Is there a hard hat?"), Question("score", "How full is it?", ("empty", "full"))
    asking = replace(eyes, vlm=llava, questions=(hat, floor))
    video = people_video(tmp_path / "v.mp4", frame_count=1)
    (manifest,) = manifests(analyze_batch([whole(video, size_wh=(480, 640))], asking))
    assert len(manifest.people) == 4
    for person in manifest.people:
        assert set(person.answers) == {hat.question_id, floor.question_id}
        told = {question for question in person.answers if question not in person.reasons}
        assert set(person.unmeasured) == told


def test_a_segment_has_the_same_result_alone_and_beside_others(clip: Clip, eyes: Eyes) -> None:
    aisle, zone = whole(clip("store-aisle.mp4"), "aisle"), whole(clip("worker-zone.mp4"), "zone")
    alone = [analyze_batch([segment], eyes)[0] for segment in (aisle, zone)]
    together = analyze_batch([zone, aisle], eyes)[::-1]
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, Analyzed)
        assert isinstance(other, Analyzed)
        assert one.crops == other.crops
        for left, right in zip(one.manifest.people, other.manifest.people, strict=True):
            assert (left.person_id, left.looks[0].crop_uri) == (right.person_id, right.looks[0].crop_uri)
            assert (left.path, left.caption) == (right.path, right.caption)
            for question, probabilities in left.answers.items():
                assert right.answers[question] == pytest.approx(probabilities, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "fewest", "most"), [("worker-zone.mp4", 1, 2), ("store-aisle.mp4", 2, 5), ("classroom.mp4", 4, 4)]
)
def test_as_many_people_are_seen_as_are_there(clip: Clip, eyes: Eyes, name: str, fewest: int, most: int) -> None:
    (manifest,) = manifests(analyze_batch([whole(clip(name))], eyes))
    assert fewest <= len(manifest.people) <= most


def test_people_under_64_px_are_not_judged(clip: Clip, eyes: Eyes) -> None:
    (manifest,) = manifests(analyze_batch([whole(clip("classroom.mp4"))], eyes))
    small = [p for p in manifest.people if all(look.box_xyxy[3] - look.box_xyxy[1] < 63 for look in p.looks)]
    assert small, "the back row is 52-54 px tall"
    for person in small:
        assert set(person.reasons.values()) == {"too small"}


def test_each_walk_through_the_corridor_is_one_chain_and_empty_stretches_yield_nobody(
    clip: Clip, eyes: Eyes, tmp_path: Path
) -> None:
    segments = cut(clip("one-by-one.mp4"), tmp_path)[:5]
    found = manifests([analyze_batch([segment], eyes)[0] for segment in segments])
    chain_of: dict[str, str] = {}
    for previous, current in itertools.pairwise([None, *found]):
        continued = link(previous, current) if previous and current else {}
        for person in current.people if current else ():
            before = continued.get(person.person_id)
            chain_of[person.person_id] = chain_of[before] if before else person.person_id
    assert [len(manifest.people) for manifest in found] == [1] * 5
    assert len(set(chain_of.values())) == 2, "two walk through in the first 50 s"
    sightings = [p.first_seen_at for m in found for p in m.people] + [p.last_seen_at for m in found for p in m.people]
    empty_from, empty_to = NOON + timedelta(seconds=45.5), NOON + timedelta(seconds=50)
    assert not any(empty_from < seen_at < empty_to for seen_at in sightings)


def test_a_video_cut_short_is_analysed_up_to_the_break(clip: Clip, eyes: Eyes) -> None:
    (manifest,) = manifests(analyze_batch([whole(clip("installer-truncated.mp4"), size_wh=(1280, 720))], eyes))
    assert manifest.truncated_after_s == pytest.approx(6.87, abs=0.05)
    assert manifest.people[0].path[-1].at_s > 6


def test_what_is_no_video_is_refused_and_its_neighbours_go_through(eyes: Eyes, tmp_path: Path) -> None:
    empty = whole(as_file(tmp_path, "empty.mp4", b""), "empty")
    text = whole(as_file(tmp_path, "text.mp4", b"hello " * 99), "text")
    results = analyze_batch([empty, whole(people_video(tmp_path / "v.mp4")), text], eyes)
    assert [type(result) for result in results] == [Rejected, Analyzed, Rejected]
    refused = results[0]
    assert isinstance(refused, Rejected)
    assert (refused.segment_id, refused.camera_id, refused.origin) == ("empty", "gate", empty.ready.uri)
    assert "cannot be read" in refused.reason
    assert analyze_batch([empty], eyes) == [refused], "refused again by the same name"


def test_boxes_of_frames_that_were_made_smaller_are_in_pixels_of_the_full_frame(eyes: Eyes, tmp_path: Path) -> None:
    path = people_video(tmp_path / "large.mp4", size_wh=(2160, 2880))
    (manifest,) = manifests(analyze_batch([whole(path, size_wh=(2160, 2880))], eyes))
    lowest = max(point.box_xyxy[3] for person in manifest.people for point in person.path)
    assert 2200 < lowest <= 2880, "the people of the picture stand in its lower third"


def test_an_empty_scene_has_a_manifest_of_nobody(eyes: Eyes, tmp_path: Path) -> None:
    (manifest,) = manifests(analyze_batch([whole(make_video(tmp_path / "v.mp4", frame_count=20))], eyes))
    assert manifest.people == ()
    assert manifest.frame_count == 10


def test_told_to_stop_nothing_is_returned(eyes: Eyes, tmp_path: Path) -> None:
    with pytest.raises(WorkAbandonedError):
        analyze_batch([whole(people_video(tmp_path / "v.mp4"))], eyes, is_stopping=lambda: True)


def test_whatever_changes_a_result_changes_its_revision(eyes: Eyes) -> None:
    others = [
        replace(eyes, sampling_fps=4.0),
        replace(eyes, looks_at_most=3),
        replace(eyes, questions=eyes.questions[:1]),
    ]
    assert len({eyes.analysis_revision, *(other.analysis_revision for other in others)}) == 4


def test_a_segment_that_asks_for_fewer_frames_gets_them_under_the_same_revision(eyes: Eyes, tmp_path: Path) -> None:
    video = people_video(tmp_path / "v.mp4", frame_count=21)
    usual = whole(video, size_wh=(480, 640))
    thinned = Segment(usual.ready.model_copy(update={"sampling_fps_at_most": 2.0}), video)
    full, few = manifests(analyze_batch([usual, thinned], eyes))
    assert (full.sampling_fps, few.sampling_fps) == (5.0, 2.0)
    assert few.frame_count < full.frame_count
    assert few.analysis_revision == full.analysis_revision, "people are linked on over the border"


def test_a_whole_look_is_described_rather_than_a_taller_one_cut_by_the_picture() -> None:
    def look(height_px: int, wholeness: float) -> Look:
        crop = Crop(np.zeros((height_px, 40, 3), dtype=np.uint8), height_px)
        return Look(0, np.zeros(4, dtype=np.float32), 0.5, crop, wholeness)

    assert best_position([look(200, 0.3), look(120, 1.0), look(90, 1.0)]) == 1
    assert best_position([look(200, 0.3), look(120, 0.3)]) == 0
