"""The trainer's commands: `train …` and `evaluate …`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
train_app = typer.Typer(help="Train a model by a recipe.", no_args_is_help=True)
evaluate_app = typer.Typer(help="Measure a model.", no_args_is_help=True)
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


@evaluate_app.command("detector")
def evaluate_detector_command(
    starting_weights: Annotated[Path, typer.Option(help="The checkpoint that the detector began from.")],
    clips: Annotated[list[Path], typer.Option("--clip", help="A video; may be given several times.")],
    photos: Annotated[Path | None, typer.Option(help="Labelled photos: a folder with images/ and labels/.")] = None,
    name: Annotated[str, typer.Option("--model", help="`embedded`, or a detector's folder.")] = "embedded",
    cache_dir: Annotated[Path, typer.Option(help="Folder for converted networks.")] = Path(".crewsight/models"),
    recorded: Annotated[bool, typer.Option("--record", help="Write the figures into the model's card.")] = False,
) -> None:
    """Recall and precision of a detector against its starting weights, at an overlap of one half."""
    from trainer.detector_reports import evaluate_detector, record

    figures = evaluate_detector(
        name, starting_weights=starting_weights, clips=clips, photos=photos, cache_dir=cache_dir
    )
    if recorded:
        record(name, figures)
    for row, found in figures.items():
        typer.echo(f"{row:<28} recall {found.recall:.4f}  precision {found.precision:.4f}  of {found.expected}")


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


@evaluate_app.command("humanvlm")
def evaluate_humanvlm_command(
    data: Annotated[Path, typer.Option("--data", help="Labelled photos: a folder with images/ and labels/.")],
    name: Annotated[str, typer.Option("--model", help="`embedded`, or a checkpoint folder.")] = "embedded",
    record: Annotated[bool, typer.Option("--record", help="Write the figures into the model's decision.json.")] = False,
) -> None:
    """Answers, captions and searches of a HumanVLM, measured on labelled photos."""
    from trainer.evaluate import measure

    typer.echo(measure(name, data, record=record).as_markdown())
