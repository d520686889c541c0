"""The evaluation of some models from their names to the files of the report."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from model.folders import checkpoint_folder
from model.humanvlm import HumanVLM
from trainer.errors import EvaluationError
from trainer.evaluation.comparing import Verdict, compare
from trainer.evaluation.judge import Judge
from trainer.evaluation.measuring import EvaluationSet, measure
from trainer.evaluation.plots import draw_radar, draw_report
from trainer.evaluation.recording import record_figures
from trainer.evaluation.report import Report
from trainer.evaluation.tables import as_markdown, verdict_as_markdown

logger = logging.getLogger(__name__)


def evaluate_models(
    names: Sequence[str], data: Path, *, out: Path, judge: Judge | None = None, record: bool = False
) -> list[Report]:
    """Measure the models of some names on one set and write the report into a folder.

    The folder gets `report.json`, `report.md`, `radar.png` and, for each model measured on photos, its confusion and
    reliability.

    Args:
        names: `embedded`, or whatever else `HumanVLM.load` takes.
        data: As `EvaluationSet.read` takes it.
        out: Where the report goes.
        judge: Marks open questions and written captions, too.
        record: Write each model's figures beside its weights, too.

    Raises:
        ModelFolderError: a name means no checkpoint.
        PhotosError, EvaluationError: the set cannot be read, or the report not written.
        JudgeError: the judge's server cannot be asked.
    """
    make_folder(out)
    examples = EvaluationSet.read(data)
    reports = []
    for name in names:
        logger.info("measuring a model", extra={"model": name})
        reports.append(measure(name, HumanVLM.load(name), examples, judge))
        if record:
            record_figures(checkpoint_folder(name), reports[-1])
    write_reports(reports, out)
    return reports


def compare_models(in_force: str, candidate: str, data: Path, *, out: Path, judge: Judge | None = None) -> Verdict:
    """Measure two models on one set and say which to promote; `comparison.json` is added to the report.

    Raises:
        As `evaluate_models`.
    """
    old, new = evaluate_models([in_force, candidate], data, out=out, judge=judge)
    verdict = compare(old, new)
    (out / "comparison.json").write_bytes(TypeAdapter(Verdict).dump_json(verdict, indent=1) + b"\n")
    with (out / "report.md").open("a", encoding="utf-8") as table:
        table.write(f"\n{verdict_as_markdown(verdict)}")
    return verdict


def make_folder(out: Path) -> None:
    """Make the folder of a report.

    Raises:
        EvaluationError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(out, f"the report cannot be written there: {error.strerror}") from error


def write_reports(reports: Sequence[Report], out: Path) -> None:
    """Write `report.json`, `report.md` and the pictures.

    Raises:
        EvaluationError: the folder cannot be made.
    """
    make_folder(out)
    whole = [json.loads(report.as_json()) for report in reports]
    (out / "report.json").write_text(json.dumps({"models": whole}, indent=1) + "\n", encoding="utf-8")
    (out / "report.md").write_text(as_markdown(reports), encoding="utf-8")
    for report in reports:
        draw_report(report, out)
    draw_radar(reports, out / "radar.png")
