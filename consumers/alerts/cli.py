"""The command `crewsight rules`: what may be written, whether it fits, what it would have raised, and why."""

import json
from pathlib import Path
from typing import Annotated

import typer

from consumers.settings import AlerterSettings
from operations.options import Config

app = typer.Typer(help="The alert desk's rules.", no_args_is_help=True)


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


@app.command("test")
def try_on_footage(
    rules: Annotated[Path, typer.Argument(help="Rules file to try; drafts in it are tried too.")],
    since: Annotated[str, typer.Option("--since", help="Such as 24h, 7d, or 2026-11-24T06:00.")] = "24h",
    until: Annotated[str, typer.Option("--until", help="Likewise; default: now.")] = "0m",
    camera: Annotated[list[str] | None, typer.Option("--camera", help="Only this camera; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    config: Config = None,
) -> None:
    """Try rules on stored footage: what they would have raised, beside the rules in force."""
    from datetime import UTC, datetime

    from consumers.alerts.build import measured_by, rules_in_force, tried_on_footage
    from consumers.alerts.moments import moment
    from consumers.alerts.reports import trial_lines, trial_object
    from consumers.alerts.rules_file import read_rules
    from consumers.alerts.standing import standing_of
    from streamer.bus.media_opening import open_media

    settings, now = AlerterSettings.read(config), datetime.now(UTC)
    tried = standing_of(read_rules(rules), measured_by(settings))
    trial = tried_on_footage(
        settings,
        tried,
        rules_in_force(settings).look(),
        since=moment(since, now),
        until=moment(until, now),
        cameras=camera or (),
    )
    for unseen in sorted(set(camera or ()) - set(trial.cameras)):
        typer.echo(f"There is no footage of camera {unseen} in that time.", err=True)
    store = open_media(settings)
    if as_json:
        typer.echo(json.dumps(trial_object(trial, store), ensure_ascii=False))
        return
    for line in trial_lines(trial, store):
        typer.echo(line)


@app.command()
def why(
    person: Annotated[str, typer.Argument(help="A person's id; with --at, a camera's.")],
    at: Annotated[
        str | None, typer.Option("--at", help="Everyone the camera saw then, such as 2026-11-24T14:02.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a person, for machines.")] = False,
    config: Config = None,
) -> None:
    """Say of each rule why it raised an alert about somebody, or why not."""
    from datetime import UTC, datetime

    from consumers.alerts.build import explaining, rules_in_force
    from consumers.alerts.moments import moment
    from consumers.alerts.reports import explanation_lines, explanation_object

    settings = AlerterSettings.read(config)
    standing = rules_in_force(settings).look()
    asked = explaining(settings)
    if at is None:
        about = {person: asked.person(person, standing)}
    else:
        about = asked.moment(person, moment(at, datetime.now(UTC)), standing)
    for person_id, explanations in about.items():
        if as_json:
            said = [explanation_object(one) for one in explanations]
            typer.echo(json.dumps({"person_id": person_id, "rules": said}, ensure_ascii=False))
            continue
        for line in [f"person {person_id}", *explanation_lines(explanations)]:
            typer.echo(line)
