"""The paper's ablation: the same recipe with parts of it left out, each variant measured on the same people.

Stage 1 is run once, and every variant starts from what it wrote, so variants differ in stage 2 alone.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from model.humanvlm import HumanVLM
from trainer.errors import RecipeError
from trainer.evaluation.measuring import EvaluationSet, measure
from trainer.evaluation.report import Report
from trainer.evaluation.running import write_reports
from trainer.provenance import TRAINING
from trainer.stages import Stage

logger = logging.getLogger(__name__)

Entries = Mapping[str, str | int | float | bool]
ALIGNED, REPORT = "aligned", "report"  # folders of no variant


class AblationRecipe(BaseModel):
    """What an ablation's YAML file says; paths are relative to the working folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Path = Field(description="The recipe with both stages.")
    data: Path = Field(description="What every variant is measured on, as `crewsight evaluate --data` takes it.")
    work: Path = Field(Path("runs/ablation"), description="Folder for models, runs and the report.")
    align: Entries = Field({}, description="Entries of stage 1 that are replaced.")
    instruct: Entries = Field({}, description="Entries of stage 2 that are replaced for all variants.")
    variants: dict[str, Entries | None] = Field(
        min_length=1, description="By name, further entries of stage 2; null leaves stage 2 out."
    )

    @field_validator("variants")
    @classmethod
    def _have_folders_of_their_own(cls, variants: dict[str, Entries | None]) -> dict[str, Entries | None]:
        taken = {"": "all of them", ALIGNED: "stage 1", REPORT: "the report"}
        for name, entries in variants.items():
            if entries is None:  # stage 1 as it is
                continue
            slug = _slug(name)
            if slug in taken:
                raise ValueError(f"{name!r} would share the folder of {taken[slug]}; tell it apart by letters")
            taken[slug] = repr(name)
        return variants

    @classmethod
    def read(cls, path: Path) -> "AblationRecipe":
        """An ablation from its YAML file.

        Raises:
            RecipeError: the file is missing, no YAML, or says something that no ablation says.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise RecipeError(path, error.strerror or str(error)) from error
        except yaml.YAMLError as error:
            raise RecipeError(path, f"no YAML: {' '.join(str(error).split())}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise RecipeError(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def run_ablation(ablation: AblationRecipe, *, resume: bool = False) -> list[Report]:
    """Train and measure every variant; the reports, in the variants' order.

    The work folder gets a model a variant, and in `report/` what `crewsight evaluate` writes and `ablation.md`.

    Args:
        ablation: What to leave out.
        resume: Keep the models that an earlier run finished, and go on with the one it was stopped in.

    Raises:
        RecipeError: a recipe cannot be followed.
        PhotosError, EvaluationError: the photos, or what is measured on, cannot be read.
    """
    examples = EvaluationSet.read(ablation.data)  # first: it would be a pity to learn afterwards that it is missing
    aligned = _trained("align", ALIGNED, ablation, ablation.align, resume=resume)
    reports = []
    for name, entries in ablation.variants.items():
        folder = aligned
        if entries is not None:
            changed = {**ablation.instruct, **entries, "start": str(aligned)}
            folder = _trained("instruct", _slug(name), ablation, changed, resume=resume)
        reports.append(measure(name, HumanVLM.load(folder), examples))
        logger.info("variant %s: %s", name, {task: round(value, 3) for task, value in reports[-1].tasks().items()})
    out = ablation.work / REPORT
    write_reports(reports, out)
    (out / "ablation.md").write_text(ablation_table(reports) + "\n", encoding="utf-8")
    return reports


def ablation_table(reports: Sequence[Report]) -> str:
    """The variants side by side, a figure a line, in Markdown; intervals are 95% bootstrap. Pure."""
    rows = [_figures(report) for report in reports]
    lines = [["", *[report.model for report in reports]], ["---"] * (len(reports) + 1)]
    lines += [[name, *[row.get(name, "-") for row in rows]] for name in dict.fromkeys(n for row in rows for n in row)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figures(report: Report) -> dict[str, str]:
    if report.photos is None:
        return {task: f"{value:.3f}" for task, value in report.tasks().items()}
    photos, tasks = report.photos, report.tasks()
    figures = {text: str(score.strict_balanced_accuracy) for text, score in photos.answering.scores.items()}
    return figures | {
        "calibration error, pooled": str(photos.answering.calibration_error),
        "*cannot tell* of cuts that hide the part": str(photos.answering.told_when_hidden),
        "caption F1, mean over attributes": str(photos.captions.mean_f1),
        **{f"captions that say the {thing}'s colour": str(e) for thing, e in photos.captions.colour_right.items()},
        "search recall at 10": str(photos.retrieval.recall_at[10]),
        "mean over the tasks": f"{sum(tasks.values()) / max(len(tasks), 1):.3f}",
    }


def _trained(stage: Stage, slug: str, ablation: AblationRecipe, entries: Entries, *, resume: bool) -> Path:
    """The folder of a model, trained unless an earlier run did."""
    from trainer.stage_cli import run_stage

    out = ablation.work / slug / "model"
    if resume and (out / TRAINING).is_file():  # written last
        logger.info("kept from an earlier run", extra={"model": str(out)})
        return out
    words = {**entries, "work": str(ablation.work / slug), "out": str(out), "resume": str(resume).lower()}
    run_stage(stage, ablation.recipe, [f"--{entry}={value}" for entry, value in words.items()])
    return out


def _slug(name: str) -> str:
    return re.sub(r"[\W_]+", "-", name.lower()).strip("-")
