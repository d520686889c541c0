"""The command `crewsight rules`: what may be written, whether it fits, what it would have raised, and why."""

import json
from pathlib import Path
from typing import Annotated

import typer

from consumers.settings import AlerterSettings

app = typer.Typer(help="The alert desk's rules.", no_args_is_help=True)

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: crewsight.yaml, if it is there.")
]


@app.command()
def schema() -> None:
    """Print the JSON schema of the rules file, for editors."""
    from consumers.alerts.rules import rules_schema

    typer.echo(json.dumps(rules_schema(), indent=2, ensure_ascii=False))


@app.command()
def check(
    rules: Annotated[Path | None, typer.Argument(help="Rules file; default: the one that is in force.")] = None,
    config: Config = None,
) -> None:
    """Say of each rule whether it would be in force, and if not, why."""
    from consumers.alerts.build import measured_by
    from consumers.alerts.rules_file import read_rules
    from consumers.alerts.standing import standing_of

    settings = AlerterSettings.read(config)
    standing = standing_of(read_rules(rules or settings.rules_path), measured_by(settings))
    for one in standing.rules:
        typer.echo(f"{one.rule.id}: {one.status}" + (f", because {one.why_draft}" if one.why_draft else ""))
    if not standing.rules:
        typer.echo("There are no rules in the file.")
