"""`crewsight evaluate`, from photos to the files of the report."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from model.crops import Crop
from model.folders import EMBEDDED
from model.humanvlm import HumanVLM
from model.questions import CANNOT_TELL, TOLD_BADLY
from tests.builders_llava import tiny_llava
from tests.builders_model import tiny_humanvlm
from tests.builders_photos import photo_folder
from trainer.cli import app
from trainer.errors import CandidateRefusedError, EvaluationError, PhotosError
from trainer.evaluation.measuring import EvaluationSet, measure
from trainer.evaluation.recording import record_figures
from trainer.evaluation.report import Report
from trainer.texts import FACE_MASK, HARD_HAT, HAT_COLOUR, SAFETY_VEST, VEST_COLOUR


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("photos") / "val", count=4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_humanvlm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def report(tiny: Path, photos: Path) -> Report:
    return measure("tiny", HumanVLM.load(tiny, device="cpu"), EvaluationSet.read(photos))


def test_any_number_of_models_end_in_one_report_with_its_pictures(tiny: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    ran = CliRunner().invoke(app, ["evaluate", "embedded", str(tiny), "--data", str(photos), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    models = json.loads((out / "report.json").read_text())["models"]
    assert [model["model"] for model in models] == ["embedded", str(tiny)]
    assert {model["photos"]["people"] for model in models} == {8}
    assert "marks" not in (out / "report.json").read_text()
    hat = models[0]["photos"]["answering"]["scores"][HARD_HAT.text]
    assert hat["balanced_accuracy"]["low"] <= hat["balanced_accuracy"]["value"] <= hat["balanced_accuracy"]["high"]
    assert (out / "report.md").read_text() in ran.output
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert len(pictures) == 5
    for name in pictures:
        drawn = cv2.imread(str(out / name))
        assert drawn is not None
        assert drawn.std() > 5  # not an empty sheet


def test_the_model_in_force_stays_where_the_candidate_only_guesses(tiny: Path, photos: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "report")
    ran = CliRunner().invoke(app, ["evaluate", "--compare", "embedded", str(tiny), "--data", str(photos), "--out", out])
    assert isinstance(ran.exception, CandidateRefusedError)
    assert f"{tiny} is refused, keep embedded: " in str(ran.exception)
    said = json.loads((tmp_path / "report" / "comparison.json").read_text())
    assert said["promote"] == "embedded"
    vest = next(contest for contest in said["contests"] if contest["question"] == SAFETY_VEST.text)
    assert vest["difference"]["value"] == pytest.approx(vest["candidate"] - vest["in_force"])
    assert "Promote embedded" in ran.output


def test_a_copy_of_the_model_in_force_is_not_refused_and_not_promoted(photos: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(EMBEDDED, tmp_path / "copy"))
    words = ["evaluate", "--compare", "embedded", str(copy), "--data", str(photos), "--out", str(tmp_path / "report")]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0
    assert "Promote embedded" in ran.output


def test_a_question_that_is_not_answered_counts_as_never_right(report: Report) -> None:
    assert report.photos is not None
    answering = report.photos.answering
    assert set(answering.unanswered) == {FACE_MASK.text, HAT_COLOUR.text, VEST_COLOUR.text}
    assert set(answering.scores) == {HARD_HAT.text, SAFETY_VEST.text}
    known = [answering.scores[q.text].strict_balanced_accuracy.value for q in (HARD_HAT, SAFETY_VEST)]
    assert report.tasks()["closed questions"] == pytest.approx(sum(known) / 3)


@pytest.fixture(scope="module")
def hats_alone(report: Report) -> Report:
    """The report, as if hats were told well and vests little better than by chance."""
    assert report.photos is not None
    scores = dict(report.photos.answering.scores)
    for question, low in ((HARD_HAT, 0.8), (SAFETY_VEST, 0.6)):
        score = scores[question.text]
        scores[question.text] = replace(score, balanced_accuracy=replace(score.balanced_accuracy, low=low))
    answering = replace(report.photos.answering, scores={q.text: scores[q.text] for q in (HARD_HAT, SAFETY_VEST)})
    return replace(report, photos=replace(report.photos, answering=answering))


def test_figures_are_recorded_and_what_is_near_chance_is_struck_off(hats_alone: Report, tmp_path: Path) -> None:
    folder = tiny_humanvlm(tmp_path)
    record_figures(folder, hats_alone)
    assert HumanVLM.load(folder, device="cpu").questions == (HARD_HAT,)
    sheet = json.loads((folder / "decision.json").read_text())
    assert sheet["questions"][0]["figures"]["interval_low"] == 0.8
    assert [question["text"] for question in sheet["failed"]] == [SAFETY_VEST.text]
    assert json.loads((folder / "metrics.json").read_text())["photos"]["people"] == 8


def test_an_open_checkpoint_answers_what_it_was_measured_to_answer_well_and_not_what_it_failed(
    hats_alone: Report, tmp_path: Path
) -> None:
    folder = tiny_llava(tmp_path / "model")
    people = [Crop(np.full((120, 60, 3), 90, dtype=np.uint8), person_height_px=110)]
    before = HumanVLM.load(folder, device="cpu").decide(people, [HARD_HAT, SAFETY_VEST])[0]
    record_figures(folder, hats_alone)
    recorded = HumanVLM.load(folder, device="cpu")
    after = recorded.decide(people, [HARD_HAT, SAFETY_VEST])[0]
    assert recorded.questions == (HARD_HAT,)
    assert [decision.is_measured for decision in before] == [False, False]
    assert after[0].is_measured
    assert after[0].probabilities == before[0].probabilities
    assert (after[1].answer, after[1].reason) == (CANNOT_TELL, TOLD_BADLY)


def test_what_had_failed_is_not_answered_and_keeps_its_figures(
    hats_alone: Report, photos: Path, tmp_path: Path
) -> None:
    folder = tiny_llava(tmp_path / "model")
    record_figures(folder, hats_alone)
    (failed,) = json.loads((folder / "decision.json").read_text())["failed"]
    again = measure("again", HumanVLM.load(folder, device="cpu"), EvaluationSet.read(photos))
    assert again.photos is not None
    assert SAFETY_VEST.text in again.photos.answering.unanswered
    assert SAFETY_VEST.text not in again.photos.answering.scores
    record_figures(folder, again)
    assert failed in json.loads((folder / "decision.json").read_text())["failed"]


def test_recording_leaves_the_rest_of_the_sheet_as_it_was(hats_alone: Report, tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    said = {"open_to_any_question": True, "sanitize_control_tokens": True, "labels": {"noul": ["Yes", "No"]}}
    (folder / "decision.json").write_text(json.dumps(said))
    record_figures(folder, hats_alone)
    sheet = json.loads((folder / "decision.json").read_text())
    assert {key: sheet[key] for key in said} == said
    assert [question["text"] for question in sheet["questions"]] == [HARD_HAT.text]


def test_what_cannot_be_evaluated_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="no LLaVA JSON file"):
        EvaluationSet.read(tmp_path)
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(EvaluationError, match="2 JSON files"):
        EvaluationSet.read(tmp_path)


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_measured(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = CliRunner().invoke(app, ["evaluate", "embedded", "--data", str(photos), "--out", str(tmp_path / "file")])
    assert isinstance(ran.exception, EvaluationError)


def test_a_command_stands_before_a_model_of_its_name() -> None:
    shown = CliRunner().invoke(app, ["evaluate", "detector", "--help"])
    assert "--starting-weights" in shown.output
    shown = CliRunner().invoke(app, ["evaluate", "some/folder", "--help"])
    assert "--compare" in shown.output
