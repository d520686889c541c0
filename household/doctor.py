"""`crewsight doctor`: is everything there that the processes need, and if not, what is to be done."""

from typing import Annotated

import typer

from operations.options import Config


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Neither try the cameras nor load the models, which takes a while.")
    ] = False,
    config: Config = None,
) -> None:
    """Look at broker, databases, media store, disks, clocks, GPU, cameras and models; exit status 1 if any is wrong."""
    from household.checks import findings

    wrong = 0
    for found in findings(config, is_quick=quick):
        typer.echo(f"{'ok  ' if found.is_well else 'BAD '} {found.about}: {found.said}")
        if not found.is_well:
            wrong += 1
            typer.echo(f"     -> {found.advice}")
    typer.echo("All is well." if not wrong else f"{wrong} to be mended.")
    raise SystemExit(1 if wrong else 0)
