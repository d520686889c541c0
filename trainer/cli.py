"""The trainer's commands: `train …`, and `evaluate …` from `evaluation/cli.py`. Heavy imports wait until one runs."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.evaluation.cli import evaluate_app

app = typer.Typer()
train_app = typer.Typer(help="Train a model by a recipe.", no_args_is_help=True)
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")

Recipe = Annotated[Path, typer.Option("--config", help="The recipe, a YAML file.")]
Out = Annotated[Path, typer.Option("--out", help="Folder that the trained model is written to.")]
Work = Annotated[Path, typer.Option("--work", help="Folder for checkpoints and curves of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the work folder.")]


@train_app.command("detector")
def train_detector_command(
    config: Recipe,
    out: Out = Path("artefacts/detector"),
    work: Work = Path("runs/detector"),
    resume: Resume = False,
) -> None:
    """Adapt the person detector to labelled photos, its starting weights as teacher."""
    from trainer.detector_training import DetectorRecipe, train_detector

    train_detector(DetectorRecipe.read(config), out=out, work=work, resume=resume)


@train_app.command("humanvlm")
def train_humanvlm_command(
    config: Recipe,
    out: Out = Path("artefacts/humanvlm"),
    work: Work = Path("runs/humanvlm"),
    resume: Resume = False,
) -> None:
    """Teach a compact HumanVLM to answer, describe and be found, from labelled photos."""
    from trainer.recipe import Recipe as HumanVLMRecipe
    from trainer.training import train_humanvlm

    train_humanvlm(HumanVLMRecipe.read(config), recipe_path=config, out=out, work=work, resume=resume)
