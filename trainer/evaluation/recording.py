"""Writing what was measured beside a checkpoint's weights."""

import json
from pathlib import Path

from model.decisions import DecisionSheet
from model.folders import DECISIONS
from trainer.evaluation.report import Report
from trainer.evaluation.scores import QuestionScore

LISTED_FROM = 0.7  # of the 95% interval of balanced accuracy, the lower end
METRICS = "metrics.json"


def record_figures(folder: Path, report: Report) -> None:
    """Write the figures of each question into a checkpoint's `decision.json`, and the whole report into `metrics.json`.

    A question that may well be answered little better than by chance is struck off, and so is one of which nothing is
    labelled: it will get *cannot tell*. A report without labelled photos leaves `decision.json` as it is.
    """
    if report.photos is not None:
        scores = report.photos.answering.scores
        path = folder / DECISIONS
        sheet = DecisionSheet.model_validate_json(path.read_text(encoding="utf-8"))
        questions = [
            stated.model_copy(update={"figures": {**stated.figures, **_figures(scores[stated.text])}})
            for stated in sheet.questions
            if stated.text in scores and scores[stated.text].balanced_accuracy.low >= LISTED_FROM
        ]
        measured = sheet.model_copy(update={"questions": tuple(questions)})
        path.write_text(json.dumps(measured.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    (folder / METRICS).write_bytes(report.as_json() + b"\n")


def _figures(score: QuestionScore) -> dict[str, float]:
    return {
        "people": score.people,
        "balanced_accuracy": round(score.balanced_accuracy.value, 4),
        "interval_low": round(score.balanced_accuracy.low, 4),
        "interval_high": round(score.balanced_accuracy.high, 4),
        "strict_balanced_accuracy": round(score.strict_balanced_accuracy.value, 4),
        "abstained": round(1 - score.coverage.value, 4),
        "calibration_error": round(score.calibration_error.value, 4),
    }
