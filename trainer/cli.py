"""The trainer's commands: `train …` and `evaluate …`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trainer.stages import Stage

app = typer.Typer()
train_app = typer.Typer(help="Train a model by a recipe.", no_args_is_help=True)
evaluate_app = typer.Typer(help="Measure a model.", no_args_is_help=True)
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


@evaluate_app.command("humanvlm")
def evaluate_humanvlm_command(
    data: Annotated[Path, typer.Option("--data", help="Labelled photos: a folder with images/ and labels/.")],
    name: Annotated[str, typer.Option("--model", help="`embedded`, or a checkpoint folder.")] = "embedded",
    record: Annotated[bool, typer.Option("--record", help="Write the figures into the model's decision.json.")] = False,
) -> None:
    """Answers, captions and searches of a HumanVLM, measured on labelled photos."""
    from trainer.evaluate import measure

    typer.echo(measure(name, data, record=record).as_markdown())
