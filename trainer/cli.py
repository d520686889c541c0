"""The trainer's commands: `train …`, and `evaluate …` from `evaluation/cli.py`. Heavy imports wait until one runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.evaluation.cli import evaluate_app

if TYPE_CHECKING:
    from trainer.stages import Stage

app = typer.Typer()
train_app = typer.Typer(help="Train a model by a recipe.", no_args_is_help=True)
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")

Recipe = Annotated[Path, typer.Option("--config", help="The recipe, a YAML file.")]
Out = Annotated[Path, typer.Option("--out", help="Folder that the trained model is written to.")]
Work = Annotated[Path, typer.Option("--work", help="Folder for checkpoints and curves of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the work folder.")]

FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True}  # LightningCLI reads the rest


@train_app.command("detector")
def train_detector_command(
    config: Recipe,
    out: Out = Path("artefacts/detector"),
    work: Work = Path("runs/detector"),
    resume: Resume = False,
) -> None:
    """Adapt the person detector to labelled photos, its starting weights as teacher."""
    from trainer.detector.training import DetectorRecipe, train_detector

    train_detector(DetectorRecipe.read(config), out=out, work=work, resume=resume)


@train_app.command("align", context_settings=FORWARDED)
def train_align_command(context: typer.Context, config: Recipe, resume: Resume = False) -> None:
    """Stage 1 of a HumanVLM: only the connector learns. Any entry of the recipe may follow, as --out DIR."""
    _run_stage("align", context, config, resume=resume)


@train_app.command("instruct", context_settings=FORWARDED)
def train_instruct_command(context: typer.Context, config: Recipe, resume: Resume = False) -> None:
    """Stage 2 of a HumanVLM: connector and language model learn. Any entry of the recipe may follow, as --start DIR."""
    _run_stage("instruct", context, config, resume=resume)


def _run_stage(stage: "Stage", context: typer.Context, config: Path, *, resume: bool) -> None:
    from trainer.stage_cli import run_stage

    run_stage(stage, config, [*context.args, *(["--resume=true"] if resume else [])])


@train_app.command("ablation")
def train_ablation_command(config: Recipe, resume: Resume = False) -> None:
    """Train and measure a recipe with parts of it left out, one variant after the other."""
    from trainer.ablation import AblationRecipe, ablation_table, run_ablation

    typer.echo(ablation_table(run_ablation(AblationRecipe.read(config), resume=resume)))
