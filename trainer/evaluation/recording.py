"""Writing what was measured beside a checkpoint's weights."""

import json
import math
from pathlib import Path

from model.decisions import MeasuredQuestion
from model.folders import DECISIONS, read_json
from model.layouts.llava import read_sheet
from trainer.evaluation.report import Report
from trainer.evaluation.scores import QuestionScore
from trainer.provenance import METRICS
from trainer.texts import QUESTIONS

LISTED_FROM = 0.7  # of the 95% interval of balanced accuracy, the lower end


def record_figures(folder: Path, report: Report) -> None:
    """Write the figures of each question into a checkpoint's `decision.json`, and the whole report into `metrics.json`.

    A question that may well be answered little better than by chance is listed as failed and will get *cannot tell*,
    from a checkpoint that is open to any question too; one of which nothing is labelled is struck off. A question that
    an open checkpoint answers well enough is added, and no longer marked as not measured. One that had failed before is
    not answered, so its figures stay. A report without labelled photos leaves `decision.json` as it is.

    Raises:
        ModelFolderError: `decision.json` is none.
    """
    if report.photos is not None:
        scores = report.photos.answering.scores
        sheet = read_sheet(folder)
        stated = {measured.text: measured for measured in (*sheet.questions, *sheet.failed)}
        if sheet.open_to_any_question:
            stated = {q.text: MeasuredQuestion(kind=q.kind, text=q.text, answers=q.answers) for q in QUESTIONS} | stated
        questions = [
            measured.model_copy(update={"figures": {**measured.figures, **_figures(scores[text])}})
            for text, measured in stated.items()
            if text in scores and not math.isnan(scores[text].balanced_accuracy.low)
        ]
        passed = [m for m in questions if m.figures["interval_low"] >= LISTED_FROM]
        failed_before = [m for m in sheet.failed if m.text in report.photos.answering.unanswered]
        failed = [*failed_before, *(m for m in questions if m not in passed)]
        # Only this is replaced: the file says to transformers, too, how the checkpoint is to be asked.
        kept = read_json(folder, DECISIONS) if (folder / DECISIONS).is_file() else {"open_to_any_question": True}
        lists = {"questions": passed, "failed": failed}
        stated_json = {name: [m.model_dump(mode="json") for m in listed] for name, listed in lists.items()}
        written = {**kept, **stated_json}
        (folder / DECISIONS).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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
