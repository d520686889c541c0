"""The command `crewsight questions`: which packs of questions there are, and which a model can answer."""

from typing import Annotated

import typer

from consumers.settings import AlerterSettings
from operations.options import Config

app = typer.Typer(help="Packs of questions about everyone who is seen.", no_args_is_help=True)

PackName = Annotated[str, typer.Argument(metavar="PACK", help="A pack's name, or the path of a YAML file.")]


@app.command()
def packs(config: Config = None) -> None:
    """List the packs, those in use marked, with how much of each can be answered."""
    from consumers.alerts.build import measured_by
    from consumers.packs.packs import coverage, packaged, read_packs

    settings = AlerterSettings.read(config)
    chosen, models = settings.questions.packs, measured_by(settings)
    for name, pack in zip(names := [*dict.fromkeys([*packaged(), *chosen])], read_packs(names), strict=True):
        typer.echo(f"{name}{' (in use)' if name in chosen else ''}: {pack.title}")
        typer.echo(f"  {coverage(pack, models)}")
    if not chosen:
        typer.echo("None is in use. To use some, put their names into the settings file: questions: {packs: [safety]}")


@app.command()
def show(pack: PackName, config: Config = None) -> None:
    """Say of each question of a pack whether it can be answered, and if not, what could answer it."""
    from consumers.alerts.build import measured_by
    from consumers.packs.packs import read_pack

    settings = AlerterSettings.read(config)
    found, models = read_pack(pack), measured_by(settings)
    typer.echo(f"{found.name}: {found.title}")
    for question in found.questions:
        allowed = ", ".join(question.asked.answers)
        why_not = models.why_not(question.asked)
        typer.echo(f"- {question.text} ({allowed})")
        typer.echo(f"    {'can be answered' if why_not is None else f'{models.without_measure}: {why_not}'}")
    if any(models.why_not(question.asked) for question in found.questions):
        typer.echo(
            "The published HumanVLM 8B (vlm.name: OpenFace-CQUPT/Human_LLaVA, or a model server) answers any question; "
            "until it is measured on one, its answer is marked unmeasured and no rule on it comes into force."
        )


@app.command()
def rules(pack: PackName) -> None:
    """Print drafts of rules for the questions of a pack, to be put into the rules file."""
    from consumers.packs.packs import drafts, read_pack

    typer.echo(drafts(read_pack(pack)), nl=False)
